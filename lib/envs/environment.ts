/**
 * What every environment is to the rest of the program, whether MuJoCo's WebAssembly build runs it in
 * this process or a server answers over the bridge: a batch of environments of one kind, stepped in
 * lockstep, without auto-reset (a finished environment waits, so short episodes do not bias a mean).
 *
 * @module
 */

/** One kind of environment: its spaces, its step limit and the returns its score is measured by. */
export interface EnvironmentSpec {
  /** Environment id, for example `hopper`, `maze2d-umaze-v1` or `Hopper-v4`. */
  readonly id: string;
  /** Entries of one observation. */
  readonly observationSize: number;
  /** Entries of one action. */
  readonly actionSize: number;
  /** Lower bounds of the actions, one entry per action dimension; -Infinity where there is none. */
  readonly actionLow: readonly number[];
  /** Upper bounds of the actions, likewise. */
  readonly actionHigh: readonly number[];
  /** Steps after which an episode is truncated; null when there is no limit. */
  readonly maxEpisodeSteps: number | null;
  /** Returns of D4RL's random and expert policies (scores 0 and 100); null where there are none. */
  readonly referenceReturn: { readonly min: number; readonly max: number } | null;
  /** Versions of what computes it, for example `{ mujoco: "3.14.0", profile: "mjpy" }`. */
  readonly versions: Readonly<Record<string, string>>;
}

/** What one step of a batch of N environments gives. */
export interface BatchStep {
  /** `[N, observationSize]`, row-major. */
  readonly observations: Float64Array;
  /** `[N]`. */
  readonly rewards: Float64Array;
  /** `[N]`, 1 where the episode ended in a terminal state. */
  readonly terminated: Uint8Array;
  /** `[N]`, 1 where the step limit ended the episode. */
  readonly truncated: Uint8Array;
}

/** N environments of one kind. */
export interface EnvironmentBatch {
  /** Their kind. */
  readonly spec: EnvironmentSpec;
  /** N. */
  readonly count: number;

  /**
   * Starts a new episode in each environment of `indices` (all when absent).
   *
   * @param seeds One seed per reset environment: the same seed gives the same episode, bit for bit.
   * @returns Observations `[indices.length, observationSize]`.
   */
  reset(seeds: readonly number[], indices?: readonly number[]): Promise<Float64Array>;

  /**
   * Starts a new episode in each environment of `indices` (all when absent) from a given simulator
   * state, as `reset` does from a drawn one: the step count begins at zero. Whatever else a reset
   * draws (a goal, say) is not specified.
   *
   * @param qpos `[indices.length, positions]`, row-major, with the sizes that `state` gives.
   * @param qvel `[indices.length, velocities]`, row-major.
   * @returns Observations `[indices.length, observationSize]`; null where the environment has no state.
   */
  resetTo(
    qpos: Float64Array,
    qvel: Float64Array,
    indices?: readonly number[],
  ): Promise<Float64Array | null>;

  /**
   * Steps the environments of `indices` (all when absent) once. A finished environment waits for its
   * next reset: stepping it before that is refused.
   *
   * @param actions `[indices.length, actionSize]`, row-major, finite.
   */
  step(actions: Float64Array, indices?: readonly number[]): Promise<BatchStep>;

  /**
   * Simulator states `qpos` then `qvel` of the environments of `indices` (all when absent), row-major,
   * for recording; null where the environment has none. Known from the start, before any reset.
   */
  state(indices?: readonly number[]): Promise<{ qpos: Float64Array; qvel: Float64Array } | null>;

  /** Gives back what the environments hold; they are of no use afterwards. */
  close(): Promise<void>;
}
