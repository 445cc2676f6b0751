/**
 * What networks cost: additions and multiplications of their matrix products, two for each weight and
 * row. Biases, activations and normalisations are left out; they come to a few per cent.
 *
 * @module
 */
import type { BehaviorShape } from "./behavior_model.ts";

/**
 * FLOPs of a perceptron for one row.
 *
 * @param sizes Entries of its input and of each layer's output.
 */
export function flopsOfMlp(sizes: readonly number[]): number {
  return sizes.slice(1).reduce((total, outputs, layer) => total + 2 * sizes[layer]! * outputs, 0);
}

/**
 * FLOPs of a behavior model: of embedding one time, and of predicting the noise in one row with its time
 * embedded.
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

/** An actor that takes the best of several samples of a diffusion model. */
export interface CandidateChoice {
  /** FLOPs of the model. */
  readonly model: { readonly time: number; readonly row: number };
  /** FLOPs of one Q-network for one row. */
  readonly q: number;
  /** Q-networks. */
  readonly heads: number;
  /** Candidates for each action. */
  readonly candidates: number;
  /** Noise predictions for each candidate. */
  readonly steps: number;
}

/** FLOPs of one action; each time is embedded once for all candidates. */
export function flopsOfCandidates(choice: CandidateChoice): number {
  const { model, q, heads, candidates, steps } = choice;
  return steps * (model.time + candidates * model.row) + candidates * heads * q;
}
