/**
 * Kills `train` at random moments, from the start of the process on.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { relative } from "node:path";
import { filesIn } from "../runs/killed_run.ts";
import { RunDirectory } from "../../lib/runs/directory.ts";
import { readMetrics } from "../../lib/runs/metrics.ts";
import { readResults } from "../../lib/runs/results.ts";
import { fileHash } from "../../lib/runs/stage_cache.ts";
import { projectFile } from "../data/files.ts";

const seeds = [3, 7];
const stages = ["critic", "behavior", "policy"];

function command(args: readonly string[], cwd: string): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", projectFile("cli.ts"), "train", ...args],
    cwd,
    stdout: "null",
    stderr: "piped",
  }).spawn();
}

/**
 * What a finished run holds, without times: the names of all files, and what is in those trained.
 */
function outcomeOf(path: string): unknown {
  const run = new RunDirectory(path);
  const rows = readMetrics(run.metrics).map(({ time: _, ...row }) => JSON.stringify(row));
  const { evaluations, statistics } = readResults(run.results)!;
  const key = (row: unknown) => JSON.stringify(row);
  return {
    rows: rows.toSorted(),
    evaluations: evaluations.map(key).toSorted(),
    statistics,
    names: filesIn(path).map((file) => relative(path, file)).toSorted(),
    files: seeds.flatMap((seed) => {
      const { policy } = run.replica(seed);
      const checkpoints = stages.map((stage) => run.replica(seed).checkpoint(stage));
      return [policy, ...checkpoints].map((file) => [relative(path, file), fileHash(file)]);
    }),
  };
}

/**
 * Trains a run without a kill, and others that are killed and resumed until `kills` processes were
 * killed. Every other run must end with the same parameters, metrics and results.
 */
export async function soakKills(kills: number): Promise<{ kills: number; runs: number }> {
  const folder = Deno.makeTempDirSync();
  const args = (run: string) => [
    // A hopper that has hardly been trained falls soon, so evaluations are short.
    ...[projectFile("tests/fixtures/datasets/hopper-mixed-20k.hdf5"), "--task", "hopper-medium-v2"],
    ...["--preset", "quick", "--seeds", seeds.join(), "--out", run],
    ...["--eval-episodes", "1", "--eval-every", "40", "--no-cache", "--matmul", "tiled"],
    ...stages.flatMap((stage) => [`--${stage}-steps`, "100", `--${stage}-width`, "8"]),
    ...stages.flatMap((stage) => [`--${stage}-batch-size`, "8"]),
  ];
  const ended = async (child: Deno.ChildProcess) => {
    const errors = await new Response(child.stderr).text();
    const { signal, success } = await child.status;
    if (!success && signal !== "SIGKILL") throw new Error(`train failed: ${errors}`);
    return signal !== "SIGKILL";
  };
  let [killed, runs] = [0, 0];
  try {
    const begun = performance.now();
    await ended(command(args("whole"), folder));
    const whole = performance.now() - begun;
    const expected = outcomeOf(`${folder}/whole`);
    while (killed < kills) {
      const run = `killed-${runs++}`;
      for (;;) {
        let begins = true;
        try {
          new RunDirectory(`${folder}/${run}`).readConfig();
          begins = false;
        } catch { /* Killed before its settings were written. */ }
        const child = command(begins ? args(run) : ["--resume", run], folder);
        const delay = Math.random() * whole;
        const timer = killed < kills ? setTimeout(() => child.kill("SIGKILL"), delay) : 0;
        const done = await ended(child);
        clearTimeout(timer);
        if (done) break;
        killed++;
        console.log(`killed ${run} after ${(delay / 1000).toFixed(1)} s`);
      }
      assertEquals(outcomeOf(`${folder}/${run}`), expected, run);
      Deno.removeSync(`${folder}/${run}`, { recursive: true });
    }
  } catch (error) {
    console.error(`the runs are kept in ${folder}`);
    throw error;
  }
  Deno.removeSync(folder, { recursive: true });
  return { kills: killed, runs };
}
