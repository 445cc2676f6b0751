/**
 * The type of a data set in memory. `dataset.ts` reads one from files.
 *
 * @module
 */
import type { ActionBounds } from "../nn/host/action_bounds.ts";

/** One file of a data set. */
export interface Source {
  /** Path as given. */
  readonly path: string;
  /** Row of the data set at which the file's rows begin. */
  readonly firstRow: number;
  /** Task in the file's metadata, as recorded by `data collect`; null if there is none. */
  readonly task: string | null;
}

/** N environment steps, row-major. */
export interface OfflineDataset {
  /** The files, in the order of concatenation. */
  readonly sources: readonly Source[];
  /** Number of rows, N. */
  readonly rows: number;
  /** Number of entries in an observation. */
  readonly observationSize: number;
  /** Number of entries in an action. */
  readonly actionSize: number;
  /** `[N, observationSize]`. */
  readonly observations: Float32Array;
  /** `[N, actionSize]`; scaled to [−1, 1] if `actionBounds` is present. */
  readonly actions: Float32Array;
  /** Range of the actions in the files; absent if the actions were not scaled. */
  readonly actionBounds?: ActionBounds;
  /** `[N]`, as in the file. {@linkcode shapeRewards} returns the rewards to train on. */
  readonly rewards: Float32Array;
  /** `[N]`, 1 where the step led to a terminal state. */
  readonly terminals: Float32Array;
  /** `[N]`, 1 where the step ended its episode without leading to a terminal state. */
  readonly timeouts: Float32Array;
  /** Whether every file had a field `timeouts`. */
  readonly hasTimeouts: boolean;
  /** The step limit that stands for timeouts in files without them; absent for none. */
  readonly maxEpisodeSteps?: number;
  /** `[M]`, ascending: the rows i whose next observation is the observation of row i + 1. */
  readonly transitions: Uint32Array;
}
