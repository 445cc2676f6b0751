/**
 * Reads data sets of OGBench (Park et al., arXiv 2410.20092), version 1.2.
 *
 * A file has `observations`, `actions` and `terminals`, and `qpos` and `qvel` for mazes. The last
 * row of a trajectory, marked by `terminals`, is a state only: it provides the next observation of
 * the row before it. The files hold no rewards. The single-task variants of a maze define them from
 * a goal: r = success − 1 and mask = 1 − success, where success means that the state s (not s′)
 * lies within a tolerance of the goal (`relabel_utils.py`). The value of the next state is
 * multiplied by the mask.
 *
 * Here the state-only rows are marked as timeouts, so that they are not trained on, and D4RL's
 * `terminals` is 1 − mask.
 *
 * @module
 */
import { UserError } from "../errors.ts";
import { type NpyArray, NpzFile } from "./npz.ts";
import type { DatasetContents } from "./writer.ts";

/**
 * Goal cells [row, column] of tasks 1 to 5 by size of the maze, from `locomaze/maze.py`. The first
 * free cell [1, 1] is the origin, and cells are 4 m apart.
 */
const goalCells: Readonly<Record<string, readonly (readonly [row: number, column: number])[]>> = {
  medium: [[6, 6], [1, 6], [4, 2], [6, 1], [1, 1]],
  large: [[7, 10], [7, 1], [1, 10], [5, 4], [5, 4]],
  giant: [[10, 14], [10, 1], [1, 1], [5, 12], [3, 8]],
  teleport: [[7, 1], [7, 10], [7, 10], [7, 10], [7, 1]],
};

/** Goal tolerance in meters, by robot. */
const tolerances: Readonly<Record<string, number>> = {
  pointmaze: 1,
  antmaze: 0.5,
  humanoidmaze: 0.5,
};

/** A single-task variant of a maze. */
export interface OgbenchTask {
  /** Id of its environment, for `gymnasium.make`. */
  readonly environment: string;
  /** Goal in meters. */
  readonly goal: readonly [x: number, y: number];
  /** Distance from the goal in meters up to which a state is a success. */
  readonly tolerance: number;
}

/**
 * Returns a single-task variant.
 *
 * @param name Name of the data set in OGBench, for example
 * `antmaze-medium-navigate-singletask-task2-v0`. Without a task number it is task 1.
 * @throws {UserError} If it is not one of a maze.
 */
export function ogbenchTask(name: string): OgbenchTask {
  const parts = /^(\w+)-(\w+)-\w+-singletask(?:-task([1-5]))?-v0$/.exec(name);
  const [, robot, size, number = "1"] = parts ?? [];
  const tolerance = tolerances[robot ?? ""];
  const cell = goalCells[size ?? ""]?.[Number(number) - 1];
  if (tolerance === undefined || cell === undefined) {
    throw new UserError(
      `"${name}" is not a single-task maze of OGBench; expected for example ` +
        `antmaze-medium-navigate-singletask-task1-v0, with a robot of ${
          Object.keys(tolerances).join(", ")
        }, a size of ${Object.keys(goalCells).join(", ")}, and a task from 1 to 5`,
    );
  }
  return {
    environment: `${robot}-${size}-singletask-task${number}-v0`,
    goal: [4 * (cell[1] - 1), 4 * (cell[0] - 1)],
    tolerance,
  };
}

/** Returns whether an archive holds a data set of OGBench. */
function isOgbench(names: readonly string[]): boolean {
  return ["observations", "actions", "terminals"].every((name) => names.includes(name));
}

/**
 * Reads a file and computes the rewards of a single-task variant.
 *
 * @param name The variant, as for {@linkcode ogbenchTask}.
 * @throws {UserError} If the file is damaged or not of OGBench, or its arrays do not fit together.
 */
export async function readOgbench(path: string, name: string): Promise<DatasetContents> {
  const { environment, goal, tolerance } = ogbenchTask(name);
  await using file = await NpzFile.open(path);
  if (!isOgbench(file.names)) {
    throw new UserError(
      `${path}: a zip archive with ${file.names.slice(0, 8).join(", ") || "nothing"}; a data set ` +
        "of OGBench has observations, actions and terminals",
    );
  }
  const ends = await file.read("terminals");
  const rows = ends.values.length;
  const matrix = async (field: string): Promise<{ values: Float32Array; columns: number }> => {
    const { shape, dtype, values } = await file.read(field);
    if (shape.length !== 2 || shape[0] !== rows || dtype[0] !== "f" || shape[1] === 0) {
      throw new UserError(
        `${path}: ${field} is ${dtype} of shape [${shape}], expected [${rows}, entries] of ` +
          "floating-point numbers; pixels and discrete actions are not supported",
      );
    }
    return {
      values: values instanceof Float32Array ? values : Float32Array.from(values),
      columns: shape[1]!,
    };
  };
  checkEnds(path, ends);
  const observations = await matrix("observations");
  const actions = await matrix("actions");
  const qpos = await matrix("qpos");
  const qvel = file.names.includes("qvel") ? await matrix("qvel") : null;

  const rewards = new Float32Array(rows);
  const terminals = new Uint8Array(rows);
  const timeouts = Uint8Array.from(ends.values, (end) => end === 0 ? 0 : 1);
  for (let row = 0; row < rows; row++) {
    if (timeouts[row] === 1) continue;
    const [x, y] = [qpos.values[row * qpos.columns]!, qpos.values[row * qpos.columns + 1]!];
    const success = Math.hypot(x - goal[0], y - goal[1]) <= tolerance;
    rewards[row] = success ? 0 : -1;
    terminals[row] = success ? 1 : 0;
  }
  return {
    observationSize: observations.columns,
    actionSize: actions.columns,
    observations: observations.values,
    actions: actions.values,
    rewards,
    terminals,
    timeouts,
    infos: { qpos: qpos.values, ...(qvel !== null && { qvel: qvel.values }) },
    metadata: { origin: "ogbench", source: name, task: environment, server: "python" },
  };
}

function checkEnds(path: string, { shape, values }: NpyArray): void {
  if (shape.length !== 1 || values.length < 2) {
    throw new UserError(`${path}: terminals has shape [${shape}], expected [rows], at least two`);
  }
  const bad = values.findIndex((value) => value !== 0 && value !== 1);
  if (bad >= 0) {
    throw new UserError(`${path}: terminals is ${values[bad]} at row ${bad}, expected 0 or 1`);
  }
}
