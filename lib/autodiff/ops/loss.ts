/**
 * Shared code of the fused losses. A fused loss computes its value and gradients in one dispatch,
 * with one workgroup per replica and a reduction in a fixed tree order.
 *
 * @module
 */
import type { KernelSpec } from "../../gpu/kernel.ts";
import type { Graph } from "../graph.ts";
import type { OperationName } from "../operations.ts";
import type { Tensor } from "../tensor.ts";

/**
 * Records a loss with one job of one workgroup per replica.
 *
 * @param tensors The tensors it reads and writes. `policy` is the policy's output if the shader can
 * also apply the derivative of the tanh that produced it.
 */
export function recordLoss(
  graph: Graph,
  replicas: number,
  kernel: KernelSpec & { readonly name: OperationName },
  tensors: { reads: readonly Tensor[]; writes: readonly Tensor[]; policy?: Tensor },
  fields: (job: number) => Record<string, number>,
): void {
  const directives: string[] = [];
  graph.record({
    name: kernel.name,
    inputs: [],
    reads: [...tensors.reads],
    writes: tensors.writes,
    absorbDerivative: (activation, saved) => {
      if (activation !== "tanh" || saved !== tensors.policy || directives.length > 0) return false;
      directives.push("TANH_DERIVATIVE");
      return true;
    },
    kernel: () => ({
      ...kernel,
      directives,
      constants: { WORKGROUP: workgroupFor(tensors.writes[0]!.rows) },
    }),
    jobs: () =>
      Array.from({ length: replicas }, (_, job) => ({
        fields: { metrics_width: graph.metricsWidth, ...fields(job) },
        tiles: 1,
      })),
  });
}

/**
 * Returns the invocations per loss: a power of two from 8 to 256, so that each handles at most
 * eight rows of up to 2048.
 */
function workgroupFor(rows: number): number {
  return Math.min(256, Math.max(8, 2 ** Math.ceil(Math.log2(rows / 8))));
}
