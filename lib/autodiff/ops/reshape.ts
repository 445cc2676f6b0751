/**
 * Reshaping to rows of another length.
 *
 * @module
 */
import source from "../../../shaders/rearrange.wgsl" with { type: "text" };
import type { Graph } from "../graph.ts";
import { type Matrix, matrix } from "../matrix.ts";
import { registerOperation } from "../operations.ts";
import { Tensor } from "../tensor.ts";
import { elementwiseJobs } from "./elementwise.ts";
import { requireNoGaps } from "./shapes.ts";

const name = registerOperation("reshape");

/**
 * Reshapes x `[R, rows, c]` to `[R, rows c / columns, columns]` in row-major order. For example,
 * the scores of K candidates per state, `[R, K · states, 1]`, become rows of K.
 */
export function reshape(graph: Graph, x: Tensor, columns: number): Tensor {
  requireNoGaps(name, x);
  const entries = x.rows * x.columns;
  if (entries % columns !== 0) {
    throw new Error(`reshape: the entries of ${x} do not divide into rows of ${columns}`);
  }
  const y = new Tensor({ replicas: x.replicas, rows: entries / columns, columns });
  graph.record({
    name,
    inputs: [x],
    reads: [x],
    writes: [y],
    kernel: () => ({ name: "rearrange", source, directives: ["RESHAPE"] }),
    jobs: () =>
      elementwiseJobs(y, (job) => ({
        columns,
        x: x.at(job, y.replicas),
        x_stride: x.stride,
        x_columns: x.columns,
      })),
    gradient: (upstream) => [reshape(graph, upstream, x.columns)],
  });
  return y;
}

/** Reshaped matrix with `columns` columns, in double precision. */
export function reshapeReference(x: Matrix, columns: number): Matrix {
  return matrix(x.values.length / columns, columns, x.values);
}
