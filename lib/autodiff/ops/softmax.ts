/**
 * Softmax over columns.
 *
 * @module
 */
import nanSource from "../../../shaders/nan.wgsl" with { type: "text" };
import softmaxSource from "../../../shaders/softmax.wgsl" with { type: "text" };
import type { Job } from "../../gpu/kernel.ts";
import type { Graph } from "../graph.ts";
import { mapRows, type Matrix } from "../matrix.ts";
import { registerOperation } from "../operations.ts";
import { Tensor } from "../tensor.ts";
import { sumColumns } from "./broadcast.ts";
import { sharesOf, workgroup } from "./elementwise.ts";
import { requireNoGaps } from "./shapes.ts";
import { multiply, subtract } from "./entrywise.ts";

const name = registerOperation("softmax");

/** WGSL of softmax, and of log-sum-exp with the directive LOG_SUM. */
export const softmaxKernelSource: string = nanSource + softmaxSource;

/** Returns the softmax of each row of x `[R, rows, columns]`. */
export function softmax(graph: Graph, x: Tensor): Tensor {
  requireNoGaps(name, x);
  const { replicas, rows, columns } = x;
  const y = new Tensor({ replicas, rows, columns });
  graph.record({
    name,
    inputs: [x],
    reads: [x],
    writes: [y],
    kernel: () => ({ name, source: softmaxKernelSource, constants: { SHARES: sharesOf(x) } }),
    jobs: () => softmaxJobs(x, y),
    gradient: (upstream) => {
      const along = sumColumns(graph, multiply(graph, upstream, y));
      return [multiply(graph, subtract(graph, upstream, along), y)];
    },
  });
  return y;
}

/** Returns jobs whose workgroups each have the rows that fit with {@linkcode sharesOf}. */
export function softmaxJobs(x: Tensor, out: Tensor): Job[] {
  return Array.from({ length: out.replicas }, (_, job) => ({
    fields: {
      rows: x.rows,
      columns: x.columns,
      x: x.at(job, out.replicas),
      x_stride: x.stride,
      out: out.at(job, out.replicas),
      out_stride: out.stride,
    },
    tiles: Math.ceil(x.rows * sharesOf(x) / workgroup),
  }));
}

/** Softmax of each row in double precision. */
export function softmaxReference(x: Matrix): Matrix {
  return mapRows(x, (row) => {
    const largest = Math.max(...row);
    const powers = Array.from(row, (value) => Math.exp(value - largest));
    const total = powers.reduce((a, b) => a + b, 0);
    return powers.map((power) => power / total);
  });
}
