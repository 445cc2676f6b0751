/**
 * Evaluates a policy in the calling thread.
 *
 * @module
 */
import type { Policy, RemotePolicy } from "../nn/host/policy.ts";
import { makeEnvironment } from "./registry.ts";
import { type Episode, rollout, type RolloutObserver } from "./rollout.ts";

/** Largest number of environments stepped together. More would only use more memory. */
const batchSize = 32;

/**
 * Plays one episode per seed.
 *
 * @param task Id of a built-in environment, for example `hopper-medium-v2`.
 * @returns The episodes in seed order.
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
