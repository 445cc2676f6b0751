/**
 * FLOPs of networks: the additions and multiplications of their matrix products, two per weight and
 * row. Biases, activations and normalizations are not counted; they add a few percent.
 *
 * @module
 */
import type { BehaviorShape } from "./behavior_model.ts";

/**
 * Returns the FLOPs of a multilayer perceptron for one row.
 *
 * @param sizes Number of entries in the input and in each layer's output.
 */
export function flopsOfMlp(sizes: readonly number[]): number {
  return sizes.slice(1).reduce((total, outputs, layer) => total + 2 * sizes[layer]! * outputs, 0);
}

/**
 * Returns the FLOPs of a behavior model: `time` to embed one time, and `row` to predict the noise
 * in one row with an embedded time.
 */
export function flopsOfBehaviorModel(shape: BehaviorShape): { time: number; row: number } {
  const { actionSize, observationSize, width, blocks, frequencies, embedding } = shape;
  return {
    time: flopsOfMlp([2 * frequencies, embedding, embedding]),
    row: flopsOfMlp([actionSize + observationSize + embedding, width]) +
      blocks * flopsOfMlp([width, 4 * width, width]) +
      flopsOfMlp([width, actionSize]),
  };
}

/** An actor that selects the best of several samples of a diffusion model. */
export interface CandidateChoice {
  /** FLOPs of the model. */
  readonly model: { readonly time: number; readonly row: number };
  /** FLOPs of one Q-network for one row. */
  readonly q: number;
  /** Number of Q-networks. */
  readonly heads: number;
  /** Number of candidates per action. */
  readonly candidates: number;
  /** Number of noise predictions per candidate. */
  readonly steps: number;
}

/** Returns the FLOPs of one action. Each time is embedded once for all candidates. */
export function flopsOfCandidates(choice: CandidateChoice): number {
  const { model, q, heads, candidates, steps } = choice;
  return steps * (model.time + candidates * model.row) + candidates * heads * q;
}
