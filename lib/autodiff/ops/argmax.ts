/**
 * Argmax over columns.
 *
 * @module
 */
import source from "../../../shaders/argmax.wgsl" with { type: "text" };
import nanSource from "../../../shaders/nan.wgsl" with { type: "text" };
import type { Graph } from "../graph.ts";
import { mapRows, type Matrix } from "../matrix.ts";
import { registerOperation } from "../operations.ts";
import { Tensor } from "../tensor.ts";
import { elementwiseJobs } from "./elementwise.ts";
import { requireNoGaps } from "./shapes.ts";

const name = registerOperation("argmax");

/**
 * Returns the column of the largest entry of each row of x `[R, rows, columns]`, the first of equal
 * ones: `[R, rows, 1]`, for {@linkcode gatherRows}. Not differentiable.
 */
export function argmax(graph: Graph, x: Tensor): Tensor {
  requireNoGaps(name, x);
  const y = new Tensor({ replicas: x.replicas, rows: x.rows, columns: 1 });
  graph.record({
    name,
    inputs: [],
    reads: [x],
    writes: [y],
    kernel: () => ({ name, source: nanSource + source }),
    jobs: () =>
      elementwiseJobs(y, (job) => ({
        columns: x.columns,
        x: x.at(job, y.replicas),
        x_stride: x.stride,
      })),
  });
  return y;
}

/** Argmax of each row in double precision. */
export function argmaxReference(x: Matrix): Matrix {
  return mapRows(x, (row) => [row.indexOf(Math.max(...row))]);
}
