/**
 * The pictures of a finished run: the training curves, the scores of a sweep's variants, and for
 * maze2d a map of the data, the learned value and the policy's trajectories.
 *
 * @module
 */
import type { Task } from "../data/catalog.ts";
import type { OfflineDataset } from "../data/dataset.ts";
import type { StateValue } from "../algorithms/algorithm.ts";
import type { Policy, RemotePolicy } from "../nn/host/policy.ts";
import type { NamedTensors } from "../nn/host/tensors.ts";
import { curvesFigure, curvesOf } from "../report/curves.ts";
import { figureSvg } from "../report/figure_svg.ts";
import { drawnMaze, type PlayedPaths } from "../report/drawn_maze.ts";
import { mazePicture } from "../report/maze.ts";
import { sweepFigure, type SweepPoint } from "../report/sweep.ts";
import { writeAtomic } from "../runs/files.ts";
import { readMetrics } from "../runs/metrics.ts";
import type { EvaluationStatistics } from "../runs/results.ts";
import { decode } from "../runs/safetensors.ts";
import { type Replica, type ReplicaAxes, replicasOf } from "../runs/replicas.ts";

/**
 * Draws the pictures of a finished run and returns their paths. The maze picture shows the first
 * seed and variant.
 *
 * @param policies Its policies by title.
 * @param played Their episodes; see {@linkcode drawnMaze}.
 */
export async function drawRun(
  axes: ReplicaAxes,
  task: Task,
  data: OfflineDataset,
  statistics: readonly EvaluationStatistics[],
  policies: ReadonlyMap<string, Policy | RemotePolicy>,
  played: ReadonlyMap<string, PlayedPaths> | null,
): Promise<string[]> {
  const { directory: run, algorithm } = axes;
  const written: string[] = [];
  const write = async (name: string, svg: string) => {
    await writeAtomic(run.picture(name), svg);
    written.push(run.picture(name));
  };
  await write(
    "curves",
    figureSvg(curvesFigure(task.name, curvesOf([readMetrics(run.metrics)]))),
  );
  const points = sweepPoints(axes, statistics);
  if (points.length > 0) {
    const quantity = points[0]!.quantity === "score" ? "D4RL score" : "return";
    const title = `${task.name}: policies of the sweep`;
    await write("sweep", figureSvg(sweepFigure(title, quantity, algorithm.sweeps, points)));
  }
  if (task.family === "maze2d") {
    const value = valueOf(axes);
    if (value !== null && policies.size > 0) {
      const drawn = await drawnMaze(task.name, data, value, policies, played);
      await write("maze", mazePicture(drawn));
    }
  }
  return written;
}

/** Returns the evaluated variants with their statistics. */
function sweepPoints(
  { algorithm, variants }: ReplicaAxes,
  statistics: readonly EvaluationStatistics[],
): (SweepPoint & Pick<EvaluationStatistics, "quantity">)[] {
  return variants.flatMap(({ name, hyperparameters }) => {
    // Variants are compared by the last stage that has them.
    const found = statistics.findLast(({ variant }) => variant === name);
    if (found === undefined) return [];
    const at = Object.fromEntries(
      algorithm.sweeps.map((
        { hyperparameter },
      ) => [hyperparameter, hyperparameters[hyperparameter]!]),
    );
    return [{ ...found, at }];
  });
}

/** Returns the state value that the first replica learned; null if there is none. */
function valueOf(axes: ReplicaAxes): StateValue | null {
  const { value, stages } = axes.algorithm;
  const stage = stages.find(({ name }) => name === value?.stage);
  if (value === undefined || stage === undefined) return null;
  const [first] = replicasOf(axes, stage) as [Replica];
  const checkpoint = readTensors(first.directory.checkpoint(stage.name));
  return checkpoint === null ? null : value.of(checkpoint);
}

function readTensors(path: string): NamedTensors | null {
  try {
    return { source: path, tensors: decode(Deno.readFileSync(path), path).tensors };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}
