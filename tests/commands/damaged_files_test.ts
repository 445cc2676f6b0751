/** Damaged files of a run, and files of another run or seed in their place. */
import { assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { UserError } from "../../lib/errors.ts";
import { openTrained } from "../../lib/runs/trained.ts";
import { projectFile } from "../data/files.ts";
import { printed } from "./printed.ts";

const ignore = !(["read", "write", "run", "env", "ffi"] as const).every((name) =>
  Deno.permissions.querySync({ name }).state === "granted"
);

Deno.test({
  name: "damaged files and files of another run are refused by train --resume, report and eval",
  ignore,
  fn: async (t) => {
    const { train } = await import("../../lib/commands/train.ts");
    const { report } = await import("../../lib/commands/report.ts");
    const folder = Deno.makeTempDirSync();
    const [run, other] = [`${folder}/run`, `${folder}/other`];
    const resume = () => printed(() => train(["--resume", run]));
    const flags = [
      ...[projectFile("tests/fixtures/datasets/hopper-mixed-20k.hdf5"), "--algorithm", "td3-bc"],
      ...["--task", "hopper-medium-v2", "--preset", "quick", "--seeds", "3,7", "--no-cache"],
      ...["--steps", "5", "--width", "8", "--batch-size", "8", "--matmul", "tiled"],
      ...["--eval-episodes", "0"],
    ];
    try {
      await printed(() => train([...flags, "--out", run]));
      await printed(() => train([...flags, "--discount", "0.9", "--out", other]));
      /** Puts a file in the place of one of the run, and puts that one back afterwards. */
      const exchanged = (name: string, file: string, body: () => Promise<unknown>) =>
        t.step(`${name} from ${file.replace(folder, "")}`, async () => {
          const own = Deno.readFileSync(`${run}/${name}`);
          Deno.copyFileSync(file, `${run}/${name}`);
          const before = Deno.readFileSync(`${run}/${name}`);
          await body();
          assertEquals(Deno.readFileSync(`${run}/${name}`), before, "the file is not changed");
          Deno.writeFileSync(`${run}/${name}`, own);
        });
      const refused = async (body: () => Promise<unknown>, file: string) => {
        const { message } = await assertRejects(body, UserError);
        assertStringIncludes(message, file);
        assertStringIncludes(message, "belongs to another run");
      };
      const html = () => printed(() => report([run, "--out", `${folder}/a.html`]));

      await exchanged("results.json", `${other}/results.json`, async () => {
        await refused(resume, `${run}/results.json`);
        await refused(html, `${run}/results.json`);
      });
      await exchanged("config.json", `${other}/config.json`, () => refused(resume, run));
      Deno.removeSync(`${run}/results.json`);
      await exchanged("metrics.jsonl", `${other}/metrics.jsonl`, async () => {
        await refused(resume, `${run}/metrics.jsonl, line 1`);
        await refused(html, `${run}/metrics.jsonl, line 1`);
      });
      await exchanged("config.json", `${other}/config.json`, () => refused(resume, run));

      const load = () => openTrained(`${run}/seed-3`).load();
      const refusedBy = (file: string) => () => {
        const { message } = assertThrows(load, UserError);
        assertStringIncludes(message, `${run}/${file} belongs to another run`);
        return Promise.resolve();
      };
      const policy = "seed-3/policy.safetensors";
      await exchanged(policy, `${run}/seed-7/policy.safetensors`, refusedBy(policy));
      Deno.removeSync(`${run}/${policy}`);
      const agent = "seed-3/checkpoints/agent.safetensors";
      for (const from of [`${run}/seed-7`, `${other}/seed-3`]) {
        await exchanged(agent, `${from}/checkpoints/agent.safetensors`, refusedBy(agent));
      }

      // With its own files, the run is as before.
      load();
      await resume();
      await html();

      const whole = Deno.readFileSync(`${run}/${agent}`);
      const changed = whole.slice();
      changed[changed.length - 2]! ^= 1;
      Deno.writeFileSync(`${run}/${agent}`, changed);
      const metrics = Deno.readTextFileSync(`${run}/metrics.jsonl`);
      Deno.writeTextFileSync(`${run}/metrics.jsonl`, metrics.slice(0, -5));
      const { message } = await assertRejects(resume, UserError);
      assertStringIncludes(message, `${run}/${agent}: was changed`);
      assertStringIncludes(message, `${run}/metrics.jsonl lacks 1 of its rows`);
      Deno.writeTextFileSync(`${run}/metrics.jsonl`, metrics);
      // As the message says.
      Deno.removeSync(`${run}/results.json`);
      await resume();
      assertEquals(Deno.readFileSync(`${run}/${agent}`), whole);
      assertStringIncludes(await resume(), "is already finished");
    } finally {
      Deno.removeSync(folder, { recursive: true });
    }
  },
});
