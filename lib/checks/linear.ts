/**
 * Checks of linear layers: every activation, the residual, networks that share an input, and the
 * operations that are merged into the products of the gradient.
 *
 * @module
 */
import { concatenate } from "../autodiff/ops/concatenate.ts";
import { linear } from "../autodiff/ops/linear.ts";
import { entrywise } from "../autodiff/ops/entrywise.ts";
import { type Case, type Check, compared } from "./check.ts";
import { affine, beside, map, type Matrix, mish, relu, zip } from "../autodiff/matrix.ts";

const sizes = [[1, 1, 1], [7, 13, 5], [33, 257, 3], [33, 257, 65]] as const;
const families = [{ replicas: 1, heads: 1 }, { replicas: 3, heads: 2 }];
const single = [{ replicas: 1, heads: 1 }, { replicas: 3, heads: 1 }];
const limit = 1e-5;

const activations = { none: (x: number) => x, relu, tanh: Math.tanh, mish };

function layer(activation: keyof typeof activations): Check {
  return {
    name: activation === "none" ? "linear" : `linear, ${activation}`,
    limit,
    cases: sizes.flatMap(([rows, inputs, outputs]) =>
      // For the activations, heads are only checked at small shapes.
      (activation === "none" || inputs < 100 ? families : single).map(({ replicas, heads }) =>
        compared({
          shape: `${rows}×${inputs}→${outputs}` + (heads > 1 ? `, ${heads} heads` : ""),
          replicas,
          inputs: {
            x: { rows, columns: inputs, wanted: true },
            weight: weight(outputs, inputs, heads),
            bias: { rows: 1, columns: outputs, heads, parameter: true, wanted: true },
          },
          record: (graph, { x, weight, bias }) => ({
            results: { y: linear(graph, x, { weight, bias }, activation) },
            objective: "y",
          }),
          reference: ({ x, weight, bias }) => ({
            y: weight.map((w, head) => map(affine(x[0], w, bias[head]!), activations[activation])),
          }),
        })
      )
    ),
  };
}

/** Creates a case of a layer whose input is added to its result before the activation. */
function residual(
  activation: keyof typeof activations,
  rows: number,
  columns: number,
  replicas: number,
): Case {
  return compared({
    shape: `${rows}×${columns}, ${activation}`,
    replicas,
    inputs: {
      x: { rows, columns, wanted: true },
      weight: weight(columns, columns),
      bias: { rows: 1, columns, parameter: true, wanted: true },
    },
    record: (graph, { x, weight, bias }) => ({
      results: { y: linear(graph, x, { weight, bias }, activation, x) },
      objective: "y",
    }),
    reference: ({ x, weight, bias }) => {
      const sum = zip(affine(x[0], weight[0], bias[0]), x[0], (a, b) => a + b);
      return { y: [map(sum, activations[activation])] };
    },
  });
}

/**
 * Creates a case of two layers. The product with the upper weight applies the derivative of the
 * lower activation.
 */
function stacked(
  activation: "relu" | "tanh" | "mish",
  rows: number,
  columns: number,
  replicas: number,
): Case {
  return compared({
    shape: `${rows}×${columns}→9→3, ${activation}`,
    replicas,
    inputs: {
      // Small, so that tanh does not saturate: there, its derivative is the rounding error of 1 −
      // tanh².
      x: { rows, columns, wanted: true, from: (z) => z / 2 },
      lower: weight(9, columns),
      upper: weight(3, 9),
      lowerBias: { rows: 1, columns: 9, parameter: true, wanted: true },
      upperBias: { rows: 1, columns: 3, parameter: true, wanted: true },
    },
    record: (graph, { x, lower, upper, lowerBias, upperBias }) => {
      const h = linear(graph, x, { weight: lower, bias: lowerBias }, activation);
      return {
        results: { y: linear(graph, h, { weight: upper, bias: upperBias }) },
        objective: "y",
      };
    },
    reference: ({ x, lower, upper, lowerBias, upperBias }) => {
      const h = map(affine(x[0], lower[0], lowerBias[0]), activations[activation]);
      return { y: [affine(h, upper[0], upperBias[0])] };
    },
  });
}

