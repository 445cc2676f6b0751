import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import fc from "fast-check";
import { Engine } from "../../lib/autodiff/engine.ts";
import { gradients } from "../../lib/autodiff/gradients.ts";
import { Graph } from "../../lib/autodiff/graph.ts";
import {
  add,
  divide,
  exp,
  multiply,
  relu,
  scale,
  sigmoid,
  subtract,
  tanh,
} from "../../lib/autodiff/ops/entrywise.ts";
import {
  meanColumns,
  meanRows,
  scaledReference,
  sumColumnsReference,
  sumRowsReference,
} from "../../lib/autodiff/ops/broadcast.ts";
import { concatenate } from "../../lib/autodiff/ops/concatenate.ts";
import { copy } from "../../lib/autodiff/ops/copy.ts";
import { dropout } from "../../lib/autodiff/ops/dropout.ts";
import { layerNorm } from "../../lib/autodiff/ops/layer_norm.ts";
import { linear } from "../../lib/autodiff/ops/linear.ts";
import { noising } from "../../lib/autodiff/ops/noising.ts";
import { advantageWeightedLoss } from "../../lib/algorithms/losses/advantage_weighted.ts";
import { expectileLoss } from "../../lib/algorithms/losses/expectile.ts";
import { temporalDifferenceLoss } from "../../lib/algorithms/losses/temporal_difference.ts";
import { meanSquaredError } from "../../lib/autodiff/ops/squared_error.ts";
import { ParameterSet } from "../../lib/autodiff/parameters.ts";
import type { Tensor } from "../../lib/autodiff/tensor.ts";
import { compared, type Comparison } from "../../lib/checks/check.ts";
import { affine, beside, map, type Matrix, mish, zip } from "../../lib/autodiff/matrix.ts";
import { Session } from "../../lib/checks/session.ts";

const shape = { rows: 3, columns: 4, wanted: true };
const square = { rows: 4, columns: 4, parameter: true, wanted: true };
const vector = { rows: 1, columns: 4, parameter: true, wanted: true };

/** Returns the largest relative error of values and gradients. */
async function errorOf<Name extends string>(
  comparison: Omit<Comparison<Name>, "shape" | "replicas">,
): Promise<number> {
  using engine = await Engine.open();
  return await compared({ shape: "", replicas: 1, ...comparison }).measure(new Session(engine));
}

Deno.test("gradients() does not modify a gradient that two tensors share", async () => {
  // y = a + b passes one gradient to both. Another operation reads a, and its gradient is computed
  // first.
  const error = await errorOf({
    inputs: { a: shape, b: shape, w: square, u: square, bias: vector },
    record: (graph, { a, b, w, u, bias }) => {
      const one = linear(graph, add(graph, a, b), { weight: w, bias });
      const two = linear(graph, a, { weight: u, bias });
      return { results: { y: add(graph, one, two) }, objective: "y" };
    },
    reference: ({ a, b, w, u, bias }) => {
      const one = affine(zip(a[0], b[0], (x, y) => x + y), w[0], bias[0]);
      return { y: [zip(one, affine(a[0], u[0], bias[0]), (x, y) => x + y)] };
    },
  });
  assert(error < 1e-6, `off by ${error}`);
});

Deno.test("gradients() separates the gradient of a skip connection from that of a branch with an activation", async () => {
  const error = await errorOf({
    inputs: { x: shape, w: square, u: square, bias: vector },
    record: (graph, { x, w, u, bias }) => {
      const h = add(graph, x, linear(graph, x, { weight: w, bias }, "tanh"));
      return { results: { y: linear(graph, h, { weight: u, bias }) }, objective: "y" };
    },
    reference: ({ x, w, u, bias }) => {
      const branch = map(affine(x[0], w[0], bias[0]), Math.tanh);
      return { y: [affine(zip(x[0], branch, (a, b) => a + b), u[0], bias[0])] };
    },
  });
  assert(error < 1e-6, `off by ${error}`);
});

