/**
 * Gathers rows by index.
 *
 * @module
 */
import source from "../../../shaders/gather_rows.wgsl" with { type: "text" };
import type { Graph } from "../graph.ts";
import { type Matrix, matrix } from "../matrix.ts";
import { registerOperation } from "../operations.ts";
import { Tensor } from "../tensor.ts";
import { elementwiseJobs } from "./elementwise.ts";
import { requireNoGaps, shapeOf } from "./shapes.ts";

const name = registerOperation("gather rows");
const gradientName = registerOperation("gather rows gradient");

/**
 * Gathers rows of x `[R, rows, columns]`: row r of the result is row `index[r]` of x. With `group`,
 * it is row `index[r]` of the r-th group of that many rows, for example the best of K candidates of
 * each state. Differentiable with respect to x: a row that is taken several times gets the sum of
 * the gradients.
 *
 * @param index `[R, n, 1]`, integers below the number of rows (of the group).
 * @returns `[R, n, columns]`.
 */
export function gatherRows(graph: Graph, x: Tensor, index: Tensor, group = 0): Tensor {
  requireNoGaps(name, x);
  if (index.columns !== 1 || (group > 0 && group * index.rows !== x.rows)) {
    const groups = group > 0 ? ` in groups of ${group}` : "";
    throw new Error(`gatherRows: ${index} does not index ${x}${groups}`);
  }
  const replicas = Math.max(x.replicas, index.replicas);
  const y = new Tensor({ replicas, rows: index.rows, columns: x.columns });
  const indexed = (job: number) => ({
    group,
    index: index.at(job, replicas),
    index_stride: index.stride,
  });
  graph.record({
    name,
    inputs: [x],
    reads: [x, index],
    writes: [y],
    kernel: () => ({ name, source }),
    jobs: () =>
      elementwiseJobs(y, (job) => ({
        ...indexed(job),
        x: x.at(job, replicas),
        x_stride: x.stride,
        x_rows: x.rows,
      })),
    gradient: (upstream) => {
      if (x.replicas !== replicas) {
        throw new Error(`gatherRows: no gradient with respect to ${x}, because replicas share it`);
      }
      const dx = new Tensor(shapeOf(x));
      graph.record({
        name: gradientName,
        inputs: [],
        reads: [upstream, index],
        writes: [dx],
        kernel: () => ({ name: gradientName, source, directives: ["GRADIENT"] }),
        jobs: () =>
          elementwiseJobs(dx, (job) => ({
            ...indexed(job),
            x: upstream.at(job, replicas),
            x_stride: upstream.stride,
            x_rows: upstream.rows,
          })),
      });
      return [dx];
    },
  });
  return y;
}

/** Gathered rows in double precision. */
export function gatherRowsReference(x: Matrix, index: Matrix, group = 0): Matrix {
  const rows = Array.from(index.values, (number, r) => {
    const start = (r * group + number) * x.columns;
    return [...x.values.subarray(start, start + x.columns)];
  });
  return matrix(rows.length, x.columns, rows.flat());
}
