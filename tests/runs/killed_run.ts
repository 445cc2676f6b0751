/**
 * Trains tiny networks with two seeds in the folder given as an argument, or resumes the run there.
 * Checkpoints and evaluations follow each other closely, so that a kill hits them. Prints "begun"
 * when training begins. Tests kill it.
 *
 * @module
 */
import { join, relative } from "node:path";
import { makeFolder } from "../../lib/files.ts";
import { portableTarget } from "../../lib/gpu/target.ts";
import { RunDirectory } from "../../lib/runs/directory.ts";
import type { Evaluator } from "../../lib/runs/evaluation_queue.ts";
import { clearRemains, RunLock } from "../../lib/runs/lock.ts";
import { readMetrics } from "../../lib/runs/metrics.ts";
import { decode } from "../../lib/runs/safetensors.ts";
import { trainStages } from "../../lib/runs/training_run.ts";
import { fileHash } from "../../lib/runs/stage_cache.ts";
import { runIn, setUp } from "./tiny_run.ts";

/** Seeds of the run. */
export const seeds = [3, 7];

/** Evaluates every 4 steps; the metric is computed from the policy's weights. */
const evaluator: Evaluator = {
  every: 4,
  episodes: 1,
  evaluate: (_stage, _step, checkpoints) =>
    Promise.resolve(checkpoints.map((bytes) => {
      const [tensor] = decode(bytes, "").tensors.values();
      return { metrics: { mean_return: Number(tensor!.data[0]) }, episodes: [] };
    })),
};

/**
 * Trains or resumes the run in a folder to its end. Clears what a kill left there, as `train` does.
 */
export async function trainIn(folder: string): Promise<void> {
  const directory = new RunDirectory(folder);
  makeFolder(folder);
  Deno.writeTextFileSync(directory.config, "{}\n"); // A folder without settings would be cleared.
  using _lock = RunLock.take(directory);
  clearRemains(directory);
  const machine = await setUp(1, portableTarget);
  try {
    console.error("begun");
    const resume = isFile(`${folder}/metrics.jsonl`);
    await trainStages(runIn(folder, machine, { seeds, evaluator, resume }));
  } finally {
    machine.buffer.destroy();
    machine.engine.close();
  }
}

/**
 * Returns what a run's folder holds: the hash of every file by its path, and rows without times.
 */
export function outcomeOf(folder: string): { rows: string[]; files: Record<string, string> } {
  const { metrics } = new RunDirectory(folder);
  const rows = readMetrics(metrics).map(({ time: _, ...row }) => JSON.stringify(row)).toSorted();
  const files = filesIn(folder).filter((path) => path !== metrics).toSorted();
  return {
    rows,
    files: Object.fromEntries(files.map((path) => [relative(folder, path), fileHash(path)])),
  };
}

/** Returns the paths of all files in a folder and in those below it. */
export function filesIn(folder: string): string[] {
  return [...Deno.readDirSync(folder)].flatMap(({ name, isDirectory }) =>
    isDirectory ? filesIn(join(folder, name)) : [join(folder, name)]
  );
}

/** Starts the run in another process and kills it so many milliseconds after it has begun. */
export async function killAfter(milliseconds: number, folder: string): Promise<void> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", import.meta.filename!, folder],
    stdout: "null",
    stderr: "piped",
  }).spawn();
  let errors = "";
  for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) {
    errors += text;
    if (errors.trim() === "begun") {
      setTimeout(() => {
        try {
          child.kill("SIGKILL");
        } catch { /* It has ended by itself. */ }
      }, milliseconds);
    }
  }
  const { signal, success } = await child.status;
  if (!success && signal !== "SIGKILL") throw new Error(`the run failed: ${errors}`);
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

if (import.meta.main) await trainIn(Deno.args[0]!);
