import type { RandomStream } from "../random.ts";
import type { Robot } from "./robot.ts";
import type { Simulation } from "./simulation.ts";

/** Result of one step of one environment, without the observation. */
export interface Outcome {
  /** Reward of the step. */
  readonly reward: number;
  /** Whether the episode ended in a terminal state. */
  readonly terminated: boolean;
}

/** An episode running in one simulation. */
export interface Episode {
  /** Goal `[x, y]` that the reset drew; absent in tasks whose goal is fixed or that have none. */
  readonly goal?: readonly [x: number, y: number];
  /** Takes one step. `action` has `actionSize` finite entries. */
  step(action: Float64Array): Outcome;
  /** Writes the current observation into `into`, which has `observationSize` entries. */
  observe(into: Float64Array): void;
}

/** Positions and velocities that determine how a simulation goes on. */
export interface State {
  /** `[nq]`. */
  readonly qpos: Float64Array;
  /** `[nv]`. */
  readonly qvel: Float64Array;
}

/** A robot with its observation, reward, initial states and termination. */
export interface Task {
  /** The simulated robot. */
  readonly robot: Robot;
  /** MuJoCo's working memory per simulation, enough for all contacts of the model. */
  readonly memory: string;
  /** Number of entries in an observation. */
  readonly observationSize: number;
  /** Number of entries in an action, each in [−1, 1]. */
  readonly actionSize: number;
  /** Number of steps after which an episode is truncated. */
  readonly maxEpisodeSteps: number;
  /** Puts the simulation into a random initial state and starts an episode from there. */
  begin(simulation: Simulation, random: RandomStream): Episode;
  /**
   * Returns a state with this observation from which the next observations are the same as from the
   * true state, or null if the observation does not determine them.
   */
  stateOf(observation: Float64Array): State | null;
}