/**
 * Creates a case of a layer that is applied twice and whose input also bypasses it. The gradients
 * of the input accumulate in the last product, and those of the weight in an addition. An
 * activation precedes the layer.
 */
function meeting(
  activation: "relu" | "tanh" | "mish",
  rows: number,
  columns: number,
  replicas: number,
): Case {
  return compared({
    shape: `${rows}×${columns} twice, ${activation}`,
    replicas,
    inputs: {
      x: { rows, columns, wanted: true },
      weight: weight(columns, columns),
      bias: { rows: 1, columns, parameter: true, wanted: true },
    },
    record: (graph, { x, weight, bias }) => {
      const h = entrywise(graph, activation, [x]);
      const one = linear(graph, h, { weight, bias });
      return { results: { y: linear(graph, one, { weight, bias }, "none", h) }, objective: "y" };
    },
    reference: ({ x, weight, bias }) => {
      const apply = (h: Matrix) => affine(h, weight[0], bias[0]);
      const h = map(x[0], activations[activation]);
      return { y: [zip(apply(apply(h)), h, (a, b) => a + b)] };
    },
  });
}

/** Creates a case of a layer that reads a concatenation of two inputs with padding between them. */
function segmented(rows: number, widths: readonly [number, number], replicas: number): Case {
  const columns = widths[0] + widths[1];
  return compared({
    shape: `${rows}×(${widths.join("+")})→5`,
    replicas,
    inputs: {
      a: { rows, columns: widths[0], wanted: true },
      b: { rows, columns: widths[1], wanted: true },
      weight: { ...weight(5, columns), segments: widths },
      bias: { rows: 1, columns: 5, parameter: true, wanted: true },
    },
    record: (graph, { a, b, weight, bias }) => ({
      results: { y: linear(graph, concatenate(graph, [a, b]), { weight, bias }) },
      objective: "y",
    }),
    reference: ({ a, b, weight, bias }) => ({
      y: [affine(beside(a[0], b[0]), weight[0], bias[0])],
    }),
  });
}

function weight(rows: number, columns: number, heads = 1) {
  const scale = 1 / Math.sqrt(columns);
  return { rows, columns, heads, parameter: true, wanted: true, from: (z: number) => z * scale };
}

const square = [[1, 1], [7, 13], [33, 40]] as const;
const each = (make: (rows: number, columns: number, replicas: number) => Case): Case[] =>
  square.flatMap(([rows, columns]) => [1, 3].map((replicas) => make(rows, columns, replicas)));

/** Checks of linear layers. */
export const linearChecks: readonly Check[] = [
  layer("none"),
  layer("relu"),
  layer("tanh"),
  layer("mish"),
  {
    name: "linear, residual",
    limit,
    cases: (["none", "relu", "tanh", "mish"] as const).flatMap((activation) =>
      each((rows, columns, replicas) => residual(activation, rows, columns, replicas))
    ),
  },
  {
    name: "linear, after an activation",
    limit,
    cases: (["relu", "tanh", "mish"] as const).flatMap((activation) =>
      each((rows, columns, replicas) => stacked(activation, rows, columns, replicas))
    ),
  },
  {
    name: "linear, where gradients meet",
    limit,
    cases: (["relu", "tanh", "mish"] as const).flatMap((activation) =>
      each((rows, columns, replicas) => meeting(activation, rows, columns, replicas))
    ),
  },
  {
    name: "linear, of a concatenation",
    limit,
    cases: [1, 3].flatMap((replicas) => [
      segmented(1, [1, 1], replicas),
      segmented(7, [3, 11], replicas),
      segmented(33, [8, 257], replicas),
    ]),
  },
];
