/**
 * Contents of a maze picture: the data, the learned value, and each policy's actions and episodes.
 *
 * @module
 */
import type { StateValue } from "../algorithms/algorithm.ts";
import type { OfflineDataset } from "../data/offline_dataset.ts";
import type { EnvironmentBatch } from "../envs/environment.ts";
import { type Maze, mazes } from "../envs/mazes.ts";
import { PositionRecorder } from "../envs/position_recorder.ts";
import { RandomStream } from "../envs/random.ts";
import { makeEnvironment } from "../envs/registry.ts";
import { rollout } from "../envs/rollout.ts";
import { evaluationSeeds } from "../envs/seeds.ts";
import type { Policy, RemotePolicy } from "../nn/host/policy.ts";
import { type DrawnPolicy, type MazePicture, mazePoints } from "./maze.ts";

/** Points per cell side at which the value and the actions are drawn. */
const valuePoints = 12;
const actionPoints = 6;
/** Episode seeds that are searched for one start in every cell. */
const searchedSeeds = 1000;

/** Episodes that were played before: their paths `[steps + 1, 2]` by the environment's seed. */
export type PlayedPaths = ReadonlyMap<number, readonly number[]>;

/**
 * Computes what a maze picture shows.
 *
 * @param task A task of maze2d, for example `maze2d-umaze-v1`.
 * @param policies Policies by title.
 * @param played Episodes by the policy's title; others are played. Null to show no episodes.
 */
export async function drawnMaze(
  task: string,
  data: OfflineDataset,
  value: StateValue,
  policies: ReadonlyMap<string, Policy | RemotePolicy>,
  played: ReadonlyMap<string, PlayedPaths> | null = new Map(),
): Promise<MazePicture> {
  const maze = mazeOf(task);
  const positions = new Float32Array(2 * data.rows);
  for (let row = 0; row < data.rows; row++) {
    positions.set(data.observations.subarray(4 * row, 4 * row + 2), 2 * row);
  }
  const resting = Float32Array.from(atRest(maze, valuePoints));
  const drawn: DrawnPolicy[] = [];
  const environment = await makeEnvironment(task, maze.freeCells().length);
  try {
    const seeds = played === null ? [] : await startSeeds(environment, maze);
    for (const [title, policy] of policies) {
      drawn.push({
        title,
        actions: {
          perCell: actionPoints,
          at: await actionsAt(atRest(maze, actionPoints), policy),
        },
        trajectories: await trajectories(environment, policy, seeds, played?.get(title)),
      });
    }
  } finally {
    await environment.close();
  }
  return {
    maze,
    title: `${task}: data, value, and ${
      played === null ? "actions" : "an episode from every cell"
    }`,
    positions,
    value: {
      perCell: valuePoints,
      at: value(resting, resting.length / 4),
    },
    policies: drawn,
  };
}

/**
 * Returns the seeds of the episodes that a maze picture shows: for each free cell, the first
 * evaluation seed whose episode starts in it.
 *
 * @param task A task of maze2d, for example `maze2d-umaze-v1`.
 */
export async function drawnSeeds(task: string): Promise<number[]> {
  const maze = mazeOf(task);
  const environment = await makeEnvironment(task, maze.freeCells().length);
  try {
    return await startSeeds(environment, maze);
  } finally {
    await environment.close();
  }
}

function mazeOf(task: string): Maze {
  const name = task.replace(/(-dense)?-v\d+$/, "");
  const maze = mazes.get(name);
  if (!maze) throw new Error(`drawnMaze: no maze "${name}"`);
  return maze;
}

/** Returns states at a maze's points with zero velocity, `[points, 4]`. */
function atRest(maze: Maze, perCell: number): Float64Array {
  const points = mazePoints(maze, perCell);
  const states = new Float64Array(2 * points.length);
  for (let row = 0; row < points.length / 2; row++) {
    states.set(points.subarray(2 * row, 2 * row + 2), 4 * row);
  }
  return states;
}

/** Returns a policy's actions in `states`. A stochastic policy gets one random stream per state. */
async function actionsAt(
  states: Float64Array,
  policy: Policy | RemotePolicy,
): Promise<Float64Array> {
  const rows = states.length / policy.observationSize;
  const random = Array.from({ length: rows }, (_, row) => new RandomStream(row));
  return (await policy.act(states, random)).slice();
}

/** Returns the paths of the episodes of seeds, and plays those that are not known. */
async function trajectories(
  environment: EnvironmentBatch,
  policy: Policy | RemotePolicy,
  seeds: readonly number[],
  played: PlayedPaths = new Map(),
): Promise<(readonly number[])[]> {
  const missing = seeds.filter((seed) => !played.has(seed));
  const recorder = new PositionRecorder();
  await rollout(environment, policy, missing, recorder);
  const paths = recorder.paths();
  return seeds.map((seed) => played.get(seed) ?? paths[missing.indexOf(seed)]!);
}

async function startSeeds(environment: EnvironmentBatch, maze: Maze): Promise<number[]> {
  const { count, spec: { observationSize } } = environment;
  const half = maze.cellSize / 2;
  const missing = new Set(maze.freeCells());
  const found: number[] = [];
  const seeds = evaluationSeeds(0, searchedSeeds);
  for (let next = 0; next + count <= seeds.length && missing.size > 0; next += count) {
    const tried = seeds.slice(next, next + count);
    const observations = await environment.reset(tried);
    tried.forEach((seed, i) => {
      const [x, y] = [observations[i * observationSize]!, observations[i * observationSize + 1]!];
      for (const cell of missing) {
        const [centerX, centerY] = maze.center(cell);
        if (Math.abs(x - centerX) <= half && Math.abs(y - centerY) <= half) {
          missing.delete(cell);
          found.push(seed);
        }
      }
    });
  }
  return found;
}
