/**
 * Policies that run networks on the CPU.
 *
 * @module
 */
import { flopsOfMlp } from "../flops.ts";
import type { Mlp } from "./mlp.ts";
import type { ObservationNormalization } from "./normalization.ts";

/** Random numbers for stochastic policies. */
export interface Draws {
  /** Draws from the uniform distribution on [low, high). */
  uniform(low: number, high: number): number;
  /** Draws from the standard normal distribution. */
  normal(): number;
}

/** Properties of any policy, wherever it runs. */
export interface PolicyFacts {
  /** Number of entries in an observation. */
  readonly observationSize: number;
  /** Number of entries in an action. */
  readonly actionSize: number;
  /** FLOPs of the matrix products per action; absent for a policy without networks. */
  readonly flops?: number;
}

/** A policy that runs on the CPU and returns actions synchronously. */
export interface Policy extends PolicyFacts {
  /**
   * Returns actions for `rows` observations, one per episode.
   *
   * @param observations `[rows, observationSize]`, row-major.
   * @param random One random stream per row, owned by its episode, for stochastic policies.
   * @returns `[rows, actionSize]`; the next call overwrites it.
   */
  act(observations: Float64Array, random: readonly Draws[]): Float64Array;
}

/** A policy that runs elsewhere, for example on a GPU, and returns actions asynchronously. */
export interface RemotePolicy extends PolicyFacts {
  /**
   * Like {@linkcode Policy.act}, but asynchronous. Calls must not overlap.
   *
   * @returns `[rows, actionSize]`; the next call may overwrite it.
   */
  act(observations: Float64Array, random: readonly Draws[]): Promise<Float64Array>;
}

/**
 * Returns a deterministic policy whose actions are the network's outputs.
 *
 * @param normalization Applied to observations before the network; null for none.
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
