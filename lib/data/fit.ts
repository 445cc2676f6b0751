/**
 * Checks whether a data set fits a task: its sizes, and the task that its files name.
 *
 * Action bounds need no check here. The actions of every task in the catalog range from −1 to 1,
 * and {@linkcode valueProblems} rejects actions outside that range.
 *
 * @module
 */
import { UserError } from "../errors.ts";
import { type Task, tasks } from "./catalog.ts";
import type { OfflineDataset } from "./dataset.ts";

/** The parts of a data set that are compared with the task. */
export type DatasetShape = Pick<OfflineDataset, "sources" | "observationSize" | "actionSize">;

/**
 * Compares the observation and action sizes of `data` with those of `task`.
 *
 * @returns A sentence if they differ; null if they agree or the task's sizes are unknown.
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
    `observation and ${actionSize} action entries, but ${task.name} needs ${observations} and ` +
    `${actions}. ` +
    (fitting.length === 0
      ? "No D4RL task has the data's sizes"
      : `With --task, choose a task with the data's sizes: ${
        fitting.map(({ name }) => name).join(", ")
      }`);
}

/**
 * Rejects data that do not fit `task`.
 *
 * @throws {UserError} If {@linkcode sizeProblem} finds a problem.
 */
export function checkFit(data: DatasetShape, task: Task): void {
  const problem = sizeProblem(data, task);
  if (problem !== null) throw new UserError(problem);
}

/**
 * Returns a sentence for each file that was collected for a task other than `task`. Such files may
 * be used, but their rewards and dynamics are those of the other task.
 */
export function taskNotes({ sources }: Pick<DatasetShape, "sources">, task: Task): string[] {
  return sources.flatMap(({ path, task: recorded }) =>
    recorded === null || recorded === task.name
      ? []
      : [`${path} was collected in ${recorded} but is used as data of ${task.name}`]
  );
}
