/**
 * Stage 2 of Algorithm 1, the diffusion behavior model (Section 4.1). It learns to predict the
 * noise in noised actions of the data, which gives the score of the behavior policy at every
 * diffusion time.
 *
 *     in every step, for a minibatch (s, a), times t ~ U(0.001, 1) and noise ε ~ N(0, I):
 *       a_t ← α_t a + σ_t ε
 *       ε̂ ← AdamW step on mean |ε̂(a_t | s, t) − ε|²                               (Eq. 13)
 *
 * @module
 */
import type { Graph } from "../../autodiff/graph.ts";
import { fourierFeatures, type Times } from "../../autodiff/ops/fourier_features.ts";
import { type Noise, noising } from "../../autodiff/ops/noising.ts";
import type { Dropout } from "../../autodiff/ops/dropout.ts";
import { diffusionLoss } from "../../autodiff/ops/squared_error.ts";
import { ParameterSet } from "../../autodiff/parameters.ts";
import type { Tensor } from "../../autodiff/tensor.ts";
import {
  behaviorModel,
  type BehaviorShape,
  behaviorShapes,
  frequencyShapes,
} from "../../nn/behavior_model.ts";
import { frequencyValues, numbered } from "../../nn/initialization.ts";
import { constant, cosine, minimize } from "../../optim/adam.ts";
import type { Stage } from "../algorithm.ts";
import type { Hyperparameters } from "./hyperparameters.ts";

/** A minibatch of state-action pairs with diffusion times and noise, each tensor `[R, rows, ·]`. */
export interface BehaviorBatch {
  /** s */
  readonly state: Tensor;
  /** a */
  readonly action: Tensor;
  /** t, by default ~ U(0.001, 1) */
  readonly times: Times;
  /** ε ~ N(0, I) */
  readonly noise: Noise;
  /** Dropout of each residual block. */
  readonly dropout?: (block: number) => Dropout;
}

/** Returns the network's shape for these hyperparameters. */
export function behaviorShapeOf(
  sizes: { readonly observationSize: number; readonly actionSize: number },
  h: Hyperparameters,
): BehaviorShape {
  return {
    ...sizes,
    width: h.behaviorWidth,
    blocks: h.behaviorBlocks,
    frequencies: h.fourierFrequencies,
    embedding: h.embeddingWidth,
  };
}

/** Describes one step of the behavior stage. */
export function behavior(graph: Graph, batch: BehaviorBatch, h: Hyperparameters): Stage {
  const { state, action, times, noise, dropout } = batch;
  const shape = behaviorShapeOf(
    { observationSize: state.columns, actionSize: action.columns },
    h,
  );
  const trained = new ParameterSet(graph, behaviorShapes(shape), graph.replicas);
  const frequencies = new ParameterSet(graph, frequencyShapes(shape), graph.replicas);

  // Eq. 13: a_t = α_t a + σ_t ε, and ε̂(a_t | s, t) predicts ε.
  const { t, features } = fourierFeatures(graph, times, frequencies.get("embed.0.W"));
  const { xt, z } = noising(graph, action, t, noise);
  const noiseHat = behaviorModel(graph, trained, { action: xt, state, features }, dropout);
  const loss = diffusionLoss(graph, "loss", noiseHat, z);
  const optimizer = minimize(graph, loss, trained, {
    learningRate: h.behaviorSchedule === "cosine"
      ? cosine(h.behaviorLearningRate, h.behaviorSteps)
      : constant(h.behaviorLearningRate),
    weightDecay: h.behaviorWeightDecay,
  });

  return {
    networks: [
      { prefixes: ["diffusion."], parameters: trained, optimizer, initial: numbered(4) },
      {
        prefixes: ["diffusion."],
        parameters: frequencies,
        initial: frequencyValues(h.fourierScale),
      },
    ],
    tensors: { xt, noiseHat },
  };
}
