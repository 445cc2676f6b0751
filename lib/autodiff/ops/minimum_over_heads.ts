/**
 * Minimum over heads, for example of twin Q-networks.
 *
 * @module
 */
import headsSource from "../../../shaders/heads.wgsl" with { type: "text" };
import nanSource from "../../../shaders/nan.wgsl" with { type: "text" };
import type { Graph } from "../graph.ts";
import { registerOperation } from "../operations.ts";
import { Tensor } from "../tensor.ts";
import { elementwiseJobs } from "./elementwise.ts";
import { requireNoGaps, shapeOf } from "./shapes.ts";

export { smallest as minimumOverHeadsReference } from "../matrix.ts";

const name = registerOperation("minimum over heads");
const gradientName = registerOperation("minimum over heads gradient");
const source = nanSource + headsSource;

/**
 * Returns the entrywise minimum over the heads (neighboring replicas) of x `[heads · R, rows,
 * columns]`: `[R, rows, columns]`. The gradient goes to the smallest head, or the first of equal
 * ones.
 */
export function minimumOverHeads(graph: Graph, x: Tensor, heads: number): Tensor {
  requireNoGaps(name, x);
  if (x.replicas % heads !== 0) {
    throw new Error(`${name}: the replicas of ${x} are not a multiple of ${heads} heads`);
  }
  const y = new Tensor({ replicas: x.replicas / heads, rows: x.rows, columns: x.columns });
  const fields = (job: number) => ({
    heads,
    x: x.at(job * heads, x.replicas),
    x_head: x.storage.replicaSize / 4,
    x_stride: x.stride,
  });
  graph.record({
    name,
    inputs: [x],
    reads: [x],
    writes: [y],
    kernel: () => ({ name, source }),
    jobs: () => elementwiseJobs(y, fields),
    gradient: (upstream) => {
      const dx = new Tensor(shapeOf(x));
      graph.record({
        name: gradientName,
        inputs: [],
        reads: [x, upstream],
        writes: [dx],
        kernel: () => ({ name: gradientName, source, directives: ["GRADIENT"] }),
        jobs: () =>
          elementwiseJobs(y, (job) => ({
            ...fields(job),
            upstream: upstream.at(job, y.replicas),
            upstream_stride: upstream.stride,
            out: dx.at(job * heads, dx.replicas),
            out_head: dx.storage.replicaSize / 4,
            out_stride: dx.stride,
          })),
      });
      return [dx];
    },
  });
  return y;
}
