/** NaN propagates to the results, and infinities outside a tensor do not affect it. */
import { assert, assertEquals } from "@std/assert";
import { Engine } from "../../lib/autodiff/engine.ts";
import { linear } from "../../lib/autodiff/ops/linear.ts";
import { advantageWeightedLoss } from "../../lib/algorithms/losses/advantage_weighted.ts";
import { expectileLoss } from "../../lib/algorithms/losses/expectile.ts";
import { argmax } from "../../lib/autodiff/ops/argmax.ts";
import { sumColumns } from "../../lib/autodiff/ops/broadcast.ts";
import {
  divide,
  entrywise,
  log,
  multiply,
  scale,
  subtract,
} from "../../lib/autodiff/ops/entrywise.ts";
import {
  entrywiseFunctions,
  type EntrywiseName,
} from "../../lib/autodiff/ops/entrywise_functions.ts";
import { logSumExp } from "../../lib/autodiff/ops/log_sum_exp.ts";
import { minimumOverHeads } from "../../lib/autodiff/ops/minimum_over_heads.ts";
import { softmax } from "../../lib/autodiff/ops/softmax.ts";
import { Session } from "../../lib/checks/session.ts";
import { matmulVariants, targetOf } from "../../lib/gpu/target.ts";

/** Runs a test with each matrix product variant that the adapter supports. */
async function inEachVariant(test: (session: Session, variant: string) => Promise<void>) {
  for (const variant of matmulVariants) {
    using engine = await Engine.open(variant === "subgroups" ? undefined : targetOf(variant));
    await test(new Session(engine), engine.target.matmul);
  }
}

const upstream = (count: number) => new Float32Array(count).fill(1);

Deno.test("linear() of NaN is NaN, with any activation and number of outputs", async () => {
  await inEachVariant(async (session, variant) => {
    for (const outputs of [3, 9]) {
      for (const activation of ["none", "relu", "tanh", "mish"] as const) {
        const { results } = await session.compute({
          seeds: [0],
          inputs: {
            x: { rows: 2, columns: 5 },
            weight: { rows: outputs, columns: 5, parameter: true },
            bias: { rows: 1, columns: outputs, parameter: true },
          },
          values: {
            x: Float32Array.of(1, 2, NaN, 4, 5, 1, 1, 1, 1, 1),
            weight: new Float32Array(5 * outputs).fill(0.1),
            bias: new Float32Array(outputs),
          },
          wanted: [],
          upstream,
          record: (graph, { x, weight, bias }) => ({
            results: { y: linear(graph, x, { weight, bias }, activation) },
          }),
        });
        const y = [...results.get("y")!];
        const claim = `${variant}, ${activation}, ${outputs} outputs: ${y}`;
        assert(y.slice(0, outputs).every(Number.isNaN), claim);
        assert(y.slice(outputs).every((value) => value > 0.3), claim);
      }
    }
  });
});

Deno.test("linear(): the gradient does not depend on memory past the weight", async () => {
  await inEachVariant(async (session, variant) => {
    // The product is rounded up to 8 rows of the weight. Rows 5 to 8 belong to another parameter.
    const { gradients } = await session.compute({
      seeds: [0],
      inputs: {
        x: { rows: 3, columns: 4 },
        weight: { rows: 5, columns: 4, parameter: true },
        other: { rows: 9, columns: 4, parameter: true },
        bias: { rows: 1, columns: 5, parameter: true },
      },
      values: {
        x: new Float32Array(12),
        weight: new Float32Array(20).fill(2),
        other: new Float32Array(36).fill(Infinity),
        bias: new Float32Array(5),
      },
      wanted: ["x"],
      upstream,
      record: (graph, { x, weight, bias }) => ({
        results: { y: linear(graph, x, { weight, bias }) },
        objective: "y",
      }),
    });
    assertEquals([...gradients.get("x")!], Array<number>(12).fill(10), variant);
  });
});

