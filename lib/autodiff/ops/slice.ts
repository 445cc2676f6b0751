/**
 * Column slices and zero padding. Each is the gradient of the other.
 *
 * @module
 */
import source from "../../../shaders/rearrange.wgsl" with { type: "text" };
import type { Graph } from "../graph.ts";
import { mapRows, type Matrix } from "../matrix.ts";
import { registerOperation } from "../operations.ts";
import { Tensor } from "../tensor.ts";
import { elementwiseJobs } from "./elementwise.ts";
import { requireNoGaps } from "./shapes.ts";

const name = registerOperation("slice");

/** Returns columns `first` to `first + columns − 1` of x `[R, rows, ·]`: `[R, rows, columns]`. */
export function slice(graph: Graph, x: Tensor, first: number, columns: number): Tensor {
  if (first < 0 || columns < 1 || first + columns > x.columns) {
    throw new Error(`slice: ${x} has no columns ${first} to ${first + columns - 1}`);
  }
  return columnsFrom(graph, x, first, columns);
}

/** Returns `columns` columns starting at `first`, with zeros where x has no column. */
function columnsFrom(graph: Graph, x: Tensor, first: number, columns: number): Tensor {
  requireNoGaps(name, x);
  const y = new Tensor({ replicas: x.replicas, rows: x.rows, columns });
  graph.record({
    name,
    inputs: [x],
    reads: [x],
    writes: [y],
    kernel: () => ({ name: "rearrange", source }),
    jobs: () =>
      elementwiseJobs(y, (job) => ({
        columns,
        x: x.at(job, y.replicas),
        x_stride: x.stride,
        x_columns: x.columns,
        first,
      })),
    gradient: (upstream) => [columnsFrom(graph, upstream, -first, x.columns)],
  });
  return y;
}

/** Column slice in double precision. */
export function sliceReference(x: Matrix, first: number, columns: number): Matrix {
  return mapRows(x, (row) => Array.from(row.subarray(first, first + columns)));
}
