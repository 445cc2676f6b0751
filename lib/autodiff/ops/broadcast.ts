/**
 * Broadcasts, and sums over columns, rows and heads. Each is the gradient of the other.
 *
 * @module
 */
import headsSource from "../../../shaders/heads.wgsl" with { type: "text" };
import sumColumnsSource from "../../../shaders/sum_columns.wgsl" with { type: "text" };
import sumRowsSource from "../../../shaders/sum_rows.wgsl" with { type: "text" };
import type { Graph } from "../graph.ts";
import { map, mapRows, type Matrix, matrix, zip } from "../matrix.ts";
import { registerOperation } from "../operations.ts";
import { Tensor } from "../tensor.ts";
import { elementwiseJobs, sharesOf, workgroup } from "./elementwise.ts";
import { requireNoGaps } from "./shapes.ts";
import { Entrywise } from "./entrywise_kernel.ts";

const broadcastName = registerOperation("broadcast");
const columnsName = registerOperation("sum over columns");
const rowsName = registerOperation("sum over rows");
const headsName = registerOperation("sum over heads");

/** The shape that a tensor is broadcast to. */
export interface BroadcastShape {
  /** A multiple of the tensor's replicas. Each of these serves that many neighboring ones. */
  readonly replicas: number;
  /** A multiple of the tensor's rows. Each of these is repeated that many times. */
  readonly rows: number;
  /** The tensor's columns, or any number if the tensor has one column. */
  readonly columns: number;
}

/**
 * Broadcasts x `[R, rows, columns]`. With K times the rows, as for K candidates per state, row r of
 * x becomes rows K r to K r + K − 1.
 */
export function broadcast(graph: Graph, x: Tensor, to: BroadcastShape): Tensor {
  return scaledBroadcast(graph, x, to, 1);
}

function scaledBroadcast(graph: Graph, x: Tensor, to: BroadcastShape, factor: number): Tensor {
  requireNoGaps("broadcast", x);
  if (
    to.replicas % x.replicas !== 0 || to.rows % x.rows !== 0 ||
    (x.columns !== 1 && x.columns !== to.columns)
  ) {
    const { replicas, rows, columns } = to;
    throw new Error(`broadcast: cannot broadcast ${x} to [${replicas}, ${rows}, ${columns}]`);
  }
  const y = new Tensor({ replicas: to.replicas, rows: to.rows, columns: to.columns });
  const expression = factor === 1
    ? x
    : { wgsl: "a * k", operands: { a: x }, constants: { k: factor } };
  graph.record(
    new Entrywise(broadcastName, y, expression, [x], (upstream) => [
      summedTo(graph, upstream, x, factor),
    ]),
  );
  return y;
}

/** Broadcast of a single matrix in double precision. */
export function broadcastReference(x: Matrix, rows: number, columns: number): Matrix {
  const values = Float64Array.from({ length: rows * columns }, (_, i) => {
    const row = Math.floor(i / columns / (rows / x.rows));
    return x.values[row * x.columns + (x.columns === 1 ? 0 : i % columns)]!;
  });
  return { rows, columns, values };
}

/**
 * Sums x over the axes along which a tensor of the shape of `like` was broadcast to the shape of x,
 * and multiplies by `factor`.
 */
export function summedTo(graph: Graph, x: Tensor, like: Tensor, factor = 1): Tensor {
  let sum = x;
  let left = factor;
  const take = () => {
    const now = left;
    left = 1;
    return now;
  };
  if (like.columns < x.columns) sum = sumOverColumns(graph, sum, take());
  if (like.rows < x.rows) sum = sumOverRows(graph, sum, x.rows / like.rows, take());
  if (like.replicas < x.replicas) {
    sum = sumOverHeads(graph, sum, x.replicas / like.replicas, take());
  }
  return left === 1 ? sum : scaledBroadcast(graph, sum, sum, left);
}

/** Sums over the columns of x `[R, rows, columns]`: `[R, rows, 1]`. */
export function sumColumns(graph: Graph, x: Tensor): Tensor {
  return sumOverColumns(graph, x, 1);
}

/** Means over the columns of x `[R, rows, columns]`: `[R, rows, 1]`. */
export function meanColumns(graph: Graph, x: Tensor): Tensor {
  return sumOverColumns(graph, x, 1 / x.columns);
}

/**
 * Sums over the rows of x `[R, rows, columns]`: `[R, 1, columns]`. With `group`, sums over each
 * group of that many consecutive rows: `[R, rows / group, columns]`.
 */
export function sumRows(graph: Graph, x: Tensor, group: number = x.rows): Tensor {
  return sumOverRows(graph, x, group, 1);
}

/**
 * Means over the rows of x `[R, rows, columns]`: `[R, 1, columns]`. With `group`, means over each
 * group of that many consecutive rows: `[R, rows / group, columns]`.
 */
export function meanRows(graph: Graph, x: Tensor, group: number = x.rows): Tensor {
  return sumOverRows(graph, x, group, 1 / group);
}