Deno.test("gradients() with respect to an intermediate result do not depend on the operations below it", async () => {
  using engine = await Engine.open();
  const session = new Session(engine);
  const numbers = (count: number, pace: number) =>
    Float32Array.from({ length: count }, (_, i) => Math.sin(pace * (i + 1)));
  const outcome = await session.compute({
    seeds: [0],
    inputs: { x: shape, w: square, u: square, bias: vector },
    values: { x: numbers(12, 1), w: numbers(16, 2), u: numbers(16, 3), bias: numbers(4, 4) },
    wanted: [],
    upstream: (count) => new Float32Array(count),
    record: (graph, { x, w, u, bias }) => {
      const h = linear(graph, x, { weight: w, bias }, "relu");
      const y = linear(graph, h, { weight: u, bias });
      const upstream = graph.constant(3, 4, 1);
      // Because the weight below h is also differentiated, the gradient of h continues through
      // ReLU.
      const [dh, dw] = gradients(graph, { tensor: y, upstream }, [h, w]) as [Tensor, Tensor];
      return { results: { dh, dw } };
    },
  });
  const u = numbers(16, 3);
  const columnSums = [0, 1, 2, 3].map((c) => [0, 1, 2, 3].reduce((t, r) => t + u[4 * r + c]!, 0));
  outcome.results.get("dh")!.forEach((value, i) =>
    assert(Math.abs(value - columnSums[i % 4]!) < 1e-5, `entry ${i}: ${value}`)
  );
});

Deno.test("gradients() rejects differentiating a loss twice", () => {
  const graph = new Graph({ seeds: [0] });
  const [x, y] = [graph.input(3, 4), graph.input(3, 4)];
  const loss = meanSquaredError(graph, "loss", x, y);
  gradients(graph, loss, [x]);
  assertThrows(() => gradients(graph, loss, [x]), Error, 'loss "loss" is differentiated twice');
});

Deno.test("gradients() returns null if there is no path", () => {
  const graph = new Graph({ seeds: [0] });
  const [x, y] = [graph.input(3, 4), graph.input(3, 4)];
  const upstream = graph.input(3, 4);
  const [dx, dy] = gradients(graph, { tensor: relu(graph, x), upstream }, [x, y]);
  assert(dx !== null);
  assertEquals(dy, null);
});

Deno.test("ParameterSet.gather() names a parameter that the loss does not depend on", () => {
  const graph = new Graph({ seeds: [0] });
  const shapes = ["used", "unused"].map((name) => ({
    name,
    rows: 3,
    segments: [4],
    vector: false,
  }));
  const parameters = new ParameterSet(graph, shapes, 1);
  const bias = new ParameterSet(graph, [{ name: "b", rows: 1, segments: [3], vector: true }], 1);
  const y = linear(graph, graph.input(2, 4), {
    weight: parameters.get("used"),
    bias: bias.get("b"),
  });
  const found = gradients(graph, { tensor: y, upstream: graph.input(2, 3) }, parameters.tensors);
  assertThrows(
    () => parameters.gather(found),
    Error,
    '"unused" needs a gradient with its own storage',
  );
});

Deno.test("linear(), add() and concatenate() reject mismatched shapes, and name them", () => {
  const graph = new Graph({ seeds: [0] });
  const parameters = new ParameterSet(graph, [
    { name: "weight", rows: 5, segments: [9], vector: false },
    { name: "bias", rows: 1, segments: [5], vector: true },
  ], 1);
  const layer = { weight: parameters.get("weight"), bias: parameters.get("bias") };
  assertThrows(
    () => linear(graph, graph.input(3, 4), layer),
    Error,
    "got [1, 3, 4] in segments of 4 and [1, 5, 9] in segments of 9",
  );
  // The widths agree, the places of the padding do not.
  const halves = concatenate(graph, [graph.input(3, 5), graph.input(3, 4)]);
  const shifted = concatenate(graph, [graph.input(3, 1), graph.input(3, 8)]);
  assertEquals(halves.width, graph.input(3, 9).width);
  assertThrows(() => linear(graph, halves, layer), Error, "in segments of 5 + 4");
  assertThrows(() => add(graph, halves, shifted), Error, "shapes must agree");
  assertThrows(
    () => linear(graph, graph.input(3, 9), { ...layer, bias: layer.weight }),
    Error,
    "the bias must have shape [1, 1, 5], got [1, 5, 9]",
  );
  const two = new ParameterSet(graph, parameters.shapes, 2);
  assertThrows(
    () => linear(graph, graph.input(3, 9, 3), { weight: two.get("weight"), bias: two.get("bias") }),
    Error,
    "replicas must divide one another, got [3, 3, 9] and [2, 5, 9]",
  );
  assertThrows(
    () => linear(graph, graph.input(3, 9), layer, "relu", graph.input(3, 9)),
    Error,
    "the residual must have shape [1, 3, 5], got [1, 3, 9]",
  );
  const [a, b] = [graph.input(3, 4), graph.input(2, 4)];
  assertThrows(() => add(graph, a, b), Error, "got [1, 3, 4] and [1, 2, 4]");
  assertThrows(() => concatenate(graph, [a, b]), Error, "got [1, 3, 4] and [1, 2, 4]");
});

