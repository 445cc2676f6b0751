/**
 * The policies of a finished run, on their devices, and what their actions cost.
 *
 * @module
 */
import { actionLatency } from "../envs/latency.ts";
import type { Policy, RemotePolicy } from "../nn/host/policy.ts";
import type { Placement } from "../nn/placement.ts";
import { type ReplicaAxes, replicasOf } from "../runs/replicas.ts";
import { openTrained } from "../runs/trained.ts";

/** What an action costs, by actor. */
export interface ActionCosts {
  /** Milliseconds on this machine. */
  readonly milliseconds: Readonly<Record<string, number>>;
  /** Null where the policy does not count its FLOPs. */
  readonly flops: Readonly<Record<string, number | null>>;
}

/** Returns the policies of the first seed and variant, by actor. */
export async function policiesOf(
  axes: ReplicaAxes,
  placement: Placement,
): Promise<Map<string, Policy | RemotePolicy>> {
  const last = axes.algorithm.stages.at(-1)!;
  const trained = openTrained(replicasOf(axes, last)[0]!.directory.path);
  const policies = new Map<string, Policy | RemotePolicy>();
  for (const way of trained.ways) {
    policies.set(way, (await placement.place(trained.load(way))).policy);
  }
  return policies;
}

/** Measures what an action of each policy costs. */
export async function costsOf(
  policies: ReadonlyMap<string, Policy | RemotePolicy>,
): Promise<ActionCosts> {
  const milliseconds: Record<string, number> = {};
  const flops: Record<string, number | null> = {};
  for (const [way, policy] of policies) {
    milliseconds[way] = await actionLatency(policy);
    flops[way] = policy.flops ?? null;
  }
  return { milliseconds, flops };
}
