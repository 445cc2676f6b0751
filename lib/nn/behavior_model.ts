/**
 * The behavior model's noise prediction network ε̂(a_t | s, t): a residual network of the action,
 * the state and an embedding of the time (Hansen-Estruch et al., 2023, with continuous time).
 *
 * @module
 */
import type { Graph } from "../autodiff/graph.ts";
import { concatenate } from "../autodiff/ops/concatenate.ts";
import type { Dropout } from "../autodiff/ops/dropout.ts";
import { silu } from "../autodiff/ops/entrywise.ts";
import { layerNorm } from "../autodiff/ops/layer_norm.ts";
import { linear, type LinearParameters } from "../autodiff/ops/linear.ts";
import type { ParameterSet, ParameterShape } from "../autodiff/parameters.ts";
import type { Tensor } from "../autodiff/tensor.ts";
import { type BehaviorDetails, srpoDetails } from "./behavior_details.ts";
import { layerNormShapes, layerOf, linearShapes } from "./initialization.ts";

/** Sizes of the network. */
export interface BehaviorShape {
  readonly actionSize: number;
  readonly observationSize: number;
  /** Units of the residual stream. The hidden layer of a block has four times as many. */
  readonly width: number;
  readonly blocks: number;
  /** Number of Fourier frequencies of the time. */
  readonly frequencies: number;
  /** Units of the time embedding. */
  readonly embedding: number;
}

/**
 * Returns the trained parameters, named as in the official state dict below `diffusion.`.
 *
 * @param features Widths of the tensors that are concatenated to the time's features.
 */
export function behaviorShapes(
  shape: BehaviorShape,
  features: readonly number[] = [2 * shape.frequencies],
): ParameterShape[] {
  const { actionSize, observationSize, width, blocks, embedding } = shape;
  return [
    ...linearShapes("cond_model.0", features, embedding),
    ...linearShapes("cond_model.2", [embedding], embedding),
    ...linearShapes("main.fc", [actionSize, observationSize, embedding], width),
    ...Array.from({ length: blocks }, (_, i) => [
      ...layerNormShapes(`main.blocks.${i}.layer_norm`, width),
      ...linearShapes(`main.blocks.${i}.fc1`, [width], 4 * width),
      ...linearShapes(`main.blocks.${i}.fc2`, [4 * width], width),
    ]).flat(),
    ...linearShapes("main.out_fc", [width], actionSize),
  ];
}

/** Returns the Fourier frequencies W, which SRPO does not train. */
export function frequencyShapes({ frequencies }: BehaviorShape): ParameterShape[] {
  return [{ name: "embed.0.W", rows: 1, segments: [frequencies], vector: true }];
}

/** Inputs of the network. */
export interface BehaviorInput {
  /** a_t, `[R, rows, actions]`. */
  readonly action: Tensor;
  /** s, `[R, rows, observations]`. */
  readonly state: Tensor;
  /** Fourier features of t, `[R, rows, 2 frequencies]`. */
  readonly features: Tensor;
}

/**
 * Predicts the noise in a_t, `[R, rows, actions]`.
 *
 * @param dropout Dropout of each residual branch during training; absent when the model is frozen.
 */
export function behaviorModel(
  graph: Graph,
  trained: ParameterSet,
  { action, state, features }: BehaviorInput,
  dropout?: (block: number) => Dropout,
): Tensor {
  const embedding = timeEmbedding(graph, trained, features);
  return noisePrediction(graph, trained, { action, state, embedding }, dropout);
}

/** Embeds Fourier features of times `[R, rows, 2 frequencies]`. Returns `[R, rows, embedding]`. */
export function timeEmbedding(
  graph: Graph,
  trained: ParameterSet,
  features: Tensor,
  { activation }: BehaviorDetails = srpoDetails,
): Tensor {
  const hidden = activated(graph, features, layerOf(trained, "cond_model.0"), activation);
  return linear(graph, hidden, layerOf(trained, "cond_model.2"));
}

/**
 * Predicts the noise like {@linkcode behaviorModel}, given the embedded times `[R, rows,
 * embedding]`. So a time shared by all rows is embedded once and broadcast.
 */
export function noisePrediction(
  graph: Graph,
  trained: ParameterSet,
  { action, state, embedding }: Omit<BehaviorInput, "features"> & { readonly embedding: Tensor },
  dropout?: (block: number) => Dropout,
  { activation, epsilon }: BehaviorDetails = srpoDetails,
): Tensor {
  const input = concatenate(graph, [action, state, embedding]);
  const h = linear(graph, input, layerOf(trained, "main.fc"));
  return residualNetwork(graph, trained, h, dropout, { activation, epsilon });
}

/**
 * Computes the residual blocks and the last layer.
 *
 * @param first Output of the first layer, `[R, rows, width]`.
 * @param dropout As in {@linkcode behaviorModel}.
 * @returns `[R, rows, actions]`.
 */
export function residualNetwork(
  graph: Graph,
  trained: ParameterSet,
  first: Tensor,
  dropout: ((block: number) => Dropout) | undefined,
  { activation, epsilon }: BehaviorDetails,
): Tensor {
  let h = first;
  const blocks = trained.shapes.filter(({ name }) => name.endsWith("fc1.weight")).length;
  for (let i = 0; i < blocks; i++) {
    const block = `main.blocks.${i}`;
    const norm = {
      gain: trained.get(`${block}.layer_norm.weight`),
      shift: trained.get(`${block}.layer_norm.bias`),
      epsilon,
    };
    const branch = layerNorm(graph, h, norm, dropout?.(i));
    const wide = activated(graph, branch, layerOf(trained, `${block}.fc1`), activation);
    const narrow = layerOf(trained, `${block}.fc2`);
    h = i < blocks - 1
      ? linear(graph, wide, narrow, "none", h)
      : activated(graph, wide, narrow, activation, h);
  }
  return linear(graph, h, layerOf(trained, "main.out_fc"));
}

/** The linear layer with the activation: mish is a part of its kernel. */
function activated(
  graph: Graph,
  x: Tensor,
  layer: LinearParameters,
  activation: BehaviorDetails["activation"],
  residual?: Tensor,
): Tensor {
  return activation === "mish"
    ? linear(graph, x, layer, "mish", residual)
    : silu(graph, linear(graph, x, layer, "none", residual));
}
