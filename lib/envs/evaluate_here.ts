/**
 * Evaluates a policy in the thread that asks.
 *
 * @module
 */
import type { Policy, RemotePolicy } from "../nn/host/policy.ts";
import { makeEnvironment } from "./registry.ts";
import { type Episode, rollout, type RolloutObserver } from "./rollout.ts";

/** Environments that are stepped together; more would only take more memory. */
const batchSize = 32;

/**
 * Plays one episode for each seed.
 *
 * @param task A built-in environment's id, for example `hopper-medium-v2`.
 * @returns The episodes in the order of the seeds.
 * @throws {UserError} The task is unknown or the policy does not fit it.
 */
export async function evaluateHere(
  policy: Policy | RemotePolicy,
  task: string,
  seeds: readonly number[],
  observer: RolloutObserver = {},
): Promise<Episode[]> {
  const environment = await makeEnvironment(task, Math.min(batchSize, seeds.length));
  try {
    return await rollout(environment, policy, seeds, observer);
  } finally {
    await environment.close();
  }
}
