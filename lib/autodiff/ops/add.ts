/**
 * Addition of two tensors.
 *
 * @module
 */
import source from "../../../shaders/add.wgsl" with { type: "text" };
import type { Graph } from "../graph.ts";
import { Tensor } from "../tensor.ts";
import { elementwiseJobs, shapeOf } from "./elementwise.ts";

/**
 * a + b, both `[R, rows, columns]`. Where the operation that computes `b` can add `a` on the way
 * (and nothing has read `b` yet), no operation is recorded and `b` becomes the sum.
 */
export function add(graph: Graph, a: Tensor, b: Tensor): Tensor {
  if (a.replicas !== b.replicas || a.rows !== b.rows || a.width !== b.width) {
    throw new Error(`add: shapes must agree, got ${a} and ${b}`);
  }
  if (a !== b && absorbs(graph, b, a)) return b;
  if (a !== b && absorbs(graph, a, b)) return a;
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

/** Lets the operation behind `sum` add `addend`, which must have been computed before it. */
function absorbs(graph: Graph, sum: Tensor, addend: Tensor): boolean {
  const producer = graph.producer(sum);
  if (!producer?.absorbAddend || graph.isRead(sum)) return false;
  const source = graph.producer(addend);
  const earlier = !source || graph.operations.indexOf(source) < graph.operations.indexOf(producer);
  return earlier && producer.absorbAddend(addend);
}
