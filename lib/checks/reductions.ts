/**
 * Checks of reductions (sums and means, softmax, minimum over heads, norms) and of broadcasts.
 *
 * @module
 */
import { type Matrix, scalar, sum, zip } from "../autodiff/matrix.ts";
import {
  broadcast,
  broadcastReference,
  mean,
  meanColumns,
  meanHeads,
  meanRows,
  scaledReference,
  sumColumns,
  sumColumnsReference,
  sumHeads,
  sumHeadsReference,
  sumRows,
  sumRowsReference,
} from "../autodiff/ops/broadcast.ts";
import { multiply, subtract } from "../autodiff/ops/entrywise.ts";
import { logSumExp, logSumExpReference } from "../autodiff/ops/log_sum_exp.ts";
import { minimumOverHeads, minimumOverHeadsReference } from "../autodiff/ops/minimum_over_heads.ts";
import { globalNorm, globalNormReference } from "../autodiff/ops/norm.ts";
import { lossOf } from "../autodiff/ops/report.ts";
import { softmax, softmaxReference } from "../autodiff/ops/softmax.ts";
import type { Graph } from "../autodiff/graph.ts";
import type { Tensor } from "../autodiff/tensor.ts";
import { type Case, type Check, compared } from "./check.ts";

const limit = 5e-6;
const sizes = [[1, 1], [7, 13], [33, 257]] as const;
const each = (make: (rows: number, columns: number, replicas: number) => Case): Case[] =>
  sizes.flatMap(([rows, columns]) => [1, 3].map((replicas) => make(rows, columns, replicas)));

/** Creates a check of an operation on one tensor with `heads` heads. */
function single(
  name: string,
  record: (graph: Graph, x: Tensor) => Tensor,
  reference: (x: readonly Matrix[]) => Matrix[],
  heads = 1,
): Check {
  return {
    name,
    limit,
    cases: each((rows, columns, replicas) =>
      compared({
        shape: `${rows}×${columns}${heads > 1 ? `, ${heads} heads` : ""}`,
        replicas,
        inputs: { x: { rows, columns, heads, wanted: true } },
        record: (graph, { x }) => ({ results: { y: record(graph, x) }, objective: "y" }),
        reference: ({ x }) => ({ y: reference(x) }),
      })
    ),
  };
}

const sums: Check[] = [
  single("sum over columns", sumColumns, ([x]) => [sumColumnsReference(x!)]),
  single("mean over columns", meanColumns, ([x]) => [
    scaledReference(sumColumnsReference(x!), 1 / x!.columns),
  ]),
  single("sum over rows", sumRows, ([x]) => [sumRowsReference(x!)]),
  single("mean over rows", meanRows, ([x]) => [
    scaledReference(sumRowsReference(x!), 1 / x!.rows),
  ]),
  single("sum over heads", (graph, x) => sumHeads(graph, x, 3), (x) => [sumHeadsReference(x)], 3),
  single("mean over heads", (graph, x) => meanHeads(graph, x, 2), (x) => [
    scaledReference(sumHeadsReference(x), 1 / 2),
  ], 2),
  single("minimum over heads", (graph, x) => minimumOverHeads(graph, x, 3), (x) => [
    minimumOverHeadsReference(x),
  ], 3),
  single("softmax", softmax, ([x]) => [softmaxReference(x!)]),
  single("log-sum-exp", logSumExp, ([x]) => [logSumExpReference(x!)]),
];

/** Sums over groups of a broadcast's rows, as over the K candidates of each state. */
const groups: Check = {
  name: "broadcast, then sum over groups of rows",
  limit,
  cases: [[1, 1, 1], [7, 13, 5], [3, 65, 32]].flatMap(([rows, columns, k]) =>
    [1, 3].map((replicas) =>
      compared({
        shape: `${rows}×${columns}, groups of ${k}`,
        replicas,
        inputs: {
          x: { rows: rows!, columns: columns!, wanted: true },
          noise: { rows: rows! * k!, columns: columns!, wanted: true },
        },
        record: (graph, { x, noise }) => {
          const repeated = broadcast(graph, x, {
            replicas: x.replicas,
            rows: noise.rows,
            columns: x.columns,
          });
          return {
            results: { y: sumRows(graph, multiply(graph, repeated, noise), k!) },
            objective: "y",
          };
        },
        reference: ({ x: [x], noise: [noise] }) => {
          const repeated = broadcastReference(x, noise.rows, noise.columns);
          return { y: [sumRowsReference(zip(repeated, noise, (a, b) => a * b), k)] };
        },
      })
    )
  ),
};

/** Broadcasts one column to many and each replica to two heads. */
const spread: Check = {
  name: "broadcast",
  limit,
  cases: each((rows, columns, replicas) =>
    compared({
      shape: `${rows}×1 to ${2 * rows}×${columns}, 2 heads`,
      replicas,
      inputs: { x: { rows, columns: 1, wanted: true } },
      record: (graph, { x }) => ({
        results: {
          y: broadcast(graph, x, { replicas: 2 * x.replicas, rows: 2 * rows, columns }),
        },
        objective: "y",
      }),
      reference: ({ x: [x] }) => {
        const y = broadcastReference(x, 2 * rows, columns);
        return { y: [y, y] };
      },
    })
  ),
};

/** The mean squared error, composed of other operations, as a loss. */
const loss: Check = {
  name: "report",
  limit,
  cases: each((rows, columns, replicas) =>
    compared({
      shape: `${rows}×${columns}`,
      replicas,
      inputs: { x: { rows, columns, wanted: true }, y: { rows, columns, wanted: true } },
      record: (graph, { x, y }) => {
        const difference = subtract(graph, x, y);
        return {
          results: {},
          objective: lossOf(graph, "loss", mean(graph, multiply(graph, difference, difference))),
        };
      },
      reference: ({ x, y }) => ({
        loss: [
          scalar(sum(zip(x[0], y[0], (a, b) => (a - b) ** 2)) / (rows * columns)),
        ],
      }),
    })
  ),
};

/** The norm of two tensors, one of them with two heads. */
const norms: Check = {
  name: "squared sums",
  limit,
  cases: each((rows, columns, replicas) =>
    compared({
      shape: `${rows}×${columns} and 5×3`,
      replicas,
      inputs: { a: { rows, columns, heads: 2 }, b: { rows: 5, columns: 3 } },
      record: (graph, { a, b }) => ({ results: { norm: globalNorm(graph, [a, b]) } }),
      reference: ({ a, b }) => ({ norm: [scalar(globalNormReference([...a, ...b]))] }),
    })
  ),
};

/** Checks of reductions and broadcasts. */
export const reductionChecks: readonly Check[] = [...sums, groups, spread, loss, norms];
