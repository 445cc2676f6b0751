/**
 * Log-sum-exp over columns.
 *
 * @module
 */
import type { Graph } from "../graph.ts";
import { mapRows, type Matrix } from "../matrix.ts";
import { registerOperation } from "../operations.ts";
import { Tensor } from "../tensor.ts";
import { sharesOf } from "./elementwise.ts";
import { requireNoGaps } from "./shapes.ts";
import { multiply } from "./entrywise.ts";
import { softmax, softmaxJobs, softmaxKernelSource } from "./softmax.ts";

const name = registerOperation("log-sum-exp");

/** Returns log Σ eˣ over the columns of x `[R, rows, columns]`: `[R, rows, 1]`. */
export function logSumExp(graph: Graph, x: Tensor): Tensor {
  requireNoGaps(name, x);
  const y = new Tensor({ replicas: x.replicas, rows: x.rows, columns: 1 });
  graph.record({
    name,
    inputs: [x],
    reads: [x],
    writes: [y],
    kernel: () => ({
      name,
      source: softmaxKernelSource,
      directives: ["LOG_SUM"],
      constants: { SHARES: sharesOf(x) },
    }),
    jobs: () => softmaxJobs(x, y),
    gradient: (upstream) => [multiply(graph, softmax(graph, x), upstream)],
  });
  return y;
}

/** Log-sum-exp of each row in double precision. */
export function logSumExpReference(x: Matrix): Matrix {
  return mapRows(x, (row) => {
    const largest = Math.max(...row);
    return [largest + Math.log(row.reduce((sum, value) => sum + Math.exp(value - largest), 0))];
  });
}
