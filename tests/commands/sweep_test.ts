import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { join } from "node:path";
import { sweepPlan } from "../../lib/commands/sweep_plan.ts";
import { sweepRun, type TrainUnit } from "../../lib/commands/sweep_run.ts";
import { sweepStatus } from "../../lib/commands/sweep_status.ts";
import { sweepSubmit } from "../../lib/commands/sweep_submit.ts";
import { UserError } from "../../lib/errors.ts";
import { SweepDirectory } from "../../lib/sweep/manifest.ts";
import { writeDataset } from "../../lib/data/writer.ts";
import { mayUseFiles, tinyContents, withFolder } from "../data/files.ts";
import { unitNamed } from "../sweep/sweeps.ts";
import { printed } from "./printed.ts";
import { writeRun } from "./run_records.ts";
import { inOwnProcess } from "../support/own_process.ts";

const ignore = !mayUseFiles;

/** Runs `body` with a sweep of units that are finished, begun and two new ones. */
function withSweep(body: (path: string, directory: SweepDirectory) => Promise<void>) {
  return withFolder(async (folder) => {
    const directory = new SweepDirectory(folder);
    await directory.write(["done", "begun", "new", "last"].map(unitNamed));
    await writeRun(directory.runs, "done", { scores: { policy: [[100, [40, 50]]] } });
    await writeRun(directory.runs, "begun", {
      losses: { critic: [[50, [1, 2]]] },
      finished: false,
    });
    await body(folder, directory);
  });
}

/** Runs `sweep run` and returns its exit code and the arguments of every `train`. */
async function run(args: readonly string[], trainUnit: TrainUnit) {
  const trained: string[] = [];
  const { error } = console;
  console.error = () => {};
  try {
    let code = -1;
    await printed(async () => {
      code = await sweepRun(args, (arguments_, signal) => {
        trained.push(arguments_.join(" "));
        return trainUnit(arguments_, signal);
      });
    });
    return { code, trained };
  } finally {
    console.error = error;
  }
}

Deno.test({
  name: "sweep plan: writes the manifest once and prints the steps",
  ignore,
  fn: () =>
    withFolder(async (folder) => {
      const file = join(folder, "sweep.yaml");
      Deno.writeTextFileSync(
        file,
        "tasks: [maze2d-umaze-v1]\nseeds: 0-2\npreset: quick\n" +
          "algorithms: { td3-bc: { width: [8, 16], steps: 70 } }\n",
      );
      const out = join(folder, "out");
      const first = await printed(() => sweepPlan([file, "--out", out]));
      assertStringIncludes(first, "2 units");
      assert(/td3-bc +agent +3 +2 +70 +140/.test(first), first);
      const again = await printed(() => sweepPlan([file, "--out", out]));
      assertStringIncludes(again, "unchanged:");
      await assertRejects(() => sweepPlan([file]), UserError, "needs --out DIR");
      const missing = [join(folder, "none.yaml"), "--out", out];
      await assertRejects(() => sweepPlan(missing), UserError, "cannot read the sweep file");
    }),
});

Deno.test({
  name: "sweep plan: asks for what train needs of a data file of no D4RL task, and passes it on",
  ignore,
  fn: () =>
    withFolder(async (folder) => {
      const plan = (file: string, algorithms = "{ iql: }") => {
        const sweep = join(folder, "sweep.yaml");
        const tasks = `tasks: [maze2d-umaze-v1, ${file}]`;
        Deno.writeTextFileSync(sweep, `${tasks}\nseeds: [0]\nalgorithms: ${algorithms}`);
        return printed(() => sweepPlan([sweep, "--out", join(folder, "out")]));
      };
      const { error } = console;
      console.error = () => {}; // The note that data are missing.
      try {
        await assertRejects(
          () => plan("mine.hdf5"),
          UserError,
          "mine.hdf5 belongs to no D4RL task",
        );
        await assertRejects(
          () => plan("{ file: mine.hdf5, task: hopper-medium-v2, family: maze }"),
          UserError,
          "--family is only for data that belong to no D4RL task",
        );
        await assertRejects(
          () => plan("hopper-medium-v2", "{ srpo: { fixed-time: 0.5 } }"),
          UserError,
          "--fixed-time has an effect only with weighting fixed_time",
        );
        // The metadata of a file that exists name its task.
        const known = join(folder, "known.hdf5");
        await writeDataset(known, { ...tinyContents, metadata: { task: "maze2d-open-v0" } });
        await plan(known);
        Deno.removeSync(join(folder, "out"), { recursive: true });
        await plan("{ file: mine.hdf5, family: maze, env: Own-v0, server: python }");
      } finally {
        console.error = error;
      }
      assertEquals(new SweepDirectory(join(folder, "out")).read().map(({ train }) => train), [
        ["maze2d-umaze-v1", "--algorithm=iql", "--seeds=0"],
        [
          ...["mine.hdf5", "--algorithm=iql", "--family=maze", "--env=Own-v0", "--server=python"],
          "--seeds=0",
        ],
      ]);
    }),
});