Deno.test("operations reject parameters where they read activations, and the reverse", () => {
  const graph = new Graph({ seeds: [0] });
  const parameters = new ParameterSet(graph, [
    { name: "weight", rows: 4, segments: [4], vector: false },
    { name: "bias", rows: 1, segments: [4], vector: true },
  ], 1);
  const layer = { weight: parameters.get("weight"), bias: parameters.get("bias") };
  const x = graph.input(4, 4);
  const t = graph.input(4, 1);
  for (
    const operation of [
      () => copy(graph, layer.weight),
      () => concatenate(graph, [x, layer.weight]),
      () => linear(graph, layer.weight, layer),
      () => linear(graph, x, layer, "relu", layer.weight),
      () => dropout(graph, layer.weight, { rate: 0.5, keep: { stream: 0 } }),
      () => layerNorm(graph, layer.weight, { gain: layer.bias, shift: layer.bias }),
      () => noising(graph, layer.weight, t, { stream: 0 }),
      () => meanSquaredError(graph, "loss", x, layer.weight),
      () => meanColumns(graph, layer.weight),
    ]
  ) {
    assertThrows(operation, Error, "is a parameter; broadcast it first");
  }
  const bias = graph.input(1, 4);
  assertThrows(
    () => linear(graph, x, { ...layer, bias }),
    Error,
    "linear: [1, 1, 4] must be a parameter",
  );
});

Deno.test("Graph: rejects seeds that are no words of 32 bits, and impossible periods", () => {
  for (const seeds of [[-1], [0, 0.5], [NaN], [2 ** 32]]) {
    assertThrows(() => new Graph({ seeds }), Error, "a seed must be an integer from 0 to 2^32 - 1");
  }
  assertThrows(() => new Graph({ seeds: [] }), Error, "at least one seed is required");
  assertThrows(() => new Graph({ seeds: [0], every: 0 }), Error, "every must be an integer ≥ 1");
});

Deno.test("dropout() and the fused losses reject rates and shapes that their kernels cannot read", () => {
  const graph = new Graph({ seeds: [0, 1] });
  const x = graph.input(4, 3);
  for (const rate of [-0.1, 1 - 1e-10, 1, NaN]) {
    assertThrows(
      () => dropout(graph, x, { rate, keep: { stream: 0 } }),
      Error,
      "the rate must be at least 0 and at most 1 - 2^-32",
    );
  }
  const mask = graph.input(4, 2);
  assertThrows(() => dropout(graph, x, { rate: 0.1, keep: { mask } }), Error, "mask must have");
  assertThrows(
    () => meanSquaredError(graph, "loss", x, graph.input(3, 3)),
    Error,
    "squared error: goal must have shape [2, 4, 3], got [2, 3, 3]",
  );
  const [v, q] = [graph.input(4, 1), graph.input(4, 1, 4)];
  expectileLoss(graph, "right", q, v, 0.7);
  assertThrows(
    () => expectileLoss(graph, "loss", graph.input(4, 1, 3), v, 0.7),
    Error,
    "q must have shape [heads * 2, 4, 1], got [3, 4, 1]",
  );
  const [reward, terminal, nextValue] = [v, v, graph.input(3, 1)];
  assertThrows(
    () => temporalDifferenceLoss(graph, "loss", q, { reward, terminal, nextValue }, 0.99),
    Error,
    "nextValue must have shape [2, 4, 1], got [2, 3, 1]",
  );
  assertThrows(
    () =>
      advantageWeightedLoss(graph, "loss", x, graph.input(4, 2), { q, v }, {
        temperature: 3,
        limit: 100,
      }),
    Error,
    "action must have shape [2, 4, 3], got [2, 4, 2]",
  );
});

