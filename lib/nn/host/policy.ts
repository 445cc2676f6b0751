/**
 * What acts in an environment: networks on the processor, as policies.
 *
 * @module
 */
import { flopsOfMlp } from "../flops.ts";
import type { Mlp } from "./mlp.ts";
import type { ObservationNormalization } from "./normalization.ts";

/** Random numbers that a policy may draw from. */
export interface Draws {
  /** A number from the uniform distribution on [low, high). */
  uniform(low: number, high: number): number;
  /** A number from the standard normal distribution. */
  normal(): number;
}

/** What is known of everything that chooses actions. */
export interface PolicyFacts {
  /** Entries of the observations that it takes. */
  readonly observationSize: number;
  /** Entries of the actions that it gives. */
  readonly actionSize: number;
  /** Additions and multiplications of the matrix products behind one action; absent without networks. */
  readonly flops?: number;
}

/** Something that chooses actions on the processor. */
export interface Policy extends PolicyFacts {
  /**
   * Actions for `rows` observations, one of each of as many episodes.
   *
   * @param observations `[rows, observationSize]`, row-major.
   * @param random For each row its episode's own stream, for policies that draw.
   * @returns `[rows, actionSize]`; the next call overwrites it.
   */
  act(observations: Float64Array, random: readonly Draws[]): Float64Array;
}

/** Something that chooses actions elsewhere, on a GPU for example: the same, after a while. */
export interface RemotePolicy extends PolicyFacts {
  /**
   * As {@linkcode Policy.act}. Calls may not overlap.
   *
   * @returns `[rows, actionSize]`; the next call may overwrite it.
   */
  act(observations: Float64Array, random: readonly Draws[]): Promise<Float64Array>;
}

/**
 * The policy whose actions are a network's outputs.
 *
 * @param normalization What observations go through before the network; null for nothing.
 */
export function networkPolicy(
  network: Mlp,
  normalization: ObservationNormalization | null = null,
): Policy {
  const { inputs, outputs } = network;
  let input = new Float32Array();
  let actions = new Float64Array();
  return {
    observationSize: inputs,
    actionSize: outputs,
    flops: flopsOfMlp(network.sizes),
    act(observations) {
      const rows = observations.length / inputs;
      if (actions.length !== rows * outputs) {
        input = new Float32Array(rows * inputs);
        actions = new Float64Array(rows * outputs);
      }
      if (normalization === null) input.set(observations);
      else normalization.apply(observations, input);
      const output = network.forward(input, rows);
      for (let i = 0; i < actions.length; i++) actions[i] = output[i]!;
      return actions;
    },
  };
}
