/**
 * Checks of the table of entrywise functions, of broadcast operands and of fused chains.
 *
 * @module
 */
import {
  add,
  divide,
  entrywise,
  exp,
  multiply,
  scale,
  sigmoid,
  subtract,
} from "../autodiff/ops/entrywise.ts";
import {
  type EntrywiseFunction,
  entrywiseFunctions,
  type EntrywiseName,
} from "../autodiff/ops/entrywise_functions.ts";
import { matrix } from "../autodiff/matrix.ts";
import { type Case, type Check, compared } from "./check.ts";

const sizes = [[1, 1], [7, 13], [33, 257]] as const;
const each = (make: (rows: number, columns: number, replicas: number) => Case): Case[] =>
  sizes.flatMap(([rows, columns]) => [1, 3].map((replicas) => make(rows, columns, replicas)));

/** Away from zero, where quotients and logarithms are steep. */
const positive = (z: number) => 0.2 + Math.abs(z);
/** Covers the tails. */
const wide = (z: number) => 4 * z;

/** Distributions of the operands; the default is standard normal. */
const domains: Partial<Record<EntrywiseName, (z: number) => number>> = {
  log: positive,
  sqrt: positive,
  sin: wide,
  cos: wide,
  relu: wide,
  softplus: wide,
  mish: wide,
  silu: wide,
  gelu: wide,
};
const constants: Partial<Record<EntrywiseName, readonly number[]>> = {
  scale: [-1.7],
  shift: [0.6],
  clip: [-0.5, 0.8],
};

const functions: Check[] = (Object.keys(entrywiseFunctions) as EntrywiseName[]).map((name) => {
  const { gradients, reference }: EntrywiseFunction = entrywiseFunctions[name];
  const given = constants[name] ?? [];
  const from = domains[name] ?? ((z: number) => z);
  return {
    name,
    limit: 5e-6,
    cases: each((rows, columns, replicas) => {
      const a = { rows, columns, wanted: true, from };
      const b = { rows, columns, wanted: true, from: name === "divide" ? positive : from };
      const binary = gradients.length > 1;
      return compared<string>({
        shape: `${rows}×${columns}`,
        replicas,
        inputs: binary ? { a, b } : { a },
        record: (graph, inputs) => ({
          results: { y: entrywise(graph, name, Object.values(inputs), given) },
          objective: "y",
        }),
        reference: (inputs) => {
          const operands = Object.values(inputs).map(([only]) => only.values);
          const value = (_: number, i: number) =>
            reference(...operands.map((numbers) => numbers[i]!), ...given);
          return { y: [matrix(rows, columns, operands[0]!.map(value))] };
        },
      });
    }),
  };
});

/**
 * a is a row, b a column, c a scalar and d has one matrix per head. Each gradient is summed over
 * the broadcast axes.
 */
const broadcasting: Check = {
  name: "entrywise, broadcast operands",
  limit: 1e-5,
  cases: each((rows, columns, replicas) =>
    compared({
      shape: `${rows}×${columns}, 2 heads`,
      replicas,
      inputs: {
        a: { rows: 1, columns, wanted: true },
        b: { rows, columns: 1, wanted: true },
        c: { rows: 1, columns: 1, wanted: true },
        d: { rows, columns, heads: 2, wanted: true },
      },
      record: (graph, { a, b, c, d }) => ({
        results: { y: multiply(graph, subtract(graph, d, a), add(graph, b, c)) },
        objective: "y",
      }),
      reference: ({ a: [a], b: [b], c: [c], d }) => ({
        y: d.map((head) =>
          matrix(
            rows,
            columns,
            head.values.map((value, i) => {
              const [row, column] = [Math.floor(i / columns), i % columns];
              return (value - a.values[column]!) * (b.values[row]! + c.values[0]!);
            }),
          )
        ),
      }),
    })
  ),
};

/** A parameter as operand, like the log standard deviation of a Gaussian policy. */
const parameter: Check = {
  name: "entrywise, of a parameter",
  limit: 1e-5,
  cases: each((rows, columns, replicas) =>
    compared({
      shape: `${rows}×${columns}`,
      replicas,
      inputs: {
        x: { rows, columns, wanted: true },
        logDeviation: { rows: 1, columns, parameter: true, wanted: true },
      },
      record: (graph, { x, logDeviation }) => ({
        results: { y: divide(graph, x, exp(graph, logDeviation)) },
        objective: "y",
      }),
      reference: ({ x: [x], logDeviation: [log] }) => ({
        y: [matrix(rows, columns, x.values.map((v, i) => v / Math.exp(log.values[i % columns]!)))],
      }),
    })
  ),
};

/**
 * Quotients within a chain are not finite in the padding, but only the final result is stored, with
 * its padding zero.
 */
const chain: Check = {
  name: "entrywise, chain",
  limit: 1e-5,
  cases: each((rows, columns, replicas) =>
    compared({
      shape: `${rows}×${columns}`,
      replicas,
      inputs: {
        a: { rows, columns, wanted: true },
        b: { rows, columns, wanted: true, from: positive },
      },
      record: (graph, { a, b }) => {
        const gate = sigmoid(graph, scale(graph, a, 2));
        const y = multiply(graph, divide(graph, gate, b), exp(graph, subtract(graph, a, b)));
        return { results: { y }, objective: "y" };
      },
      reference: ({ a: [a], b: [b] }) => ({
        y: [matrix(
          rows,
          columns,
          a.values.map((x, i) => {
            const z = b.values[i]!;
            return Math.exp(x - z) / (1 + Math.exp(-2 * x)) / z;
          }),
        )],
      }),
    })
  ),
};

/** Checks of entrywise operations. */
export const entrywiseChecks: readonly Check[] = [...functions, broadcasting, parameter, chain];
