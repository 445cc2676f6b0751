/**
 * Trains many steps at tiny size, and checks that memory stays flat and files stay small.
 *
 * @module
 */
import { assert } from "@std/assert";
import { hyperparametersFor } from "../../lib/algorithms/srpo/hyperparameters.ts";
import { readMetrics } from "../../lib/runs/metrics.ts";
import { trainStages } from "../../lib/runs/training_run.ts";
import { runIn, setUp, stageNames, tiny } from "../runs/tiny_run.ts";

/** Time between measurements, in milliseconds. */
const every = 2000;

/**
 * Trains `steps` steps, spread over the stages as in the paper. The memory of the process in the
 * last third of the time must be within 5 % of that in the middle third, the metrics below 2001
 * rows a stage, and each stage must have two checkpoints.
 */
export async function soakSteps(steps: number): Promise<Record<string, number>> {
  const folder = Deno.makeTempDirSync();
  const machine = await setUp();
  const parts = { criticSteps: 0.375, behaviorSteps: 0.375, policySteps: 0.25 };
  const counts = Object.fromEntries(
    Object.entries(parts).map(([name, part]) => [name, Math.round(part * steps)]),
  );
  const memory: number[] = [];
  const timer = setInterval(() => memory.push(Deno.memoryUsage().rss), every);
  const begun = performance.now();
  try {
    const hyperparameters = hyperparametersFor("maze2d", "quick", { ...tiny, ...counts });
    const evaluator = {
      every: Math.round(steps / 40),
      episodes: 1,
      evaluate: (_stage: string, _step: number, checkpoints: readonly Uint8Array[]) =>
        Promise.resolve(checkpoints.map(() => ({ metrics: { mean_return: 0 }, episodes: [] }))),
    };
    await trainStages(runIn(folder, machine, { hyperparameters, evaluator }));
    const third = Math.floor(memory.length / 3);
    const middle = median(memory.slice(third, 2 * third));
    const last = median(memory.slice(2 * third));
    const growth = last / middle - 1;
    const rows = readMetrics(`${folder}/metrics.jsonl`).length;
    const files = [...Deno.readDirSync(`${folder}/checkpoints`)].length;
    assert(Math.abs(growth) <= 0.05, `memory changed by ${(100 * growth).toFixed(1)} %`);
    assert(rows <= stageNames.length * 2050, `${rows} rows of metrics`);
    assert(files <= 2 * stageNames.length, `${files} checkpoints`);
    return {
      steps,
      seconds: Math.round((performance.now() - begun) / 1000),
      megabytes: Math.round(last / 1e6),
      growth,
      rows,
      checkpoints: files,
    };
  } finally {
    clearInterval(timer);
    machine.buffer.destroy();
    machine.engine.close();
    Deno.removeSync(folder, { recursive: true });
  }
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
}
