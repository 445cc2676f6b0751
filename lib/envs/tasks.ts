/**
 * The simulated tasks behind the ids of built-in environments. They are apart from the registry,
 * whose declarations are public and should need no types of MuJoCo.
 *
 * @module
 */
import leven from "leven";
import { tasks as d4rlTasks } from "../data/catalog.ts";
import { UserError } from "../errors.ts";
import { environments } from "./ids.ts";
import { mazes } from "./mazes.ts";
import { antmazes, antmazeTask, collected } from "./mujoco/antmaze.ts";
import { locomotion } from "./mujoco/locomotion.ts";
import { pointmazes } from "./mujoco/pointmaze.ts";
import type { Task } from "./mujoco/task.ts";

const tasks: ReadonlyMap<string, Task> = new Map([...locomotion, ...antmazes, ...pointmazes]);

/**
 * Returns the simulated task of an id as `makeEnvironment` takes it.
 *
 * @throws {UserError} If the id is unknown.
 */
export function taskOf(id: string): Task {
  const task = tasks.get(environments.get(id)?.task ?? "");
  if (task === undefined) throw unknownId(id);
  return task;
}

/** Where a robot moves: in a vertical plane, on open ground, or in a maze. */
export type Terrain = "plane" | "ground" | "maze";

/**
 * Returns where the robot of a built-in environment moves.
 *
 * @throws {UserError} If the id is unknown.
 */
export function terrainOf(id: string): Terrain {
  const task = environments.get(id)?.task;
  if (task === undefined) throw unknownId(id);
  if (antmazes.has(task) || pointmazes.has(task)) return "maze";
  return task.startsWith("ant") ? "ground" : "plane";
}

/**
 * Returns the goal of a maze2d task in world coordinates, in which the ball begins at its body's
 * place; null for other tasks, which have none or draw one for each episode.
 */
export function fixedGoal(id: string): readonly [x: number, y: number] | null {
  const task = environments.get(id)?.task ?? "";
  const maze = mazes.get(task.replace(/-dense$/, ""));
  if (maze === undefined || !pointmazes.has(task)) return null;
  const { pos } = taskOf(id).robot.body;
  const [x, y] = maze.point(maze.goal);
  return [x + pos[0], y + pos[1]];
}

/**
 * Returns an antmaze task with the starts and goals of D4RL's data, which are in its file's name;
 * null for other tasks.
 */
export function collectionTask(id: string, task: string): Task | null {
  const made = /_multistart_(True|False)_multigoal_(True|False)_/.exec(
    d4rlTasks.get(id)?.file ?? "",
  );
  if (made === null) return null;
  const [, starts, goals] = made;
  if (starts === "False") return null; // umaze: as in the evaluation.
  return antmazeTask(task, (maze) => collected(maze, goals === "True"));
}

/**
 * Returns the function from observations to simulator states of a built-in environment; see
 * {@linkcode Task.stateOf}.
 *
 * @throws {UserError} If the id is unknown.
 */
export function stateReader(id: string): Task["stateOf"] {
  return taskOf(id).stateOf;
}

/** Returns the error for an unknown id, which names the nearest known ones. */
export function unknownId(id: string): UserError {
  const nearest = [...environments.keys()]
    .map((known) => ({ known, distance: leven(id, known) }))
    .sort((a, b) => a.distance - b.distance)
    .slice(0, 3)
    .map(({ known }) => known);
  return new UserError(
    `no built-in environment is called "${id}"; the nearest are ${nearest.join(", ")}. ` +
      "Environments of Gymnasium need --server python",
  );
}
