/**
 * Whether an episode reaches the goal of its maze.
 *
 * @module
 */
import { environments } from "./ids.ts";
import { mazes } from "./mazes.ts";

/** Distance from the goal within which maze2d's sparse reward is paid. */
export const maze2dGoalRadius = 0.5;

/** Whether the robot is at the goal, by what a step gave: the observation after it, and its reward. */
export type AtGoal = (observation: Float64Array, reward: number) => boolean;

/**
 * How to tell that an episode of an environment is at the goal; null where there is none. In maze2d the
 * goal stands still, and the observation begins with the position. Antmaze does not show its goal, but
 * pays for it, and no episode starts there.
 *
 * @param id A built-in environment's id.
 */
export function goalOf(id: string): AtGoal | null {
  const task = environments.get(id)?.task;
  if (task?.startsWith("antmaze-")) return (_, reward) => reward > 0;
  const maze = mazes.get(task?.replace(/-dense$/, "") ?? "");
  if (maze === undefined) return null;
  const [x, y] = maze.point(maze.goal);
  return (observation) => Math.hypot(observation[0]! - x, observation[1]! - y) <= maze2dGoalRadius;
}

/** Follows one episode: it reaches the goal where it comes to it from outside. */
export class GoalWatch {
  readonly #atGoal: AtGoal;
  #outside: boolean;
  #reached = false;

  /** Starts with the observation that the reset gave. */
  constructor(atGoal: AtGoal, start: Float64Array) {
    this.#atGoal = atGoal;
    this.#outside = !atGoal(start, 0);
  }

  /** Takes in a step. */
  step(observation: Float64Array, reward: number): void {
    const outside = !this.#atGoal(observation, reward);
    if (this.#outside && !outside) this.#reached = true;
    this.#outside = outside;
  }

  /** Whether the goal has been reached. */
  get reached(): boolean {
    return this.#reached;
  }
}
