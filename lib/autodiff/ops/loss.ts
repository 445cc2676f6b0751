/**
 * What fused losses share. Each computes its value and its gradients in one dispatch, a workgroup to a
 * replica, and sums in a fixed tree.
 *
 * @module
 */
import type { KernelSpec } from "../../gpu/kernel.ts";
import type { Graph } from "../graph.ts";
import type { OperationName } from "../operations.ts";
import type { Tensor } from "../tensor.ts";

/**
 * Records a loss: one job, of one workgroup, to a replica.
 *
 * @param tensors What it touches; `policy` is the tensor it is differentiated by where its shader can go
 * on through the tanh that made it.
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

/** Invocations that share a loss: about eight rows to each, from 32 to 256 of them. */
function workgroupFor(rows: number): number {
  return Math.min(256, Math.max(32, 2 ** Math.ceil(Math.log2(rows / 8))));
}

/** Job fields of a tensor: its place and, under `<name>_stride`, the distance between its rows. */
export function rowFields(
  name: string,
  tensor: Tensor,
  job: number,
  jobs: number,
): Record<string, number> {
  return { [name]: tensor.at(job, jobs), [`${name}_stride`]: tensor.stride };
}

/** Job fields of one number for each row and head: the first head's place and the next's distance. */
export function headFields(
  name: string,
  tensor: Tensor,
  job: number,
  jobs: number,
): Record<string, number> {
  const first = job * (tensor.replicas / jobs);
  return {
    [name]: tensor.columnAt(first, tensor.replicas),
    [`${name}_head`]: tensor.storage.replicaSize / 4,
  };
}
