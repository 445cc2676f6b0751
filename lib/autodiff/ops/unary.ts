/**
 * Activations by themselves, and the multiplication with their derivative.
 *
 * @module
 */
import activationSource from "../../../shaders/activation.wgsl" with { type: "text" };
import nanSource from "../../../shaders/nan.wgsl" with { type: "text" };
import unarySource from "../../../shaders/unary.wgsl" with { type: "text" };
import type { Graph } from "../graph.ts";
import { Tensor } from "../tensor.ts";
import { elementwiseJobs, requireNoGaps, shapeOf } from "./elementwise.ts";

const source = nanSource + activationSource + unarySource;

/** Activations the engine knows; `softplus` has PyTorch's threshold (x itself above 20). */
export type Activation = "none" | "relu" | "tanh" | "mish" | "softplus";

/** Applies an activation to every entry of x `[R, rows, columns]`. */
export function unary(graph: Graph, x: Tensor, activation: Exclude<Activation, "none">): Tensor {
  requireNoGaps(graph, activation, x);
  const y = new Tensor(shapeOf(x));
  graph.record({
    name: activation,
    inputs: [x],
    reads: [x],
    writes: [y],
    kernel: () => ({ name: "unary", source, directives: [activation.toUpperCase()] }),
    jobs: () =>
      elementwiseJobs(y, (job) => ({
        columns: y.columns,
        x: x.at(job, y.replicas),
        x_stride: x.stride,
      })),
    gradient: (upstream) => [
      applyDerivative(graph, upstream, activation, fromOutput(activation) ? y : x),
    ],
  });
  return y;
}

function fromOutput(activation: Activation): boolean {
  return activation === "relu" || activation === "tanh";
}

/**
 * `upstream` times the derivative of `activation`: by the operation that computes `upstream` where it
 * can take that over, else by one of its own.
 *
 * @param saved The activation's output (ReLU, tanh) or its input (mish, softplus).
 */
export function applyDerivative(
  graph: Graph,
  upstream: Tensor,
  activation: Activation,
  saved: Tensor,
): Tensor {
  if (activation === "none") return upstream;
  if (graph.extensible(upstream)?.absorbDerivative?.(activation, saved)) return upstream;
  const dx = new Tensor(shapeOf(upstream));
  graph.record({
    name: `${activation} gradient`,
    inputs: [],
    reads: [upstream, saved],
    writes: [dx],
    kernel: () => ({
      name: "unary gradient",
      source,
      directives: ["DERIVATIVE", activation.toUpperCase()],
    }),
    jobs: () =>
      elementwiseJobs(dx, (job) => ({
        columns: dx.columns,
        x: saved.at(job, dx.replicas),
        x_stride: saved.stride,
        upstream: upstream.at(job, dx.replicas),
        upstream_stride: upstream.stride,
      })),
  });
  return dx;
}
