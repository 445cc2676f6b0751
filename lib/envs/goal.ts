/**
 * Detects whether an episode reaches the goal of its maze.
 *
 * @module
 */
import { environments } from "./ids.ts";
import { goalRadius, mazes } from "./mazes.ts";

/** Returns whether the robot is at the goal, given the observation after a step and its reward. */
export type AtGoal = (observation: Float64Array, reward: number) => boolean;

/**
 * Returns the goal test of an environment, or null if it has no goal. In maze2d the goal is fixed
 * and the observation begins with the position. Antmaze does not observe its goal, so its reward is
 * used; no episode starts at the goal.
 *
 * @param id Id of a built-in environment.
 */
export function goalOf(id: string): AtGoal | null {
  const task = environments.get(id)?.task;
  if (task?.startsWith("antmaze-")) return (_, reward) => reward > 0;
  const maze = mazes.get(task?.replace(/-dense$/, "") ?? "");
  if (maze === undefined) return null;
  const [x, y] = maze.point(maze.goal);
  return (observation) => Math.hypot(observation[0]! - x, observation[1]! - y) <= goalRadius;
}

/**
 * Tracks one episode. Reaching the goal means entering it from outside; a start inside does not
 * count.
 */
export class GoalWatch {
  readonly #atGoal: AtGoal;
  #outside: boolean;
  #reached = false;

  /** Starts with the observation returned by the reset. */
  constructor(atGoal: AtGoal, start: Float64Array) {
    this.#atGoal = atGoal;
    this.#outside = !atGoal(start, 0);
  }

  /** Records a step. */
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
