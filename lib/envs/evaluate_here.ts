/**
 * Evaluates a policy in the calling thread.
 *
 * @module
 */
import type { Policy, RemotePolicy } from "../nn/host/policy.ts";
import { connectTo, mostUndelayed } from "./bridge/open.ts";
import { makeEnvironment } from "./registry.ts";
import { type Episode, rollout, type RolloutObserver } from "./rollout.ts";

/** Largest number of environments stepped together. More would only use more memory. */
const batchSize = 32;

/** A server that runs. */
export interface Bridge {
  /** `python`, or another. */
  readonly server: string;
  /** Its address, token included. */
  readonly url: string;
}

/**
 * Plays one episode per seed.
 *
 * @param task Id of an environment: built in, for example `hopper-medium-v2`, or the bridge's.
 * @param bridge The server that has the environment; absent for built-in ones, in this process.
 * @returns The episodes in seed order.
 * @throws {UserError} The task is unknown or the policy does not fit it.
 */
export async function evaluateHere(
  policy: Policy | RemotePolicy,
  task: string,
  seeds: readonly number[],
  observer: RolloutObserver = {},
  bridge?: Bridge,
): Promise<Episode[]> {
  const environment = bridge === undefined
    ? await makeEnvironment(task, Math.min(batchSize, seeds.length))
    : (await connectTo(
      bridge,
      bridge.url,
      task,
      Math.min(batchSize, mostUndelayed(policy.actionSize), seeds.length),
    )).environment;
  try {
    return await rollout(environment, policy, seeds, observer);
  } finally {
    await environment.close();
  }
}
