/**
 * What a data set in memory is; `dataset.ts` reads one.
 *
 * @module
 */
import type { ActionBounds } from "../nn/host/action_bounds.ts";

/** One file of a data set. */
export interface Source {
  /** As it was given. */
  readonly path: string;
  /** Row of the data set at which its rows begin. */
  readonly firstRow: number;
  /** Task that its metadata name, which `data collect` records; null where they name none. */
  readonly task: string | null;
}

/** N environment steps, row-major. */
export interface OfflineDataset {
  /** The files, in the order in which they were joined. */
  readonly sources: readonly Source[];
  /** Rows N. */
  readonly rows: number;
  /** Entries of an observation. */
  readonly observationSize: number;
  /** Entries of an action. */
  readonly actionSize: number;
  /** `[N, observationSize]`. */
  readonly observations: Float32Array;
  /** `[N, actionSize]`; scaled to [−1, 1] where there are bounds. */
  readonly actions: Float32Array;
  /** Range of the files' actions, which were scaled from it; absent where they are as in the files. */
  readonly actionBounds?: ActionBounds;
  /** `[N]`, as in the file; {@linkcode shapeRewards} gives those that are trained on. */
  readonly rewards: Float32Array;
  /** `[N]`, 1 where the step led to a terminal state. */
  readonly terminals: Float32Array;
  /** `[N]`, 1 where the step was the last of its episode without leading to a terminal state. */
  readonly timeouts: Float32Array;
  /** Whether each file had a field `timeouts`. */
  readonly hasTimeouts: boolean;
  /** `[M]`, ascending: the rows i whose next observation is row i + 1's observation. */
  readonly transitions: Uint32Array;
}
