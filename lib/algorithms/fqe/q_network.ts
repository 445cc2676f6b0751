/**
 * The Q network of fitted Q evaluation: a perceptron with layer normalization before each ReLU.
 * Normalized layers bound what Q says about actions that are unlike the data's (Ball et al., 2023,
 * arXiv 2302.02948); without them, such actions got the highest values (docs/data.md).
 *
 * @module
 */
import type { Graph } from "../../autodiff/graph.ts";
import { relu } from "../../autodiff/ops/entrywise.ts";
import { layerNorm } from "../../autodiff/ops/layer_norm.ts";
import { linear } from "../../autodiff/ops/linear.ts";
import type { ParameterSet, ParameterShape } from "../../autodiff/parameters.ts";
import type { Tensor } from "../../autodiff/tensor.ts";
import { layerNorm as layerNormOnHost } from "../../nn/host/layer_norm.ts";
import { Linear } from "../../nn/host/linear.ts";
import { type NamedTensors, tensor } from "../../nn/host/tensors.ts";
import { layerNormShapes, layerOf, linearShapes } from "../../nn/initialization.ts";

/** Added to the variance. */
const epsilon = 1e-5;

/**
 * Returns the parameters, named as in PyTorch's `Sequential` of Linear, LayerNorm, ReLU, …, Linear.
 *
 * @param inputs Widths of the tensors that are concatenated to its input.
 * @param hidden Units of each hidden layer.
 */
export function qShapes(inputs: readonly number[], hidden: readonly number[]): ParameterShape[] {
  return [
    ...hidden.flatMap((units, layer) => [
      ...linearShapes(`${3 * layer}`, layer === 0 ? inputs : [hidden[layer - 1]!], units),
      ...layerNormShapes(`${3 * layer + 1}`, units),
    ]),
    ...linearShapes(`${3 * hidden.length}`, [hidden.at(-1)!], 1),
  ];
}

/** Applies the network to x `[R, rows, Σ inputs]`. Returns `[R, rows, 1]`. */
export function qNetwork(graph: Graph, parameters: ParameterSet, x: Tensor): Tensor {
  const layer = (place: number) => layerOf(parameters, String(place));
  const last = (parameters.shapes.length - 2) / 4 * 3; // Four tensors per hidden layer.
  let h = x;
  for (let place = 0; place < last; place += 3) {
    const { weight: gain, bias: shift } = layer(place + 1);
    h = relu(graph, layerNorm(graph, linear(graph, h, layer(place)), { gain, shift, epsilon }));
  }
  return linear(graph, h, layer(last));
}

/**
 * Returns the network's values on the CPU.
 *
 * @param from Its tensors, as {@linkcode qShapes} names them, after `q.`.
 * @param x `[rows, Σ inputs]`, row-major.
 */
export function qOnHost(from: NamedTensors, x: Float32Array, rows: number): Float32Array {
  let h = x;
  for (let place = 0;; place += 3) {
    const layer = new Linear(from, `q.${place}`);
    const y = new Float32Array(rows * layer.outputs);
    layer.forward(h, rows, y);
    if (!from.tensors.has(`q.${place + 1}.weight`)) return y;
    const norm = {
      gain: tensor(from, `q.${place + 1}.weight`, [layer.outputs]).data,
      shift: tensor(from, `q.${place + 1}.bias`, [layer.outputs]).data,
    };
    h = new Float32Array(y.length);
    layerNormOnHost(y, norm, epsilon, rows, h);
    h = h.map((value) => Math.max(0, value));
  }
}