/**
 * Sums over the heads (neighboring replicas) of x `[heads · R, rows, columns]`: `[R, rows,
 * columns]`.
 */
export function sumHeads(graph: Graph, x: Tensor, heads: number): Tensor {
  return sumOverHeads(graph, x, heads, 1);
}

/**
 * Means over the heads (neighboring replicas) of x `[heads · R, rows, columns]`: `[R, rows,
 * columns]`.
 */
export function meanHeads(graph: Graph, x: Tensor, heads: number): Tensor {
  return sumOverHeads(graph, x, heads, 1 / heads);
}

/** Mean over all entries of a replica of x `[R, rows, columns]`: `[R, 1, 1]`. */
export function mean(graph: Graph, x: Tensor): Tensor {
  return meanRows(graph, meanColumns(graph, x));
}

function sumOverColumns(graph: Graph, x: Tensor, factor: number): Tensor {
  const y = new Tensor({ replicas: x.replicas, rows: x.rows, columns: 1 });
  graph.record({
    name: columnsName,
    inputs: [x],
    reads: [x],
    writes: [y],
    kernel: () => ({
      name: "sum columns",
      source: sumColumnsSource,
      constants: { SHARES: sharesOf(x) },
    }),
    jobs: () =>
      Array.from({ length: y.replicas }, (_, job) => ({
        fields: {
          rows: x.rows,
          width: x.width / 4,
          factor,
          x: x.at(job, y.replicas),
          x_stride: x.stride,
          out: y.at(job, y.replicas),
          out_stride: y.stride,
        },
        tiles: Math.ceil(x.rows * sharesOf(x) / workgroup),
      })),
    gradient: (upstream) => {
      requireNoGaps(columnsName, x);
      return [scaledBroadcast(graph, upstream, x, factor)];
    },
  });
  return y;
}

function sumOverRows(graph: Graph, x: Tensor, group: number, factor: number): Tensor {
  requireNoGaps(rowsName, x);
  if (x.rows % group !== 0) {
    throw new Error(`sumRows: cannot group the rows of ${x} by ${group}`);
  }
  const y = new Tensor({ replicas: x.replicas, rows: x.rows / group, columns: x.columns });
  // Column vec4s per workgroup of 64 invocations. The other invocations split the rows of a column.
  const across = Math.min(4, x.width / 4);
  const COLUMNS = across === 3 ? 4 : across;
  graph.record({
    name: rowsName,
    inputs: [x],
    reads: [x],
    writes: [y],
    kernel: () => ({ name: "sum rows", source: sumRowsSource, constants: { COLUMNS } }),
    jobs: () => {
      const blocks = Math.ceil(x.width / 4 / COLUMNS);
      return Array.from({ length: y.replicas }, (_, job) => ({
        fields: {
          rows: y.rows,
          width: x.width / 4,
          group,
          blocks,
          factor,
          x: x.at(job, y.replicas),
          x_stride: x.stride,
          out: y.at(job, y.replicas),
          out_stride: y.stride,
        },
        tiles: y.rows * blocks,
      }));
    },
    gradient: (upstream) => [scaledBroadcast(graph, upstream, x, factor)],
  });
  return y;
}

function sumOverHeads(graph: Graph, x: Tensor, heads: number, factor: number): Tensor {
  requireNoGaps(headsName, x);
  if (x.replicas % heads !== 0) {
    throw new Error(`sumHeads: the replicas of ${x} are not a multiple of ${heads} heads`);
  }
  const y = new Tensor({ replicas: x.replicas / heads, rows: x.rows, columns: x.columns });
  graph.record({
    name: headsName,
    inputs: [x],
    reads: [x],
    writes: [y],
    kernel: () => ({ name: "sum heads", source: headsSource, directives: ["SUM"] }),
    jobs: () =>
      elementwiseJobs(y, (job) => ({
        heads,
        factor,
        x: x.at(job * heads, x.replicas),
        x_head: x.storage.replicaSize / 4,
        x_stride: x.stride,
      })),
    gradient: (upstream) => [scaledBroadcast(graph, upstream, x, factor)],
  });
  return y;
}

/** Sums over columns in double precision. */
export function sumColumnsReference(x: Matrix): Matrix {
  return mapRows(x, (row) => [row.reduce((a, b) => a + b, 0)]);
}

/** Sums over groups of rows in double precision. */
export function sumRowsReference(x: Matrix, group: number = x.rows): Matrix {
  const values = new Float64Array((x.rows / group) * x.columns);
  x.values.forEach((value, i) => {
    const row = Math.floor(Math.floor(i / x.columns) / group);
    values[row * x.columns + (i % x.columns)]! += value;
  });
  return matrix(x.rows / group, x.columns, values);
}

/** Sum over heads in double precision. */
export function sumHeadsReference(heads: readonly Matrix[]): Matrix {
  return heads.reduce((a, b) => zip(a, b, (x, y) => x + y));
}

/** Returns x times `factor`. */
export function scaledReference(x: Matrix, factor: number): Matrix {
  return map(x, (value) => value * factor);
}
