/**
 * Policies and critics as data: names and tensors. They can be made of these without the files of
 * the run, for example in a browser.
 *
 * @module
 */
import { type ActionBounds, scaledPolicy } from "../nn/host/action_bounds.ts";
import { type ActorFile, readActor } from "../nn/host/actor.ts";
import { networkPolicy, type Policy } from "../nn/host/policy.ts";
import type { NamedTensors } from "../nn/host/tensors.ts";
import { findAlgorithm } from "./registry.ts";

/** What a policy is made of: an actor file, or an algorithm's actor with its checkpoints. */
export type PolicyParts = {
  /** An actor file (docs/policies.md). */
  readonly file: ActorFile;
} | {
  /** Name of the algorithm. */
  readonly algorithm: string;
  /** Name of the actor. */
  readonly actor: string;
  /** Tensors by stage. */
  readonly checkpoints: Readonly<Record<string, NamedTensors>>;
  /** Values of all of the actor's options. */
  readonly options: Readonly<Record<string, number>>;
  /** Range to which its actions are scaled; null if they stay within [−1, 1]. */
  readonly bounds: ActionBounds | null;
};

/** What a critic is made of. */
export interface CriticParts {
  /** Name of the algorithm. */
  readonly algorithm: string;
  /** The checkpoint with the critic. */
  readonly checkpoint: NamedTensors;
}

/** The critic's value of a state. */
export interface Critic {
  /** `V(s)`, or `Q(s, a)` of algorithms that learn no V. */
  readonly symbol: "V(s)" | "Q(s, a)";
  /**
   * Returns the value, in units of the rewards that were trained on.
   *
   * @param observation `[observationSize]`.
   * @param action The policy's action there, `[actionSize]`, within [−1, 1].
   */
  value(observation: Float64Array, action: Float64Array): number;
}

/**
 * Makes a policy of a registered algorithm or of an actor file. Its actions are in the
 * environment's range.
 *
 * @throws {UserError} If the algorithm is unknown, or a tensor is missing or invalid.
 */
export function policyFrom(parts: PolicyParts): Policy {
  if ("file" in parts) {
    const { network, normalization, bounds } = readActor(parts.file);
    const policy = networkPolicy(network, normalization);
    return bounds === null ? policy : scaledPolicy(policy, bounds);
  }
  const { actors } = findAlgorithm(parts.algorithm);
  const actor = actors.find(({ name }) => name === parts.actor);
  if (actor === undefined) {
    throw new Error(`policyFrom: ${parts.algorithm} has no actor ${parts.actor}`);
  }
  const policy = actor.act(parts.checkpoints, parts.options);
  return parts.bounds === null ? policy : scaledPolicy(policy, parts.bounds);
}

/**
 * Makes a critic of a registered algorithm.
 *
 * @throws {UserError} If the algorithm is unknown, or a tensor is missing or invalid.
 */
export function criticFrom({ algorithm, checkpoint }: CriticParts): Critic {
  const { value, actionValue } = findAlgorithm(algorithm);
  if (value !== undefined) {
    const v = value.of(checkpoint);
    return {
      symbol: "V(s)",
      value: (observation) => v(Float32Array.from(observation), 1)[0]!,
    };
  }
  if (actionValue === undefined) throw new Error(`criticFrom: ${algorithm} learns no critic`);
  const q = actionValue.of(checkpoint);
  return {
    symbol: "Q(s, a)",
    value: (observation, action) => q(observation, Float32Array.from(action)),
  };
}
