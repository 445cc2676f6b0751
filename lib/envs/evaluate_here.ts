/**
 * Evaluates a policy in the calling thread.
 *
 * @module
 */
import type { Policy, RemotePolicy } from "../nn/host/policy.ts";
import type { EnvironmentBatch } from "./environment.ts";
import { makeEnvironment } from "./registry.ts";
import { type Episode, rollout, type RolloutObserver } from "./rollout.ts";

/** Largest number of environments stepped together. More would only use more memory. */
const batchSize = 32;

/** A running environment server. */
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
  const count = Math.min(batchSize, seeds.length);
  const environment = bridge === undefined
    ? await makeEnvironment(task, count)
    : await connect(bridge, task, policy.actionSize, count);
  try {
    return await rollout(environment, policy, seeds, observer);
  } finally {
    await environment.close();
  }
}

/** Opens environments on a server. The bridge client is imported only when needed. */
async function connect(
  bridge: Bridge,
  task: string,
  actionSize: number,
  count: number,
): Promise<EnvironmentBatch> {
  const { connectTo, mostUndelayed } = await import("./bridge/open.ts");
  const fitting = Math.min(count, mostUndelayed(actionSize));
  return (await connectTo(bridge, bridge.url, task, fitting)).environment;
}