Deno.test("entrywise() of NaN is NaN, for every function and operand", async () => {
  using engine = await Engine.open();
  const session = new Session(engine);
  const constants: Record<string, number[]> = { scale: [2], shift: [2], clip: [-1, 1] };
  for (const name of Object.keys(entrywiseFunctions) as EntrywiseName[]) {
    const { results } = await session.compute({
      seeds: [0],
      inputs: { a: { rows: 1, columns: 3 }, b: { rows: 1, columns: 3 } },
      values: { a: Float32Array.of(NaN, 1, 1), b: Float32Array.of(2, NaN, 2) },
      wanted: [],
      upstream,
      record: (graph, { a, b }) => ({
        results: entrywiseFunctions[name].gradients.length > 1
          ? { y: entrywise(graph, name, [a, b]) }
          : {
            a: entrywise(graph, name, [a], constants[name]),
            b: entrywise(graph, name, [b], constants[name]),
          },
      }),
    });
    const found = Object.fromEntries(
      [...results].map(([key, values]) => [key, [...values].map(Number.isNaN)]),
    );
    assertEquals(
      found,
      results.has("y")
        ? { y: [true, true, false] }
        : { a: [true, false, false], b: [false, true, false] },
      name,
    );
  }
});

Deno.test("entrywise chains: the padding is zero even if intermediate values are infinite or NaN there", async () => {
  using engine = await Engine.open();
  // log 0 − 1 / 0, times 0. The padding of the result must not affect the sum over the columns.
  const { results, spilled } = await new Session(engine).compute({
    seeds: [0],
    inputs: { x: { rows: 2, columns: 5 } },
    values: { x: new Float32Array(10).fill(1) },
    wanted: [],
    upstream,
    record: (graph, { x }) => {
      const infinite = subtract(graph, log(graph, x), divide(graph, x, x));
      const y = multiply(graph, infinite, x);
      return { results: { y, sum: sumColumns(graph, scale(graph, y, 2)) } };
    },
  });
  assertEquals(spilled, []);
  assertEquals([...results.get("sum")!], [-10, -10]);
});

Deno.test("minimumOverHeads(), softmax(), logSumExp() and argmax() propagate NaN", async () => {
  using engine = await Engine.open();
  for (const place of [0, 5, 8]) {
    const x = Float32Array.from({ length: 18 }, (_, i) => i % 4);
    x[place] = NaN;
    const { results } = await new Session(engine).compute({
      seeds: [0],
      inputs: { x: { rows: 1, columns: 9, heads: 2 } },
      values: { x },
      wanted: [],
      upstream,
      record: (graph, { x }) => ({
        results: {
          minimum: minimumOverHeads(graph, x, 2),
          softmax: softmax(graph, x),
          logSumExp: logSumExp(graph, x),
          argmax: argmax(graph, x),
        },
      }),
    });
    const nans = (name: string) => [...results.get(name)!].map(Number.isNaN);
    assertEquals(nans("minimum"), Array.from({ length: 9 }, (_, i) => i === place));
    assertEquals(nans("softmax"), Array.from({ length: 18 }, (_, i) => i < 9));
    assertEquals(nans("logSumExp"), [true, false]);
    assertEquals(results.get("argmax")![0], place);
  }
});

Deno.test("losses: NaN in either Q-head gives NaN", async () => {
  using engine = await Engine.open();
  const session = new Session(engine);
  for (const head of [0, 1]) {
    const q = Float32Array.of(1, 2, 3, 4);
    q[2 * head] = NaN;
    const { metrics } = await session.compute({
      seeds: [0],
      inputs: {
        q: { rows: 2, columns: 1, heads: 2 },
        v: { rows: 2, columns: 1 },
        policy: { rows: 2, columns: 3 },
        action: { rows: 2, columns: 3 },
      },
      values: {
        q,
        v: new Float32Array(2),
        policy: new Float32Array(6).fill(1),
        action: new Float32Array(6),
      },
      wanted: [],
      upstream,
      record: (graph, { q, v, policy, action }) => {
        expectileLoss(graph, "expectile", q, v, 0.7);
        const weights = { temperature: 3, limit: 100 };
        advantageWeightedLoss(graph, "awr", policy, action, { q, v }, weights);
        return { results: {} };
      },
    });
    for (const name of ["expectile", "q_mean", "awr"]) {
      assert(Number.isNaN(metrics.get(name)![0]), `${name}, NaN in head ${head}`);
    }
  }
});
