/**
 * The pictures a run leaves: its training curves, and of a 2-D maze where the data lie, what the
 * critic holds of each place, and where the policy goes.
 *
 * @module
 */
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
import type { RunDirectory } from "../runs/directory.ts";
import { writeAtomic } from "../runs/files.ts";
import { readMetrics } from "../runs/metrics.ts";
import { decode } from "../runs/safetensors.ts";
import { seedDirectory } from "../runs/training_run.ts";

/** Points per cell of the value's and the actions' fields. */
const valuePoints = 12;
const actionPoints = 6;
/** Episodes whose paths are drawn. */
const paths = 8;

/** Draws what a finished run allows; returns the files' paths. */
export async function drawRun(
  run: RunDirectory,
  task: Task,
  data: OfflineDataset,
  seeds: readonly number[],
): Promise<string[]> {
  const written: string[] = [];
  const write = async (name: string, svg: string) => {
    await writeAtomic(run.picture(name), svg);
    written.push(run.picture(name));
  };
  await write("curves", curvesPicture(task.name, curvesOf([readMetrics(run.metrics)])));
  const first = seedDirectory(run, seeds, 0);
  const critic = readTensors(first.checkpoint("critic"));
  const policy = readTensors(first.policy);
  if (task.family === "maze2d" && critic !== null && policy !== null) {
    await write("maze", await mazeOf(task, data, critic, policy));
  }
  return written;
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