Deno.test("sigmoid() rejects a concatenation with padding inside, because it maps 0 to 1/2; tanh() accepts it", () => {
  const graph = new Graph({ seeds: [0] });
  const parts = (columns: number) =>
    concatenate(graph, [graph.input(2, columns), graph.input(2, 4)]);
  assertThrows(() => sigmoid(graph, parts(3)), Error, "[1, 2, 7] is a concatenation");
  assertEquals(sigmoid(graph, parts(4)).columns, 8);
  assertEquals(tanh(graph, parts(3)).columns, 7);
});

Deno.test("gradients() of random graphs match finite differences", async () => {
  using engine = await Engine.open();
  const session = new Session(engine);
  // Each step combines two earlier tensors: their sum, a tanh, a residual layer without and with an
  // activation, a layer of both, or a chain of basic operations, with broadcasting.
  const steps = fc.array(fc.tuple(fc.nat(7), fc.nat(1000), fc.nat(1000)), {
    minLength: 1,
    maxLength: 9,
  });
  await fc.assert(
    fc.asyncProperty(steps, async (chosen) => {
      const pick = <T>(all: readonly T[], i: number) => all[i % all.length]!;
      // Small weights, so that repeated sums stay small.
      const weight = (columns: number) => ({
        rows: 4,
        columns,
        parameter: true,
        wanted: true,
        from: (z: number) => z / 4,
      });
      const error = await compared({
        shape: "",
        replicas: 1,
        inputs: {
          x: shape,
          w: weight(4),
          wide: weight(8),
          bias: vector,
        },
        record: (graph, { x, w, wide, bias }) => {
          const tensors = [x];
          for (const [kind, i, j] of chosen) {
            const [a, b] = [pick(tensors, i), pick(tensors, j)];
            tensors.push([
              () => add(graph, a, b),
              () => tanh(graph, a),
              () => linear(graph, a, { weight: w, bias }, "none", b),
              () => linear(graph, a, { weight: w, bias }, "mish", b),
              () => linear(graph, concatenate(graph, [a, b]), { weight: wide, bias }),
              () => multiply(graph, tanh(graph, a), b),
              () => scale(graph, subtract(graph, a, meanColumns(graph, b)), 0.5),
              () => divide(graph, a, exp(graph, sigmoid(graph, meanRows(graph, b)))),
            ][kind]!());
          }
          // Every parameter has a path to the result.
          const y = tensors.reduce((a, b) => add(graph, a, b));
          const one = linear(graph, y, { weight: w, bias }, "none", x);
          return {
            results: {
              y: linear(graph, concatenate(graph, [one, x]), { weight: wide, bias }),
            },
            objective: "y",
          };
        },
        reference: ({ x: [x], w: [w], wide: [wide], bias: [bias] }) => {
          const sum = (a: Matrix, b: Matrix) => zip(a, b, (p, q) => p + q);
          const all = [x];
          for (const [kind, i, j] of chosen) {
            const [a, b] = [pick(all, i), pick(all, j)];
            all.push([
              () => sum(a, b),
              () => map(a, Math.tanh),
              () => sum(affine(a, w, bias), b),
              () => map(sum(affine(a, w, bias), b), mish),
              () => affine(beside(a, b), wide, bias),
              () => zip(a, b, (p, q) => Math.tanh(p) * q),
              () => {
                const means = scaledReference(sumColumnsReference(b), 1 / b.columns);
                return map(a, (p, i) => (p - means.values[Math.floor(i / a.columns)]!) / 2);
              },
              () => {
                const means = scaledReference(sumRowsReference(b), 1 / b.rows);
                return map(a, (p, i) => {
                  const mean = means.values[i % a.columns]!;
                  return p / Math.exp(1 / (1 + Math.exp(-mean)));
                });
              },
            ][kind]!());
          }
          const one = sum(affine(all.reduce(sum), w, bias), x);
          return { y: [affine(beside(one, x), wide, bias)] };
        },
      }).measure(session);
      assert(error < 1e-5, `off by ${error}`);
    }),
    { seed: 3, numRuns: 24 },
  );
});

Deno.test("losses: reject a column of a concatenation instead of reading its neighbors", async () => {
  using engine = await Engine.open();
  const graph = new Graph({ seeds: [0] });
  const value = tanh(graph, graph.input(3, 1));
  concatenate(graph, [value, graph.input(3, 4)]);
  expectileLoss(graph, "loss", graph.input(3, 1), value, 0.7);
  await assertRejects(() => engine.compile(graph), Error, "[1, 3, 1] is part of a wider tensor");
});
