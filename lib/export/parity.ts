/**
 * Parity vectors: observations with the actions that this program computes for them. Every exported
 * file contains some, so that its user can check the export where it runs.
 *
 * @module
 */
import { normal } from "../autodiff/random.ts";
import { scaledPolicy } from "../nn/host/action_bounds.ts";
import type { Actor } from "../nn/host/actor.ts";
import { networkPolicy, type Policy } from "../nn/host/policy.ts";

/** Observations and the actions for them. */
export interface ParityVectors {
  /** `[rows][inputs]`, in single precision. */
  readonly observations: readonly Float32Array[];
  /** `[rows][outputs]`, scaled to the actor's bounds. */
  readonly actions: readonly Float64Array[];
}

/** Largest difference of an action that counts as equal, for actions within [−1, 1]. */
export const parityTolerance = 1e-5;

/** Random stream of the observations. Nothing else draws from it with the seed 0. */
const stream = 2 ** 31;

/** Returns the policy that an export computes: the actor, scaled to its bounds. */
export function policyOf({ network, normalization, bounds }: Actor): Policy {
  const policy = networkPolicy(network, normalization);
  return bounds === null ? policy : scaledPolicy(policy, bounds);
}

/**
 * Returns observations drawn from the standard normal distribution, or from the normal distribution
 * with the actor's observation statistics, and the policy's actions for them.
 */
export function parityVectors(actor: Actor, rows: number): ParityVectors {
  const { normalization, network: { inputs } } = actor;
  const policy = policyOf(actor);
  const drawn = normal(0, stream, 0, rows * inputs);
  const observations = Array.from(
    { length: rows },
    (_, row) =>
      Float32Array.from({ length: inputs }, (_, i) => {
        const value = drawn[row * inputs + i]!;
        return normalization === null
          ? value
          : normalization.mean[i]! + normalization.scale[i]! * value;
      }),
  );
  return {
    observations,
    actions: observations.map((each) => policy.act(Float64Array.from(each), []).slice()),
  };
}
