import { tasks } from "../data/catalog.ts";
import { environments } from "./ids.ts";

/** Returns of a random and of an expert policy: D4RL's scores 0 and 100. */
export interface ReferenceReturn {
  /** Return of the random policy, score 0. */
  readonly min: number;
  /** Return of the expert policy, score 100. */
  readonly max: number;
}

/**
 * By simulated task: the data catalogue's, of any of the task's data sets. gym's `-v4` ant is the same
 * robot with less to see.
 */
const references: ReadonlyMap<string, ReferenceReturn> = new Map(
  [...environments].flatMap(([id, { task }]) => {
    const reference = tasks.get(id)?.referenceReturn;
    return reference === undefined ? [] : [[task, reference], [`${task}-v4`, reference]];
  }),
);

/** The reference returns of a built-in environment's id; null for an id that is not one. */
export function referenceReturn(id: string): ReferenceReturn | null {
  return references.get(environments.get(id)?.task ?? "") ?? null;
}

/** D4RL's score of a return: 0 is the random policy, 100 the expert. */
export function normalizedScore(episodeReturn: number, reference: ReferenceReturn): number {
  return 100 * (episodeReturn - reference.min) / (reference.max - reference.min);
}

/** Whether a task's episodes succeed or fail, so that its score is the success rate: antmaze's do. */
export function countsSuccess(id: string): boolean {
  return environments.get(id)?.task.startsWith("antmaze-") ?? false;
}
