/**
 * Checks of addition, concatenation, copies and dropout.
 *
 * @module
 */
import { add, multiply, tanh } from "../autodiff/ops/entrywise.ts";
import { concatenate } from "../autodiff/ops/concatenate.ts";
import { dropout, dropoutReference } from "../autodiff/ops/dropout.ts";
import { copy } from "../autodiff/ops/copy.ts";
import { type Case, type Check, compared } from "./check.ts";
import { beside, map, mapRows, zip } from "../autodiff/matrix.ts";

const sizes = [[1, 1], [7, 13], [33, 257]] as const;
const each = (make: (rows: number, columns: number, replicas: number) => Case): Case[] =>
  sizes.flatMap(([rows, columns]) => [1, 3].map((replicas) => make(rows, columns, replicas)));

/**
 * (a + b) + a: both gradients pass through one tensor, and the gradient of a accumulates two
 * contributions.
 */
const addition: Check = {
  name: "add, where gradients meet",
  limit: 1e-6,
  cases: each((rows, columns, replicas) =>
    compared({
      shape: `${rows}×${columns}`,
      replicas,
      inputs: { a: { rows, columns, wanted: true }, b: { rows, columns, wanted: true } },
      record: (graph, { a, b }) => ({
        results: { y: add(graph, add(graph, a, b), a) },
        objective: "y",
      }),
      reference: ({ a, b }) => ({ y: [zip(a[0], b[0], (x, y) => x + y + x)] }),
    })
  ),
};

/**
 * One part is computed in place in the concatenation, an input is copied into it, and a tensor may
 * occur as several parts.
 */
const concatenation: Check = {
  name: "concatenate",
  limit: 5e-6,
  cases: [[1, 1, 1], [7, 3, 11], [33, 257, 8]].flatMap(([rows, left, right]) =>
    [1, 3].map((replicas) =>
      compared({
        shape: `${rows}×(${left}+${right}+${left})`,
        replicas,
        inputs: {
          a: { rows: rows!, columns: left!, wanted: true },
          b: { rows: rows!, columns: right!, wanted: true },
        },
        record: (graph, { a, b }) => {
          const h = tanh(graph, a);
          return {
            results: { y: concatenate(graph, [h, b, h]) },
            objective: "y",
            segments: [left!, right!, left!],
          };
        },
        reference: ({ a, b }) => {
          const h = map(a[0], Math.tanh);
          return { y: [beside(h, b[0], h)] };
        },
      })
    )
  ),
};

/** Functions that keep the padding zero may be applied to a concatenation. */
const throughConcatenation: Check = {
  name: "concatenate, then entrywise",
  limit: 5e-6,
  cases: [1, 3].map((replicas) =>
    compared({
      shape: "7×(3+11)",
      replicas,
      inputs: {
        a: { rows: 7, columns: 3, wanted: true },
        b: { rows: 7, columns: 11, wanted: true },
        c: { rows: 7, columns: 1, wanted: true },
      },
      record: (graph, { a, b, c }) => {
        const whole = tanh(graph, concatenate(graph, [a, b]));
        return {
          results: { y: multiply(graph, whole, c) },
          objective: "y",
          segments: [3, 11],
        };
      },
      reference: ({ a, b, c }) => ({
        y: [
          mapRows(beside(a[0], b[0]), (row, r) =>
            Array.from(row, (value) => Math.tanh(value) * c[0].values[r]!)),
        ],
      }),
    })
  ),
};

/** A concatenation within a concatenation is copied. */
const nested: Check = {
  name: "concatenate, nested",
  limit: 5e-6,
  cases: [1, 3].map((replicas) =>
    compared({
      shape: "7×((4+8)+3)",
      replicas,
      inputs: {
        a: { rows: 7, columns: 4, wanted: true },
        b: { rows: 7, columns: 8, wanted: true },
        c: { rows: 7, columns: 3, wanted: true },
      },
      record: (graph, { a, b, c }) => {
        const parts = [a, b].map((part) => tanh(graph, part));
        const inner = concatenate(graph, parts);
        return {
          results: { y: concatenate(graph, [inner, c]) },
          objective: "y",
          segments: [12, 3],
        };
      },
      reference: ({ a, b, c }) => ({
        y: [beside(map(a[0], Math.tanh), map(b[0], Math.tanh), c[0])],
      }),
    })
  ),
};

/** A function of a concatenation keeps the padding between its columns in another concatenation. */
const nestedFunction: Check = {
  name: "concatenate, a function of a concatenation",
  limit: 5e-6,
  cases: [1, 3].map((replicas) =>
    compared({
      shape: "7×((3+5)+6)",
      replicas,
      inputs: {
        a: { rows: 7, columns: 3, wanted: true },
        b: { rows: 7, columns: 5, wanted: true },
        c: { rows: 7, columns: 6, wanted: true },
      },
      record: (graph, { a, b, c }) => ({
        results: { y: concatenate(graph, [tanh(graph, concatenate(graph, [a, b])), c]) },
        objective: "y",
        segments: [3, 5, 6],
      }),
      reference: ({ a, b, c }) => ({
        y: [beside(map(beside(a[0], b[0]), Math.tanh), c[0])],
      }),
    })
  ),
};

const copied: Check = {
  name: "copy",
  limit: 0,
  cases: each((rows, columns, replicas) =>
    compared({
      shape: `${rows}×${columns}`,
      replicas,
      inputs: { x: { rows, columns } },
      record: (graph, { x }) => ({ results: { y: copy(graph, x) } }),
      reference: ({ x }) => ({ y: [x[0]] }),
    })
  ),
};

const dropped: Check = {
  name: "dropout, given mask",
  limit: 1e-6,
  cases: each((rows, columns, replicas) =>
    compared({
      shape: `${rows}×${columns}`,
      replicas,
      inputs: {
        x: { rows, columns, wanted: true },
        mask: { rows, columns, from: keepMask },
      },
      record: (graph, { x, mask }) => ({
        results: { y: dropout(graph, x, { rate: 0.1, keep: { mask } }) },
        objective: "y",
      }),
      reference: ({ x, mask }) => ({ y: [dropoutReference(x[0], mask[0], 0.1)] }),
    })
  ),
};

/** Maps a normal number to a mask value: nine in ten entries are kept. */
export function keepMask(z: number): number {
  return z > -1.2815515655446004 ? 1 : 0;
}

/** Checks of addition, concatenation, copies and dropout. */
export const elementwiseChecks: readonly Check[] = [
  addition,
  concatenation,
  throughConcatenation,
  nested,
  nestedFunction,
  copied,
  dropped,
];
