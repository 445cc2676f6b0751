/**
 * The pictures of a finished run: the training curves, the scores of a sweep's variants, and for
 * maze2d a map of the data, the learned value and the policy's trajectories.
 *
 * @module
 */
import type { Task } from "../data/catalog.ts";
import type { OfflineDataset } from "../data/dataset.ts";
import { type Maze, mazes } from "../envs/mazes.ts";
import type { StateValue } from "../algorithms/algorithm.ts";
import type { EnvironmentBatch } from "../envs/environment.ts";
import type { Policy, RemotePolicy } from "../nn/host/policy.ts";
import { makeEnvironment } from "../envs/registry.ts";
import { RandomStream } from "../envs/random.ts";
import { rollout } from "../envs/rollout.ts";
import { evaluationSeeds } from "../envs/seeds.ts";
import type { NamedTensors } from "../nn/host/tensors.ts";
import { curvesFigure, curvesOf } from "../report/curves.ts";
import { figureSvg } from "../report/figure_svg.ts";
import { type DrawnPolicy, mazePicture, mazePoints } from "../report/maze.ts";
import { sweepFigure, type SweepPoint } from "../report/sweep.ts";
import { writeAtomic } from "../runs/files.ts";
import { readMetrics } from "../runs/metrics.ts";
import type { EvaluationStatistics } from "../runs/results.ts";
import { decode } from "../runs/safetensors.ts";
import { type Replica, type ReplicaAxes, replicasOf } from "../runs/replicas.ts";

/** Points per cell side at which the value and the actions are drawn. */
const valuePoints = 12;
const actionPoints = 6;
/** Episode seeds that are searched for one start in every cell. */
const searchedSeeds = 1000;

/**
 * Draws the pictures of a finished run and returns their paths. The maze picture shows the first
 * seed and variant.
 *
 * @param policies Its policies by title.
 */
export async function drawRun(
  axes: ReplicaAxes,
  task: Task,
  data: OfflineDataset,
  statistics: readonly EvaluationStatistics[],
  policies: ReadonlyMap<string, Policy | RemotePolicy>,
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
      await write("maze", await mazeOf(task, data, value, policies));
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

async function mazeOf(
  task: Task,
  data: OfflineDataset,
  value: StateValue,
  policies: ReadonlyMap<string, Policy | RemotePolicy>,
): Promise<string> {
  const name = task.name.replace(/(-dense)?-v\d+$/, "");
  const maze = mazes.get(name);
  if (!maze) throw new Error(`drawRun: no maze "${name}"`);
  const positions = new Float32Array(2 * data.rows);
  for (let row = 0; row < data.rows; row++) {
    positions.set(data.observations.subarray(4 * row, 4 * row + 2), 2 * row);
  }
  const resting = Float32Array.from(atRest(maze, valuePoints));
  const drawn: DrawnPolicy[] = [];
  for (const [title, policy] of policies) {
    drawn.push({
      title,
      actions: {
        perCell: actionPoints,
        at: await actionsAt(atRest(maze, actionPoints), policy),
      },
      trajectories: await trajectories(task.name, maze, policy),
    });
  }
  return mazePicture({
    maze,
    title: `${task.name}: data, value, and an episode from every cell`,
    positions,
    value: {
      perCell: valuePoints,
      at: value(resting, resting.length / 4),
    },
    policies: drawn,
  });
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

/** Returns the paths of one episode from every free cell, each `[steps, 2]`. */
async function trajectories(
  task: string,
  maze: Maze,
  policy: Policy | RemotePolicy,
): Promise<number[][]> {
  const environment = await makeEnvironment(task, maze.freeCells().length);
  try {
    const seeds = await seedsOfCells(environment, maze);
    const lines: number[][] = seeds.map(() => []);
    await rollout(environment, policy, seeds, {
      positions: (episodes, qpos) =>
        episodes.forEach((episode, i) => lines[episode]!.push(qpos[2 * i]!, qpos[2 * i + 1]!)),
    });
    return lines;
  } finally {
    await environment.close();
  }
}

/** Returns, for each free cell, the first evaluation seed whose episode starts in it. */
async function seedsOfCells(environment: EnvironmentBatch, maze: Maze): Promise<number[]> {
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

function readTensors(path: string): NamedTensors | null {
  try {
    return { source: path, tensors: decode(Deno.readFileSync(path), path).tensors };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}
