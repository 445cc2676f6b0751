/**
 * Checks that contestants compute the same losses from the same weights on the same batch.
 *
 * @module
 */
import type { Contestant } from "./contestant.ts";
import type { StepTask } from "./tasks.ts";

/** Largest accepted relative difference between two losses. */
const tolerance = 1e-4;

/**
 * Compares the losses of `steps` steps with the first contestant's.
 *
 * @returns A sentence that states the largest difference.
 * @throws {Error} The losses differ, so the times would not be comparable.
 */
export async function agreement(
  contestants: readonly Contestant[],
  task: StepTask,
  steps: number,
): Promise<string> {
  const [reference, ...others] = contestants;
  const { losses: expected } = await reference!.ask({ ask: "losses", task, steps });
  let worst = 0;
  for (const contestant of others) {
    const { losses } = await contestant.ask({ ask: "losses", task, steps });
    for (let i = 0; i < Math.max(losses.length, expected.length); i++) {
      const difference = Math.abs(losses[i]! - expected[i]!) / Math.abs(expected[i]!);
      if (!(difference <= tolerance)) {
        throw new Error(
          `${task.step}: ${contestant.name} computes the losses ${losses.join(", ")} where ` +
            `${reference!.name} computes ${expected.join(", ")}`,
        );
      }
      worst = Math.max(worst, difference);
    }
  }
  return `${task.step}: losses of ${steps} steps agree to ${worst.toExponential(0)}`;
}
