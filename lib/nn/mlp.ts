/**
 * Multi-layer perceptrons with ReLU hidden layers, used by the critic and the policy.
 *
 * @module
 */
import type { Graph } from "../autodiff/graph.ts";
import { linear } from "../autodiff/ops/linear.ts";
import type { ParameterSet, ParameterShape } from "../autodiff/parameters.ts";
import type { Tensor } from "../autodiff/tensor.ts";
import { layerOf, linearShapes } from "./initialization.ts";

/** Sizes of a perceptron. */
export interface MlpShape {
  /** Widths of the tensors that are concatenated to its input. */
  readonly inputs: readonly number[];
  /** Units of each hidden layer. */
  readonly hidden: readonly number[];
  /** Number of outputs. */
  readonly outputs: number;
}

/**
 * Returns the parameters, named as in PyTorch's `Sequential`, which also counts activations (0, 2,
 * …).
 */
export function mlpShapes({ inputs, hidden, outputs }: MlpShape): ParameterShape[] {
  return [...hidden, outputs].flatMap((units, layer) =>
    linearShapes(String(2 * layer), layer === 0 ? inputs : [hidden[layer - 1]!], units)
  );
}

/**
 * Applies a perceptron to x `[R, rows, Σ inputs]`.
 *
 * @param output Output activation (`tanh` for a policy).
 * @param within Prefix of the layers' names, if the set holds more than the perceptron.
 * @returns `[R', rows, outputs]`, where R' is the larger number of replicas of x and the
 * parameters.
 */
export function mlp(
  graph: Graph,
  parameters: ParameterSet,
  x: Tensor,
  output: "none" | "tanh" = "none",
  within = "",
): Tensor {
  const layers =
    parameters.shapes.filter(({ name }) => name.startsWith(within) && name.endsWith(".weight"))
      .length;
  let h = x;
  for (let layer = 0; layer < layers; layer++) {
    const own = layerOf(parameters, `${within}${2 * layer}`);
    h = linear(graph, h, own, layer < layers - 1 ? "relu" : output);
  }
  return h;
}
