/**
 * Copies, for a concatenation whose parts must stay where they are.
 *
 * @module
 */
import source from "../../../shaders/copy.wgsl" with { type: "text" };
import type { Graph } from "../graph.ts";
import { registerOperation } from "../operations.ts";
import { Tensor } from "../tensor.ts";
import { elementwiseJobs, shapeOf } from "./elementwise.ts";

const copyName = registerOperation("copy");

/** A copy of x `[R, rows, columns]` in memory of its own. No gradient flows through it. */
export function copy(graph: Graph, x: Tensor): Tensor {
  const y = new Tensor(shapeOf(x));
  graph.record({
    name: copyName,
    inputs: [],
    reads: [x],
    writes: [y],
    kernel: () => ({ name: "copy", source }),
    jobs: () => elementwiseJobs(y, (job) => ({ x: x.at(job, y.replicas), x_stride: x.stride })),
  });
  return y;
}
