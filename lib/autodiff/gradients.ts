/**
 * Reverse mode. Walks the recorded operations backwards and asks each for its gradient; where two
 * gradients meet they are added.
 *
 * @module
 */
import type { Graph, Loss } from "./graph.ts";
import { accumulate } from "./ops/entrywise.ts";
import type { Tensor } from "./tensor.ts";

/** What is differentiated: a loss, or any tensor with the weights of its entries, of the same shape. */
export type Objective = Loss | { readonly tensor: Tensor; readonly upstream: Tensor };

/**
 * Records the operations that compute the gradient of `loss` by each tensor of `wrt`, and returns the
 * gradients in that order, each in the shape of its tensor; null where there is no path. It flows
 * through networks whose parameters are not in `wrt`, and leaves those alone.
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
        `gradients: loss "${loss.metric.name}" is differentiated a second time; name all tensors in ` +
          "one call, since the first has built upon its gradients",
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
    // What the caller gets stays as it is; so does a gradient that several tensors have in common.
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
