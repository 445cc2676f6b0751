/**
 * Copies, for concatenations of tensors whose place is fixed.
 *
 * @module
 */
import source from "../../../shaders/copy.wgsl" with { type: "text" };
import type { Graph } from "../graph.ts";
import { registerOperation } from "../operations.ts";
import { Tensor } from "../tensor.ts";
import { elementwiseJobs } from "./elementwise.ts";
import { shapeOf } from "./shapes.ts";

const copyName = registerOperation("copy");

/** Copies x `[R, rows, columns]` to its own memory. Not differentiable. */
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
