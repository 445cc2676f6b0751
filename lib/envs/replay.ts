/**
 * Replays recorded steps: puts the simulator into a recorded state, takes the recorded action, and
 * compares the next observation with the recorded one. That shows whether data and physics belong
 * together.
 *
 * @module
 */
import type { EnvironmentBatch } from "./environment.ts";
import type { State } from "./mujoco/task.ts";

/** A recorded step. */
export interface RecordedStep {
  /** State of the simulator before the step. */
  readonly state: State;
  /** `[observationSize]`, before the step. */
  readonly observation: Float64Array;
  /** `[actionSize]`. */
  readonly action: Float64Array;
  /** `[observationSize]`, after the step. */
  readonly next: Float64Array;
}

/** How far recorded next observations are from replayed ones. */
export interface ReplayError {
  /** Largest difference of an entry. */
  readonly largest: number;
  /**
   * Error of each step, ascending: the root mean square over the observation's entries, each
   * divided by the root mean square of its change in a step.
   */
  readonly relative: Float64Array;
}

/**
 * Replays steps in environment 0 of the batch.
 *
 * @throws {UserError} If a state is not finite or of the wrong size, or a simulation diverges.
 */
export async function replay(
  environment: EnvironmentBatch,
  steps: readonly RecordedStep[],
): Promise<ReplayError> {
  const { observationSize } = environment.spec;
  const changes = new Float64Array(observationSize);
  for (const { observation, next } of steps) {
    for (let i = 0; i < observationSize; i++) {
      changes[i]! += (next[i]! - observation[i]!) ** 2 / steps.length;
    }
  }
  const moving = changes.reduce((count, change) => count + (change > 0 ? 1 : 0), 0);
  const relative = new Float64Array(steps.length);
  let largest = 0;
  for (const [place, { state, action, next }] of steps.entries()) {
    await environment.resetTo(state.qpos, state.qvel, [0]);
    const { observations } = await environment.step(action, [0]);
    let sum = 0;
    for (let i = 0; i < observationSize; i++) {
      const difference = observations[i]! - next[i]!;
      largest = Math.max(largest, Math.abs(difference));
      if (changes[i]! > 0) sum += difference ** 2 / changes[i]!;
    }
    relative[place] = Math.sqrt(sum / Math.max(1, moving));
  }
  return { largest, relative: relative.sort() };
}
