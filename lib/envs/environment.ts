/**
 * The environment interface, implemented by MuJoCo's WebAssembly build in this process and by the
 * bridge client. It is a batch of environments of one kind, stepped in lockstep. There is no
 * auto-reset: a finished environment waits, so that short episodes do not bias a mean.
 *
 * @module
 */

/** Describes an environment: its spaces, its step limit and its reference returns. */
export interface EnvironmentSpec {
  /** Environment id, for example `hopper`, `maze2d-umaze-v1` or `Hopper-v4`. */
  readonly id: string;
  /** Number of entries in one observation. */
  readonly observationSize: number;
  /** Number of entries in one action. */
  readonly actionSize: number;
  /** Lower bound of each action entry; -Infinity if unbounded. */
  readonly actionLow: readonly number[];
  /** Upper bound of each action entry; Infinity if unbounded. */
  readonly actionHigh: readonly number[];
  /** Number of steps after which an episode is truncated; null if there is no limit. */
  readonly maxEpisodeSteps: number | null;
  /** Returns of D4RL's random and expert policies (scores 0 and 100); null if none are known. */
  readonly referenceReturn: { readonly min: number; readonly max: number } | null;
  /** Versions of the simulator, for example `{ mujoco: "3.14.0", profile: "mjpy" }`. */
  readonly versions: Readonly<Record<string, string>>;
}

/** Result of one step of a batch of N environments. */
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

/** State of the simulator of N environments, row-major. */
export interface SimulatorState {
  /** `[N, positions]`. */
  readonly qpos: Float64Array;
  /** `[N, velocities]`. */
  readonly qvel: Float64Array;
  /** `[N, 2]`: the goals that the last resets drew; absent if there are none. */
  readonly goal?: Float64Array;
}

/** N environments of one kind. */
export interface EnvironmentBatch {
  /** Description shared by all environments of the batch. */
  readonly spec: EnvironmentSpec;
  /** Number of environments, N. */
  readonly count: number;

  /**
   * Starts a new episode in each environment of `indices` (defaults to all).
   *
   * @param seeds One seed per reset environment. The same seed gives a bit-identical episode.
   * @returns Observations `[indices.length, observationSize]`.
   */
  reset(seeds: readonly number[], indices?: readonly number[]): Promise<Float64Array>;

  /**
   * Starts a new episode in each environment of `indices` (defaults to all) from a given simulator
   * state instead of a random one. The step count restarts at zero. Anything else that a reset
   * draws (for example a goal) is unspecified.
   *
   * @param qpos `[indices.length, positions]`, row-major, with the sizes returned by `state`.
   * @param qvel `[indices.length, velocities]`, row-major.
   * @returns Observations `[indices.length, observationSize]`; null if the environment has no
   * state.
   */
  resetTo(
    qpos: Float64Array,
    qvel: Float64Array,
    indices?: readonly number[],
  ): Promise<Float64Array | null>;

  /**
   * Steps the environments of `indices` (defaults to all) once. A finished environment rejects
   * steps until its next reset.
   *
   * @param actions `[indices.length, actionSize]`, row-major, finite.
   */
  step(actions: Float64Array, indices?: readonly number[]): Promise<BatchStep>;

  /**
   * Returns the simulator state of the environments of `indices` (defaults to all), or null if the
   * environment exposes none. Available before the first reset.
   */
  state(indices?: readonly number[]): Promise<SimulatorState | null>;

  /** Releases the environments' resources. The batch cannot be used afterwards. */
  close(): Promise<void>;
}
