import { tasks } from "../data/catalog.ts";
import { environments } from "./ids.ts";

/** Returns of a random and an expert policy, which define D4RL's scores 0 and 100. */
export interface ReferenceReturn {
  /** Return of the random policy (score 0). */
  readonly min: number;
  /** Return of the expert policy (score 100). */
  readonly max: number;
}

/**
 * Reference returns by simulated task, taken from the data catalog (all data sets of a task share
 * them). gym's `-v4` ant is the same robot with a shorter observation, so it uses the same returns.
 */
const references: ReadonlyMap<string, ReferenceReturn> = new Map(
  [...environments].flatMap(([id, { task }]) => {
    const reference = tasks.get(id)?.referenceReturn;
    return reference === undefined ? [] : [[task, reference], [`${task}-v4`, reference]];
  }),
);

/** Returns the reference returns of a built-in environment, or null for another id. */
export function referenceReturn(id: string): ReferenceReturn | null {
  return references.get(environments.get(id)?.task ?? "") ?? null;
}

/** Returns D4RL's normalized score: 0 for the random policy, 100 for the expert. */
export function normalizedScore(episodeReturn: number, reference: ReferenceReturn): number {
  return 100 * (episodeReturn - reference.min) / (reference.max - reference.min);
}

/** Returns whether a task's score is its success rate, as in antmaze. */
export function countsSuccess(id: string): boolean {
  return environments.get(id)?.task.startsWith("antmaze-") ?? false;
}
