import { environments } from "./ids.ts";

/** Returns of a random and of an expert policy: D4RL's scores 0 and 100. */
export interface ReferenceReturn {
  /** Return of the random policy, score 0. */
  readonly min: number;
  /** Return of the expert policy, score 100. */
  readonly max: number;
}

/** D4RL's `infos.py`; each version and data set of a task shares its reference. */
const REFERENCES: Readonly<Record<string, ReferenceReturn>> = {
  "hopper": { min: -20.272305, max: 3234.3 },
  "halfcheetah": { min: -280.178953, max: 12135.0 },
  "walker2d": { min: 1.629008, max: 4592.3 },
  "ant": { min: -325.6, max: 3879.7 },
  "ant-v4": { min: -325.6, max: 3879.7 },
  "antmaze-umaze": { min: 0, max: 1 },
  "antmaze-medium": { min: 0, max: 1 },
  "antmaze-large": { min: 0, max: 1 },
  "maze2d-open": { min: 0.01, max: 20.66 },
  "maze2d-umaze": { min: 23.85, max: 161.86 },
  "maze2d-medium": { min: 13.13, max: 277.39 },
  "maze2d-large": { min: 6.7, max: 273.99 },
  "maze2d-open-dense": { min: 11.17817, max: 27.166538620695782 },
  "maze2d-umaze-dense": { min: 68.537689, max: 193.66285642381482 },
  "maze2d-medium-dense": { min: 44.264742, max: 297.4552547777125 },
  "maze2d-large-dense": { min: 30.569041, max: 303.4857382709002 },
};

/** The reference returns of a built-in environment's id; null for an id that is not one. */
export function referenceReturn(id: string): ReferenceReturn | null {
  return REFERENCES[environments.get(id)?.task ?? ""] ?? null;
}

/** D4RL's score of a return: 0 is the random policy, 100 the expert. */
export function normalizedScore(episodeReturn: number, reference: ReferenceReturn): number {
  return 100 * (episodeReturn - reference.min) / (reference.max - reference.min);
}

/** Whether a task's episodes succeed or fail, so that its score is the success rate: antmaze's do. */
export function countsSuccess(id: string): boolean {
  return environments.get(id)?.task.startsWith("antmaze-") ?? false;
}
