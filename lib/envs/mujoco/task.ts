import type { RandomStream } from "../random.ts";
import type { Robot } from "./robot.ts";
import type { Simulation } from "./simulation.ts";

/** What one step of one environment gives, besides its observation. */
export interface Outcome {
  /** What the step earned. */
  readonly reward: number;
  /** The episode has ended in a terminal state. */
  readonly terminated: boolean;
}

/** An episode under way in one simulation. */
export interface Episode {
  /** Takes one step. `action` holds the task's `actionSize` finite numbers. */
  step(action: Float64Array): Outcome;
  /** Writes the present observation into `into`, which holds the task's `observationSize` numbers. */
  observe(into: Float64Array): void;
}

/** A robot with an aim: what is observed, what is rewarded, where an episode begins and ends. */
export interface Task {
  /** What is simulated. */
  readonly robot: Robot;
  /** MuJoCo's working memory of one simulation, enough for all contacts of the model. */
  readonly memory: string;
  /** Entries of an observation. */
  readonly observationSize: number;
  /** Entries of an action, each from −1 to 1. */
  readonly actionSize: number;
  /** Steps after which an episode is truncated. */
  readonly maxEpisodeSteps: number;
  /** Puts the simulation into a random initial state and starts an episode from there. */
  begin(simulation: Simulation, random: RandomStream): Episode;
}
