/**
 * What acts in an environment: networks on the processor, as policies.
 *
 * @module
 */
import type { Mlp } from "./mlp.ts";
import type { ObservationNormalization } from "./normalization.ts";

/** Random numbers that a policy may draw from. */
export interface Draws {
  /** A number from the uniform distribution on [low, high). */
  uniform(low: number, high: number): number;
  /** A number from the standard normal distribution. */
  normal(): number;
}

/** Something that chooses actions. */
export interface Policy {
  /** Entries of the observations that it takes. */
  readonly observationSize: number;
  /** Entries of the actions that it gives. */
  readonly actionSize: number;
  /**
   * Actions for `rows` observations, one of each of as many episodes.
   *
   * @param observations `[rows, observationSize]`, row-major.
   * @param random For each row its episode's own stream, for policies that draw.
   * @returns `[rows, actionSize]`; the next call overwrites it.
   */
  act(observations: Float64Array, random: readonly Draws[]): Float64Array;
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