Deno.test({
  name: "sweep run: skips finished units, resumes begun ones, and goes on after a failed one",
  ignore,
  fn: () =>
    withSweep(async (path, directory) => {
      const { code, trained } = await run([path], (args) => {
        if (args[0]!.startsWith("--resume")) return Promise.resolve(0);
        return args.at(-1)!.endsWith("new")
          ? Promise.reject(new UserError("no data"))
          : Promise.resolve(0);
      });
      assertEquals(code, 1);
      assertEquals(trained, [
        `--resume=${join(directory.runs, "begun")}`,
        `hopper-medium-v2 --seeds=0 --out=${join(directory.runs, "new")}`,
        `hopper-medium-v2 --seeds=0 --out=${join(directory.runs, "last")}`,
      ]);
      const one = await run([path, "--unit", "3"], () => Promise.resolve(0));
      assertEquals([one.code, one.trained.length], [0, 1]);
      await assertRejects(() => sweepRun([path, "--unit", "4"]), UserError, "from 0 to 3");
    }),
});

const afterSignal = "sweep run: after SIGTERM, waits for the unit's checkpoint and exits with 143";
Deno.test({
  name: afterSignal,
  ignore: ignore || Deno.build.os === "windows" ||
    (["run", "env"] as const)
      .some((name) => Deno.permissions.querySync({ name }).state !== "granted"),
  fn: inOwnProcess(import.meta.url, afterSignal, () =>
    withSweep(async (path) => {
      let saved = false;
      const { code, trained } = await run([path], async (_, signal) => {
        const aborted = new Promise((resolve) => signal.addEventListener("abort", resolve));
        const alive = setTimeout(() => {}, 10_000); // Waiting for a signal alone ends the process.
        Deno.kill(Deno.pid, "SIGTERM");
        await aborted;
        clearTimeout(alive);
        saved = true;
        return 143;
      });
      assertEquals({ code, units: trained.length, saved }, { code: 143, units: 1, saved: true });
    })),
});

Deno.test({
  name: "sweep status: shows scores and progress, and the units that cannot be read",
  ignore,
  fn: () =>
    withSweep(async (path, directory) => {
      Deno.mkdirSync(join(directory.runs, "last"));
      Deno.writeTextFileSync(join(directory.runs, "last", "config.json"), "{");
      const table = await printed(() => Promise.resolve(sweepStatus([path])));
      const rows = table.split("\n").slice(2, 6).map((line) => line.trim().split(/ {2,}/));
      assertEquals(rows.slice(0, 3), [
        ["0", "done", "45.0 ± 5.0", "finished"],
        ["1", "begun", "–", "critic, 50 % (stage 1 of 3)"],
        ["2", "new", "–", "not begun"],
      ]);
      assertStringIncludes(rows[3]!.join(" "), "last – ");
      assertStringIncludes(table, "1 of 4 units are finished, 1 begun, 1 unreadable.");
      const json = await printed(() => Promise.resolve(sweepStatus([path, "--json"])));
      assertEquals(
        json.split("\n").map((line) => JSON.parse(line).state),
        ["finished", "begun", "new", "unreadable"],
      );
    }),
});

Deno.test({
  name: "sweep submit: needs --slurm, and a sweep that is not finished",
  ignore,
  fn: () =>
    withFolder(async (folder) => {
      const directory = new SweepDirectory(folder);
      await directory.write([unitNamed("done")]);
      await writeRun(directory.runs, "done", {});
      await assertRejects(() => sweepSubmit([folder]), UserError, "needs --slurm");
      const text = await printed(() => sweepSubmit([folder, "--slurm"]));
      assertEquals(text, "all 1 units are finished");
    }),
});
