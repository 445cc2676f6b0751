/**
 * Multi-layer perceptrons with ReLU between the layers, as the critic and the policy are.
 *
 * @module
 */
import type { Graph } from "../autodiff/graph.ts";
import { linear } from "../autodiff/ops/linear.ts";
import type { ParameterSet, ParameterShape } from "../autodiff/parameters.ts";
import type { Tensor } from "../autodiff/tensor.ts";
import { linearShapes } from "./initialisation.ts";

/** The shape of a perceptron. */
export interface MlpShape {
  /** Widths of the tensors that are concatenated to its input. */
  readonly inputs: readonly number[];
  /** Units of each hidden layer. */
  readonly hidden: readonly number[];
  /** Entries of the result. */
  readonly outputs: number;
}

/** Parameter names as PyTorch's `Sequential` gives them: activations count too, so 0, 2, 4, … */
export function mlpShapes({ inputs, hidden, outputs }: MlpShape): ParameterShape[] {
  return [...hidden, outputs].flatMap((units, layer) =>
    linearShapes(String(2 * layer), layer === 0 ? inputs : [hidden[layer - 1]!], units)
  );
}

/**
 * Applies a perceptron to x `[R, rows, Σ inputs]`.
 *
 * @returns `[R', rows, outputs]`, after `output` (tanh for a policy).
 */
export function mlp(
  graph: Graph,
  parameters: ParameterSet,
  x: Tensor,
  output: "none" | "tanh" = "none",
): Tensor {
  const layers = parameters.shapes.length / 2;
  let h = x;
  for (let layer = 0; layer < layers; layer++) {
    const name = String(2 * layer);
    h = linear(
      graph,
      h,
      { weight: parameters.get(`${name}.weight`), bias: parameters.get(`${name}.bias`) },
      layer < layers - 1 ? "relu" : output,
    );
  }
  return h;
}
