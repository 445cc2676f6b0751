/** A run of version 0.2 with two seeds, stopped in its last stage at step 8 of 400. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { join } from "node:path";
import { RunDirectory } from "../../lib/runs/directory.ts";
import { readMetrics } from "../../lib/runs/metrics.ts";
import { openTrained } from "../../lib/runs/trained.ts";
import { projectFile } from "../data/files.ts";

const former = projectFile("tests/fixtures/runs/version-0.2");
const mayRead = Deno.permissions.querySync({ name: "read" }).state === "granted";
const mayTrain = (["read", "write", "run", "env", "ffi"] as const).every((name) =>
  Deno.permissions.querySync({ name }).state === "granted"
);

Deno.test({
  name: "openTrained() acts like version 0.2 on its runs, also under the old names",
  ignore: !mayRead,
  fn: () => {
    const trained = openTrained(join(former, "seed-5"));
    assertEquals(trained.ways, ["srpo", "awr", "idql"]);
    const observation = Float64Array.of(1, 1, 0, 0);
    const act = (way: string | null) => {
      const { policy, way: name } = trained.load(way);
      return { name, action: policy.act(observation, [zeros]).slice() };
    };
    assertEquals(act("iql"), act("awr"));
    assertEquals(act(null), act("srpo"));
    assert(act("idql").action.every(Number.isFinite));
  },
});

/** Random draws that are all zero. */
const zeros = { uniform: (low: number) => low, normal: () => 0 };

Deno.test({
  name: "train --resume continues a run of version 0.2 and keeps its metrics",
  ignore: !mayTrain,
  fn: async () => {
    const folder = Deno.makeTempDirSync();
    const run = new RunDirectory(join(folder, "run"));
    try {
      copy(former, run.path);
      const train = async () => {
        const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
          args: [
            "run",
            "-A",
            "cli.ts",
            "train",
            "--resume",
            run.path,
            "--force",
            "--eval-episodes",
            "0",
          ],
          cwd: projectFile("."),
        }).output();
        assertEquals(code, 0, new TextDecoder().decode(stderr));
        return new TextDecoder().decode(stdout);
      };
      assertMatch(
        await train(),
        /another version 0\.2\.0, now [^]*started by version 0\.2; its original metrics .*metrics-0\.2\.jsonl/,
      );
      const { version, earlier, cache } = run.readConfig();
      assertEquals([earlier?.map((each) => each.version), cache], [["0.2.0"], false]);
      assert(version !== "0.2.0");
      assertEquals(
        Deno.readTextFileSync(join(run.path, "metrics-0.2.jsonl")),
        Deno.readTextFileSync(join(former, "metrics.jsonl")),
      );
      const rows = readMetrics(run.metrics);
      // The rows of the original file, then those of the remaining stage.
      assertEquals([rows[0]!.stage, rows.at(-1)!.stage, rows.at(-1)!.step], [
        "critic",
        "policy",
        400,
      ]);
      // A finished run does not change.
      assertMatch(await train(), /is already finished/);
      assertEquals(readMetrics(run.metrics), rows);
    } finally {
      Deno.removeSync(folder, { recursive: true });
    }
  },
});

function copy(from: string, to: string): void {
  Deno.mkdirSync(to);
  for (const { name, isDirectory } of Deno.readDirSync(from)) {
    if (isDirectory) copy(join(from, name), join(to, name));
    else Deno.copyFileSync(join(from, name), join(to, name));
  }
}
