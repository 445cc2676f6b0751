import leven from "leven";
import { tasks as d4rlTasks } from "../data/catalog.ts";
import { UserError } from "../errors.ts";
import type { EnvironmentBatch } from "./environment.ts";
import { environments } from "./ids.ts";
import { antmazes, antmazeTask } from "./mujoco/antmaze.ts";
import { MujocoBatch } from "./mujoco/batch.ts";
import { locomotion } from "./mujoco/locomotion.ts";
import type { Profile } from "./mujoco/mjcf.ts";
import { pointmazes } from "./mujoco/pointmaze.ts";
import type { Task } from "./mujoco/task.ts";
import { referenceReturn } from "./scores.ts";

const tasks: ReadonlyMap<string, Task> = new Map([...locomotion, ...antmazes, ...pointmazes]);

/** Returns all ids accepted by {@link makeEnvironment}. */
export function environmentIds(): string[] {
  return [...environments.keys()];
}

/**
 * Creates a batch of `count` built-in environments, simulated in this process.
 *
 * @param id A robot (`hopper`), a gym id (`Hopper-v4`) or a D4RL task (`hopper-medium-v2`).
 * @param options.profile Physics. Default: the physics of the published results for this id.
 * @param options.collection Whether episodes start, and have their goals, where those of D4RL's data
 * for this id do, instead of where evaluations do.
 * @throws {UserError} If the id is unknown.
 */
export async function makeEnvironment(
  id: string,
  count: number,
  options: { profile?: Profile; collection?: boolean } = {},
): Promise<EnvironmentBatch> {
  const known = environments.get(id);
  if (known === undefined) throw unknownId(id);
  const collecting = options.collection ? collectionTask(id, known.task) : null;
  const profile = options.profile ?? known.profile;
  return await MujocoBatch.create(
    collecting ?? taskOf(id),
    count,
    profile,
    id,
    referenceReturn(id),
  );
}

/**
 * Returns the simulated task of an id as {@linkcode makeEnvironment} takes it.
 *
 * @throws {UserError} If the id is unknown.
 */
export function taskOf(id: string): Task {
  const task = tasks.get(environments.get(id)?.task ?? "");
  if (task === undefined) throw unknownId(id);
  return task;
}

/**
 * Returns an antmaze task with the starts and goals of D4RL's data, which are in its file's name;
 * null for other tasks.
 */
function collectionTask(id: string, task: string): Task | null {
  const made = /_multistart_(True|False)_multigoal_(True|False)_/.exec(
    d4rlTasks.get(id)?.file ?? "",
  );
  if (made === null) return null;
  return antmazeTask(task, { starts: made[1] === "True", goals: made[2] === "True" });
}

/**
 * Returns the function from observations to simulator states of a built-in environment; see
 * {@linkcode Task.stateOf}.
 *
 * @throws {UserError} If the id is unknown.
 */
export function stateReader(id: string): Task["stateOf"] {
  const task = tasks.get(environments.get(id)?.task ?? "");
  if (task === undefined) throw unknownId(id);
  return task.stateOf;
}

function unknownId(id: string): UserError {
  const nearest = environmentIds()
    .map((known) => ({ known, distance: leven(id, known) }))
    .sort((a, b) => a.distance - b.distance)
    .slice(0, 3)
    .map(({ known }) => known);
  return new UserError(
    `no built-in environment is called "${id}"; the nearest are ${nearest.join(", ")}`,
  );
}
