import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { join } from "node:path";
import { UserError } from "../../lib/errors.ts";
import { listRuns } from "../../lib/commands/runs.ts";
import { compareRuns } from "../../lib/commands/runs_compare.ts";
import { exportRun } from "../../lib/commands/runs_export.ts";
import { RunDirectory } from "../../lib/runs/directory.ts";
import { mayUseFiles, withFolder } from "../data/files.ts";
import { writeRun } from "./run_records.ts";

const ignore = !mayUseFiles;

/** Returns what a command prints: standard output, and standard error. */
async function printed(
  command: (args: readonly string[]) => void | Promise<void>,
  ...args: string[]
): Promise<{ out: string; errors: string }> {
  const { log, error } = console;
  const out: string[] = [];
  const errors: string[] = [];
  console.log = (text: string) => out.push(text);
  console.error = (text: string) => errors.push(text);
  try {
    await command(args);
  } finally {
    console.log = log;
    console.error = error;
  }
  return { out: out.join("\n"), errors: errors.join("\n") };
}

Deno.test({
  name: "runs: lists task, algorithm, seeds, score of the last stage and progress",
  ignore,
  fn: () =>
    withFolder(async (folder) => {
      await writeRun(folder, "done", {
        scores: { critic: [[100, [1, 2]]], policy: [[50, [90, 80]], [100, [40, 50]]] },
      });
      await writeRun(folder, "stopped", {
        algorithm: "iql",
        config: { seeds: [3], hyperparameters: { steps: 400 } },
        losses: { agent: [[100, [2]]] },
        // An evaluation of an earlier step may be the last row.
        scores: { agent: [[50, [1]]] },
        finished: false,
      });
      Deno.mkdirSync(join(folder, "broken"));
      Deno.writeTextFileSync(join(folder, "broken", "config.json"), "{");
      Deno.mkdirSync(join(folder, "no-run"));
      Deno.symlinkSync("loop", join(folder, "loop"));
      const { out, errors } = await printed(listRuns, folder);
      const lines = out.split("\n").filter((line) => line.startsWith(folder))
        .map((line) => line.slice(folder.length + 1).split(/ {2,}/));
      const when = lines.map((line) => line.splice(4, 1)[0]!);
      assertEquals(lines, [
        ["done", "hopper-medium-v2", "srpo", "0-1", "45.0 ± 5.0", "finished"],
        ["stopped", "hopper-medium-v2", "iql", "3", "1.0", "agent, 25 % (stage 1 of 1)"],
      ]);
      assert(when.every((text) => Math.abs(Date.parse(`${text}Z`) - Date.now()) < 120_000));
      assertStringIncludes(errors, "broken/config.json is not JSON");
      assertStringIncludes(errors, "cannot access");

      const json = (await printed(listRuns, folder, "--json")).out.split("\n");
      assertEquals(json.map((line) => JSON.parse(line).score?.mean ?? null), [45, 1]);
      assertStringIncludes((await printed(listRuns, join(folder, "no-run"))).out, "no runs in");
      assertThrows(() => listRuns([join(folder, "nowhere")]), UserError, "there is no folder");
    }),
});

Deno.test({
  name: "runs compare: names the settings and data that differ, and nothing else",
  ignore,
  fn: () =>
    withFolder(async (folder) => {
      const hyperparameters = { criticSteps: 100, beta: 0.1 };
      const a = await writeRun(folder, "a", { config: { hyperparameters } });
      const b = await writeRun(folder, "b", {
        config: {
          hyperparameters: { ...hyperparameters, beta: 0.2, fixedTime: 0.5 },
          data: { file: "gone.hdf5", sha256: "cd".repeat(32), rows: 1000 },
        },
      });
      const differing = (await printed(compareRuns, a, b)).out.split("\n").slice(2)
        .map((line) => line.split(/ {2,}/)).filter((cells) => cells.length > 1);
      assertEquals(differing, [
        ["data.sha256", `${"ab".repeat(6)}…`, `${"cd".repeat(6)}…`],
        ["hyperparameters.beta", "0.1", "0.2"],
        ["hyperparameters.fixedTime", "–", "0.5"],
      ]);
      assertStringIncludes((await printed(compareRuns, a, b)).out, "cannot be compared: data");
      const same = (await printed(compareRuns, a, a)).out;
      assertStringIncludes(same, "same settings, data and machine");
      assertStringIncludes(same, "can be compared");
      const { differences, comparable } = JSON.parse(
        (await printed(compareRuns, a, b, "--json")).out,
      );
      assertEquals(comparable, false);
      assertEquals(differences[1], { setting: "hyperparameters.beta", values: [0.1, 0.2] });
    }),
});

Deno.test({
  name: "runs export: writes one CSV row per line of metrics.jsonl, with a column per metric",
  ignore,
  fn: () =>
    withFolder(async (folder) => {
      const path = await writeRun(folder, "a", {
        config: { seeds: [7] },
        losses: { critic: [[1, [0.125]], [2, [1e-7]]] },
        scores: { policy: [[3, [42]]] },
      });
      await printed(exportRun, path);
      const csv = Deno.readTextFileSync(join(path, "metrics.csv"));
      const rows = csv.split("\r\n").map((line) => line.split(",").slice(1).join());
      assertEquals(rows, [
        "stage,step,seed,variant,loss,mean_return,std_return,mean_length,score,std_score",
        "critic,1,7,,0.125,,,,,",
        "critic,2,7,,1e-7,,,,,",
        "policy,3,7,,,420,1,7,42,0.1",
        "",
      ]);
      const first = JSON.parse(
        Deno.readTextFileSync(new RunDirectory(path).metrics).split("\n")[0]!,
      );
      assertEquals(csv.split("\r\n")[1]!.split(",")[0], first.time);
      const other = join(folder, "other.csv");
      await printed(exportRun, path, "--csv", other);
      assertEquals(Deno.readTextFileSync(other), csv);
      const nowhere = join(folder, "none", "a.csv");
      await assertRejects(
        () => exportRun([path, "--csv", nowhere]),
        UserError,
        "cannot be written",
      );
    }),
});
