import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { sweepPlan } from "../../lib/commands/sweep_plan.ts";
import { sweepSubmit } from "../../lib/commands/sweep_submit.ts";
import { UserError } from "../../lib/errors.ts";
import { RunLock } from "../../lib/runs/lock.ts";
import { SweepDirectory } from "../../lib/sweep/manifest.ts";
import { arrayText, jobScript } from "../../lib/sweep/slurm.ts";
import { printed } from "../commands/printed.ts";
import { mayUseFiles, withFolder } from "../data/files.ts";
import { SlurmCluster, slurmMissing } from "./slurm_cluster.ts";

const mayRun = mayUseFiles && Deno.build.os === "linux" &&
  Deno.permissions.querySync({ name: "run" }).state === "granted";

Deno.test("arrayText() joins consecutive indices", () => {
  assertEquals(arrayText([0, 1, 2, 5, 7, 8]), "0-2,5,7-8");
});

Deno.test("jobScript() refuses a path that a directive cannot hold", () => {
  const job = { command: ["true"], workingDirectory: "/tmp" };
  assertThrows(() => jobScript(new SweepDirectory('/a"b'), job, [0]), UserError, "rename");
});

/** Runs a job script whose unit exits with `code`, and returns its exit code and the requeues. */
async function runScript(folder: string, code: number, state: string, term: boolean) {
  for (const [name, text] of [["squeue", `echo ${state}`], ["scontrol", 'echo "$@" >> requeued']]) {
    Deno.writeTextFileSync(join(folder, name!), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  }
  Deno.writeTextFileSync(join(folder, "requeued"), "");
  const unit = term
    ? `trap 'exit ${code}' TERM; sleep 0.2; kill -TERM $PPID; for i in $(seq 50); do sleep 0.02; done`
    : `exit ${code}`;
  const script = jobScript(new SweepDirectory(folder), {
    command: ["sh", "-c", unit],
    workingDirectory: folder,
  }, [4]);
  const child = await new Deno.Command("bash", {
    args: ["-c", script],
    cwd: folder,
    env: {
      PATH: `${folder}:${Deno.env.get("PATH")}`,
      SLURM_JOB_ID: "12",
      SLURM_ARRAY_JOB_ID: "12",
      SLURM_ARRAY_TASK_ID: "4",
    },
    stderr: "null",
  }).output();
  return [child.code, Deno.readTextFileSync(join(folder, "requeued")).trim()];
}

Deno.test({
  name: "jobScript() passes SIGTERM on and requeues its element after exit code 143 alone",
  ignore: !mayRun,
  fn: () =>
    withFolder(async (folder) => {
      assertEquals(await runScript(folder, 143, "RUNNING", true), [143, "requeue 12_4"]);
      assertEquals(await runScript(folder, 143, "CANCELLED", true), [143, ""]);
      assertEquals(await runScript(folder, 0, "RUNNING", false), [0, ""]);
      assertEquals(await runScript(folder, 1, "RUNNING", false), [1, ""]);
    }),
});

Deno.test({
  name: "sweep submit: Slurm runs the array; a unit stopped by SIGTERM is requeued and resumes, " +
    `a canceled or killed one is not${mayRun ? slurmMissing() ?? "" : ""}`,
  ignore: !mayRun || slurmMissing() !== null,
  fn: () =>
    withFolder(async (folder) => {
      await using cluster = await SlurmCluster.start(join(folder, "slurm"));
      const file = join(folder, "sweep.json");
      const path = join(folder, "a sweep"); // The job script must quote the space.
      Deno.writeTextFileSync(
        file,
        JSON.stringify({
          tasks: ["maze2d-umaze-v1"],
          seeds: "0-1",
          preset: "quick",
          algorithms: { "td3-bc": { steps: [20, 1_000_000, 5000], width: 8, "batch-size": 8 } },
          evaluation: { episodes: 0 },
        }),
      );
      await printed(() => sweepPlan([file, "--out", path]));
      const submitted = await printed(() =>
        // There, the stage cache is empty.
        sweepSubmit([path, "--slurm", "--", `--chdir=${folder}`, "--time=10"])
      );
      const job = /submitted job (\d+) with 3 of 3/.exec(submitted)![1]!;
      const directory = new SweepDirectory(path);
      const units = directory.read();
      const hasBegun = (index: number) =>
        directory.stateOf(units[index]!) === "begun" ? true : null;

      await cluster.until("unit 2 trains", () => hasBegun(2));
      // As at the time limit, only the shell gets the signal.
      await cluster.command("scancel", "--signal=TERM", "--batch", `${job}_2`);
      await cluster.until(
        "unit 2 is queued again",
        async () => (await cluster.show(`${job}_2`)).includes("Restarts=1") ? true : null,
      );
      assertEquals(directory.stateOf(units[2]!), "begun");
      // Slurm waits for the job's credential to expire.
      await cluster.until("unit 1 trains", () => hasBegun(1));
      await cluster.command("scancel", `${job}_1`);
      await cluster.until(
        "units 0 and 2 are finished and 1 is canceled",
        async () => await cluster.command("squeue", "-h", "-j", job) === "" ? true : null,
      );

      assertEquals(
        units.map((unit) => directory.stateOf(unit)),
        ["finished", "begun", "finished"],
      );
      const records = await Promise.all([0, 1, 2].map((i) => cluster.show(`${job}_${i}`)));
      assertEquals(
        records.map((text) => /JobState=(\w+)|$/.exec(text)![1]),
        ["COMPLETED", "CANCELLED", "COMPLETED"],
      );
      assertEquals(
        records.map((text) => /Restarts=(\d+)|$/.exec(text)![1]),
        ["0", "0", "1"],
      );
      const log = Deno.readTextFileSync(join(directory.slurm, "2.log"));
      assertStringIncludes(log, `train --resume=${directory.runOf(units[2]!).path}`);
      // Only the unit that is not finished is submitted again.
      const again = await printed(() => sweepSubmit([path, "--slurm", "--", "--hold"]));
      assertStringIncludes(again, "with 1 of 3 units");
      assertStringIncludes(
        Deno.readTextFileSync(join(directory.slurm, "job.sh")),
        "#SBATCH --array=1\n",
      );

      // SIGKILL gives no time for a checkpoint. The unit stays as it was, and can be submitted again.
      const run = directory.runOf(units[1]!);
      assertEquals(existsSync(run.lock), false);
      const [, killed] = /submitted job (\d+)/.exec(again)!;
      await cluster.command("scontrol", "release", killed!);
      await cluster.until(
        "unit 1 trains again",
        () => existsSync(run.lock) ? true : null,
      );
      await cluster.command("scancel", "--signal=KILL", "--full", `${killed}_1`);
      await cluster.until(
        "unit 1 has ended",
        async () => await cluster.command("squeue", "-h", "-j", killed!) === "" ? true : null,
      );
      assertStringIncludes(await cluster.show(`${killed}_1`), "Restarts=0");
      RunLock.take(run)[Symbol.dispose]();
      assertEquals(directory.stateOf(units[1]!), "begun");
      const third = await printed(() => sweepSubmit([path, "--slurm", "--", "--hold"]));
      assertStringIncludes(third, "with 1 of 3 units");
    }),
});
