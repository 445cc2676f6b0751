/**
 * The networks of Diffusion-QL in a graph. All are multilayer perceptrons with Mish activations.
 * Parameters are named as in the official state dicts, with the prefix `actor.model.` for the noise
 * prediction, and `critic.q1_model.` and `critic.q2_model.` for the two Q-networks.
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
import { layerOf, linearShapes } from "../../nn/initialization.ts";
import { embeddingSize, layers, timeFeatures } from "./layers.ts";

/** Returns the parameter shapes of a Q-network. */
export function qShapes(stateSize: number, actionSize: number, width: number): ParameterShape[] {
  return [...layers.q.keys()].flatMap((i) =>
    linearShapes(
      layers.q[i]!,
      i === 0 ? [stateSize, actionSize] : [width],
      i === layers.q.length - 1 ? 1 : width,
    )
  );
}

/** Returns the parameter shapes of the noise prediction. */
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

/** Returns Q of states and actions, `[2 R, rows, 1]`. */
export function qValues(graph: Graph, q: ParameterSet, state: Tensor, action: Tensor): Tensor {
  return perceptron(graph, q, layers.q, concatenate(graph, [state, action]));
}

/**
 * Predicts the noise in x `[R, rows, actionSize]`.
 *
 * @param state `[R, rows, stateSize]`.
 * @param time `[R, rows, 1]`: integers from 0 to T − 1.
 */
export type NoisePrediction = (x: Tensor, state: Tensor, time: Tensor) => Tensor;

/**
 * Returns the noise prediction of an actor. Each time is embedded only once.
 *
 * @param times T, the number of diffusion steps.
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
 * @param draw Returns standard normal numbers `[R, rows, actionSize]`: the initial values of the
 * chains for k = 0, the noise of the k-th step for k ≥ 1. The last step adds no noise.
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
    const activation = i < names.length - 1 ? "mish" : "none";
    return linear(graph, h, layerOf(parameters, name), activation);
  }, x);
}
