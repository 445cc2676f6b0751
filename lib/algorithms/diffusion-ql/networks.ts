/**
 * The networks of Diffusion-QL on a graph. All are perceptrons with Mish between their layers, named as in
 * the official state dicts: the noise prediction below `actor.model.`, the two Q-networks below
 * `critic.q1_model.` and `critic.q2_model.`.
 *
 * @module
 */
import type { Graph } from "../../autodiff/graph.ts";
import { concatenate } from "../../autodiff/ops/concatenate.ts";
import { gatherRows } from "../../autodiff/ops/gather_rows.ts";
import { linear } from "../../autodiff/ops/linear.ts";
import type { ParameterSet, ParameterShape } from "../../autodiff/parameters.ts";
import type { Tensor } from "../../autodiff/tensor.ts";
import { ancestralSteps } from "../../diffusion/ddpm.ts";
import { recordAncestral } from "../../diffusion/graph_sampler.ts";
import { linearShapes } from "../../nn/initialisation.ts";
import { embeddingSize, layers, timeFeatures } from "./layers.ts";

/** The parameters of a Q-network. */
export function qShapes(stateSize: number, actionSize: number, width: number): ParameterShape[] {
  return [...layers.q.keys()].flatMap((i) =>
    linearShapes(
      layers.q[i]!,
      i === 0 ? [stateSize, actionSize] : [width],
      i === layers.q.length - 1 ? 1 : width,
    )
  );
}

/** The parameters of the noise prediction. */
export function actorShapes(
  stateSize: number,
  actionSize: number,
  width: number,
): ParameterShape[] {
  const [widen, narrow] = layers.time;
  return [
    ...linearShapes(widen, [embeddingSize], 2 * embeddingSize),
    ...linearShapes(narrow, [2 * embeddingSize], embeddingSize),
    ...[...layers.noise.keys()].flatMap((i) =>
      linearShapes(
        layers.noise[i]!,
        i === 0 ? [actionSize, embeddingSize, stateSize] : [width],
        i === layers.noise.length - 1 ? actionSize : width,
      )
    ),
  ];
}

/** Q of states and actions, `[2 R, rows, 1]`. */
export function qValues(graph: Graph, q: ParameterSet, state: Tensor, action: Tensor): Tensor {
  return perceptron(graph, q, layers.q, concatenate(graph, [state, action]));
}

/**
 * Predicts the noise in x `[R, rows, actionSize]`.
 *
 * @param state `[R, rows, stateSize]`.
 * @param time `[R, rows, 1]`: whole numbers from 0.
 */
export type NoisePrediction = (x: Tensor, state: Tensor, time: Tensor) => Tensor;

/**
 * Returns the noise prediction of an actor with all of its times embedded once.
 *
 * @param times T.
 */
export function noisePrediction(
  graph: Graph,
  actor: ParameterSet,
  times: number,
): NoisePrediction {
  const features = graph.table(times, embeddingSize, timeFeatures(times));
  const embedded = perceptron(graph, actor, layers.time, features);
  return (x, state, time) => {
    const input = concatenate(graph, [x, gatherRows(graph, embedded, time), state]);
    return perceptron(graph, actor, layers.noise, input);
  };
}

/**
 * Samples an action for each of the states. Gradients flow back through the whole chain.
 *
 * @param state `[R, rows, stateSize]`.
 * @param betas β_1 … β_T.
 * @param draw Standard normal numbers `[R, rows, actionSize]`: 0 is where the chains begin, k ≥ 1 what
 * their k-th step adds. The last step adds nothing.
 */
export function sampleActions(
  graph: Graph,
  predict: NoisePrediction,
  state: Tensor,
  betas: readonly number[],
  draw: (k: number) => Tensor,
): Tensor {
  return recordAncestral(
    graph,
    draw(0),
    (x, t) => predict(x, state, graph.constant(state.rows, 1, t)),
    ancestralSteps(betas, "posterior"),
    "prediction",
    ({ t }) => draw(betas.length - t),
  );
}

function perceptron(
  graph: Graph,
  parameters: ParameterSet,
  names: readonly string[],
  x: Tensor,
): Tensor {
  return names.reduce((h, name, i) => {
    const layer = {
      weight: parameters.get(`${name}.weight`),
      bias: parameters.get(`${name}.bias`),
    };
    return linear(graph, h, layer, i < names.length - 1 ? "mish" : "none");
  }, x);
}
