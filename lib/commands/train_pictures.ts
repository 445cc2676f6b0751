/**
 * The pictures a run leaves: its training curves, of a sweep the scores of its variants, and of a 2-D
 * maze where the data lie, what the critic holds of each place, and where the policy goes.
 *
 * @module
 */
import { existsSync } from "node:fs";
import type { Task } from "../data/catalog.ts";
import type { OfflineDataset } from "../data/dataset.ts";
import { mazes } from "../envs/mazes.ts";
import { networkPolicy } from "../envs/policies.ts";
import { makeEnvironment } from "../envs/registry.ts";
import { rollout } from "../envs/rollout.ts";
import { evaluationSeeds } from "../envs/seeds.ts";
import { Mlp } from "../nn/host/mlp.ts";
import type { NamedTensors } from "../nn/host/tensors.ts";
import { curvesOf, curvesPicture } from "../report/curves.ts";
import { mazePicture, mazePoints } from "../report/maze.ts";
import { sweepPicture, type SweepPoint } from "../report/sweep.ts";
import { writeAtomic } from "../runs/files.ts";
import { readMetrics } from "../runs/metrics.ts";
import { decode } from "../runs/safetensors.ts";
import { type Replica, type ReplicaAxes, replicasOf } from "../runs/replicas.ts";
import type { Variant } from "../algorithms/srpo/variants.ts";
import type { Evaluations, EvaluationStatistics } from "./train_evaluation.ts";

/** Points per cell of the value's and the actions' fields. */
const valuePoints = 12;
const actionPoints = 6;
/** Episodes whose paths are drawn. */
const paths = 8;

/**
 * Draws what a finished run allows; returns the files' paths. The maze is that of the first seed and
 * variant.
 */
export async function drawRun(
  axes: ReplicaAxes,
  task: Task,
  data: OfflineDataset,
  evaluations: Evaluations | null,
): Promise<string[]> {
  const { directory: run, variants } = axes;
  const written: string[] = [];
  const write = async (name: string, svg: string) => {
    await writeAtomic(run.picture(name), svg);
    written.push(run.picture(name));
  };
  const names = variants.map(({ name }) => name);
  // A run whose stages all came from the cache, without an environment, measured nothing.
  const rows = existsSync(run.metrics) ? readMetrics(run.metrics) : [];
  await write("curves", curvesPicture(task.name, curvesOf([rows], names)));
  const points = sweepPoints(variants, evaluations?.statistics() ?? []);
  if (points.length > 0) {
    const quantity = points[0]!.quantity === "score" ? "D4RL score" : "return";
    await write("sweep", sweepPicture(`${task.name}: policies of the sweep`, quantity, points));
  }
  const [first] = replicasOf(axes, "critic") as [Replica];
  const [acting] = replicasOf(axes, "policy") as [Replica];
  const critic = readTensors(first.directory.checkpoint("critic"));
  const policy = readTensors(acting.directory.policy);
  if (task.family === "maze2d" && critic !== null && policy !== null) {
    await write("maze", await mazeOf(task, data, critic, policy));
  }
  return written;
}

/** The variants that were evaluated, with their statistics. */
function sweepPoints(
  variants: readonly Variant[],
  statistics: readonly EvaluationStatistics[],
): (SweepPoint & Pick<EvaluationStatistics, "quantity">)[] {
  return variants.flatMap(({ name, hyperparameters }) => {
    const found = statistics.find(({ stage, variant }) => stage === "policy" && variant === name);
    return found === undefined ? [] : [{ ...hyperparameters, ...found }];
  });
}

async function mazeOf(
  task: Task,
  data: OfflineDataset,
  critic: NamedTensors,
  policy: NamedTensors,
): Promise<string> {
  const name = task.name.replace(/(-dense)?-v\d+$/, "");
  const maze = mazes.get(name);
  if (!maze) throw new Error(`drawRun: no maze "${name}"`);
  const actor = new Mlp(policy, "net", "tanh");
  const positions = new Float32Array(2 * data.rows);
  for (let row = 0; row < data.rows; row++) {
    positions.set(data.observations.subarray(4 * row, 4 * row + 2), 2 * row);
  }
  return mazePicture({
    maze,
    title: `${task.name}: data, value and policy`,
    positions,
    value: {
      perCell: valuePoints,
      at: atRest(new Mlp(critic, "vf.v", "none"), mazePoints(maze, valuePoints)),
    },
    actions: { perCell: actionPoints, at: atRest(actor, mazePoints(maze, actionPoints)) },
    trajectories: await trajectories(task.name, actor),
  });
}

/** What a network gives at points without velocity. */
function atRest(network: Mlp, points: Float64Array): Float32Array {
  const rows = points.length / 2;
  const input = new Float32Array(4 * rows);
  for (let row = 0; row < rows; row++) {
    input.set([points[2 * row]!, points[2 * row + 1]!], 4 * row);
  }
  return network.forward(input, rows).slice(0, rows * network.outputs);
}

async function trajectories(task: string, actor: Mlp): Promise<number[][]> {
  const lines: number[][] = Array.from({ length: paths }, () => []);
  const environment = await makeEnvironment(task, paths);
  try {
    await rollout(environment, networkPolicy(actor), evaluationSeeds(0, paths), {
      positions: (episodes, qpos) =>
        episodes.forEach((episode, i) => lines[episode]!.push(qpos[2 * i]!, qpos[2 * i + 1]!)),
    });
  } finally {
    await environment.close();
  }
  return lines;
}

function readTensors(path: string): NamedTensors | null {
  try {
    return { source: path, tensors: decode(Deno.readFileSync(path), path).tensors };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}
