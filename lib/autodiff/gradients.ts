/**
 * Reverse-mode differentiation. Walks the recorded operations backwards, records the gradient of
 * each, and adds gradients that reach the same tensor.
 *
 * @module
 */
import type { Graph, Loss } from "./graph.ts";
import { accumulate } from "./ops/entrywise.ts";
import type { Tensor } from "./tensor.ts";

/**
 * The objective to differentiate: a loss, or a tensor with an upstream gradient of the same shape.
 */
export type Objective = Loss | { readonly tensor: Tensor; readonly upstream: Tensor };

/**
 * Records the operations that compute the gradient of `loss` with respect to each tensor of `wrt`.
 * Returns the gradients in that order, each with the shape of its tensor, or null if there is no
 * path. Gradients pass through networks whose parameters are not in `wrt` without computing those
 * parameters' gradients.
 */
export function gradients(
  graph: Graph,
  loss: Objective,
  wrt: readonly Tensor[],
): (Tensor | null)[] {
  const recorded = graph.operations.slice();
  const depends = new Set<Tensor>(wrt);
  for (const { inputs, writes } of recorded) {
    if (inputs.some((input) => depends.has(input))) {
      writes.forEach((output) => depends.add(output));
    }
  }
  const adjoints = new Map<Tensor, Tensor>();
  const contribute = (tensor: Tensor, gradient: Tensor) => {
    const present = adjoints.get(tensor);
    adjoints.set(tensor, present ? accumulate(graph, present, gradient) : gradient);
  };
  if ("tensor" in loss) {
    graph.finalize(loss.upstream);
    contribute(loss.tensor, loss.upstream);
  } else {
    if (graph.differentiated.has(loss)) {
      throw new Error(
        `gradients: loss "${loss.metric.name}" is differentiated twice; pass all tensors in ` +
          "one call, because the first call has extended its gradients",
      );
    }
    graph.differentiated.add(loss);
    for (const [tensor, gradient] of loss.gradients) {
      if (depends.has(tensor)) contribute(tensor, gradient);
    }
  }
  for (const operation of recorded.reverse()) {
    const output = operation.writes[0];
    const upstream = output && adjoints.get(output);
    const wanted = operation.inputs.map((input) => depends.has(input));
    if (!upstream || !wanted.includes(true)) continue;
    if (!operation.gradient) {
      throw new Error(`gradients: operation "${operation.name}" cannot be differentiated`);
    }
    // No later operation may extend a gradient that is returned or that several tensors share.
    if (wrt.includes(output)) graph.finalize(upstream);
    const found = operation.gradient(upstream, wanted);
    found.forEach((gradient, i) => {
      if (!gradient || !wanted[i]) return;
      if (gradient === upstream || found.indexOf(gradient) !== i) graph.finalize(gradient);
      contribute(operation.inputs[i]!, gradient);
    });
  }
  return wrt.map((tensor) => adjoints.get(tensor) ?? null);
}
