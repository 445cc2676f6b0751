/**
 * Addition of two tensors.
 *
 * @module
 */
import source from "../../../shaders/add.wgsl" with { type: "text" };
import type { Graph } from "../graph.ts";
import { Tensor } from "../tensor.ts";
import { elementwiseJobs, shapeOf } from "./elementwise.ts";

/** a + b, both `[R, rows, columns]`. */
export function add(graph: Graph, a: Tensor, b: Tensor): Tensor {
  requireEqualShapes(a, b);
  const y = new Tensor(shapeOf(a));
  graph.record({
    name: "add",
    inputs: [a, b],
    reads: [a, b],
    writes: [y],
    kernel: () => ({ name: "add", source }),
    jobs: () =>
      elementwiseJobs(y, (job) => ({
        a: a.at(job, y.replicas),
        a_stride: a.stride,
        b: b.at(job, y.replicas),
        b_stride: b.stride,
      })),
    gradient: (upstream) => [upstream, upstream],
  });
  return y;
}

/**
 * a + b where both are gradients on their way: the operation that computes one of them adds the other
 * if it can, and the tensor becomes the sum.
 */
export function accumulate(graph: Graph, a: Tensor, b: Tensor): Tensor {
  requireEqualShapes(a, b);
  if (a !== b && absorbs(graph, b, a)) return b;
  if (a !== b && absorbs(graph, a, b)) return a;
  return add(graph, a, b);
}

/** Lets the operation behind `sum` add `addend`, which must have been computed before it. */
function absorbs(graph: Graph, sum: Tensor, addend: Tensor): boolean {
  const producer = graph.extensible(sum);
  if (!producer?.absorbAddend) return false;
  // By memory, not by name: the addend may be a part of what another operation writes.
  const written = graph.operations.findLastIndex(({ writes }) =>
    writes.some((tensor) => tensor.overlaps(addend))
  );
  return written < graph.operations.indexOf(producer) && producer.absorbAddend(addend);
}

function requireEqualShapes(a: Tensor, b: Tensor): void {
  if (a.replicas !== b.replicas || a.rows !== b.rows || a.width !== b.width) {
    throw new Error(`add: shapes must agree, got ${a} and ${b}`);
  }
}
