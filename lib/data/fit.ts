/**
 * Whether a data set can be data of a task: its sizes, and the task that its files name.
 *
 * Bounds need no comparison here: the actions of every task in the catalogue range from −1 to 1, and
 * actions outside are refused with the other values ({@linkcode valueProblems}).
 *
 * @module
 */
import { UserError } from "../errors.ts";
import { type Task, tasks } from "./catalog.ts";
import type { OfflineDataset } from "./dataset.ts";

/** What is compared with the task. */
export type DatasetShape = Pick<OfflineDataset, "sources" | "observationSize" | "actionSize">;

/**
 * Says why `data` cannot be data of `task`: a row has another number of observation or action entries.
 *
 * @returns Null where the sizes agree, or where the task's are not known.
 */
export function sizeProblem(data: DatasetShape, task: Task): string | null {
  if (task.sizes === null) return null;
  const { observationSize, actionSize } = data;
  const { observations, actions } = task.sizes;
  if (observationSize === observations && actionSize === actions) return null;
  const fitting = [...tasks.values()].filter(({ sizes }) =>
    sizes?.observations === observationSize && sizes.actions === actionSize
  );
  return `${data.sources.map(({ path }) => path).join(", ")}: each row has ${observationSize} ` +
    `observation and ${actionSize} action entries; ${task.name} needs ${observations} and ` +
    `${actions}. ` +
    (fitting.length === 0
      ? "No D4RL task has the data's sizes"
      : `With --task, name a task that has the data's sizes: ${
        fitting.map(({ name }) => name).join(", ")
      }`);
}

/**
 * Refuses data that cannot be data of `task`.
 *
 * @throws {UserError} With the sentence of {@linkcode sizeProblem}.
 */
export function checkFit(data: DatasetShape, task: Task): void {
  const problem = sizeProblem(data, task);
  if (problem !== null) throw new UserError(problem);
}

/**
 * Says which files were collected for another task than `task`, a sentence each. They may be used
 * all the same: rewards and dynamics are then the other task's.
 */
export function taskNotes({ sources }: Pick<DatasetShape, "sources">, task: Task): string[] {
  return sources.flatMap(({ path, task: recorded }) =>
    recorded === null || recorded === task.name
      ? []
      : [`${path} was collected in ${recorded}; it is used as data of ${task.name}`]
  );
}
