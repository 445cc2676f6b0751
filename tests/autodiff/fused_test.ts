/** Compares each fused kernel with a composition of basic operations: values and gradients. */
import { assert } from "@std/assert";
import { readTensor, writeInput } from "../../lib/autodiff/compile.ts";
import { Engine } from "../../lib/autodiff/engine.ts";
import { Graph } from "../../lib/autodiff/graph.ts";
import {
  mean,
  meanColumns,
  meanHeads,
  meanRows,
  sumColumns,
} from "../../lib/autodiff/ops/broadcast.ts";
import { fourierFeatures } from "../../lib/autodiff/ops/fourier_features.ts";
import { noising } from "../../lib/autodiff/ops/noising.ts";
import { drawNormal, drawUniform } from "../../lib/autodiff/ops/draw.ts";
import { dropout } from "../../lib/autodiff/ops/dropout.ts";
import {
  abs,
  add,
  clip,
  divide,
  entrywise,
  exp,
  multiply,
  relu,
  scale,
  shift,
  sqrt,
  subtract,
  tanh,
} from "../../lib/autodiff/ops/entrywise.ts";
import { layerNorm } from "../../lib/autodiff/ops/layer_norm.ts";
import { linear } from "../../lib/autodiff/ops/linear.ts";
import { advantageWeightedLoss } from "../../lib/algorithms/losses/advantage_weighted.ts";
import { expectileLoss } from "../../lib/algorithms/losses/expectile.ts";
import { temporalDifferenceLoss } from "../../lib/algorithms/losses/temporal_difference.ts";
import { scoreRegularizedLoss } from "../../lib/algorithms/srpo/score_regularized_loss.ts";
import { diffusionLoss, meanSquaredError } from "../../lib/autodiff/ops/squared_error.ts";
import { minimumOverHeads } from "../../lib/autodiff/ops/minimum_over_heads.ts";
import { globalNorm } from "../../lib/autodiff/ops/norm.ts";
import { lossOf, report } from "../../lib/autodiff/ops/report.ts";
import { reshape } from "../../lib/autodiff/ops/reshape.ts";
import { ParameterSet } from "../../lib/autodiff/parameters.ts";
import { Tensor } from "../../lib/autodiff/tensor.ts";
import { drawn, type DrawnInput, relativeError } from "../../lib/checks/check.ts";
import { timeFrom } from "../../lib/checks/diffusion.ts";
import { keepMask } from "../../lib/checks/elementwise.ts";
import { type Recorded, Session } from "../../lib/checks/session.ts";
import { adam } from "../../lib/optim/adam.ts";
import { movingAverage } from "../../lib/optim/average.ts";

const seeds = [5, 11, 4242];
const rows = 33;
const columns = 13;
const wide = { rows, columns, wanted: true };
const column = { rows, columns: 1 };
const square = (graph: Graph, x: Tensor) => multiply(graph, x, x);

/** Computes both on three seeds and compares all common results, metrics and gradients. */
async function equal<Name extends string>(
  session: Session,
  inputs: Readonly<Record<Name, DrawnInput>>,
  fused: (graph: Graph, inputs: Readonly<Record<Name, Tensor>>) => Recorded,
  small: (graph: Graph, inputs: Readonly<Record<Name, Tensor>>) => Recorded,
  limit = 5e-6,
): Promise<void> {
  const names = Object.keys(inputs) as Name[];
  const values = Object.fromEntries(
    names.map((name, i) => [name, drawn(inputs[name], seeds.length, i)]),
  ) as Record<Name, Float32Array>;
  const wanted = names.filter((name) => inputs[name].wanted);
  const upstream = (count: number) => drawn({ rows: 1, columns: count }, 1, 99);
  const compute = (record: typeof fused) =>
    session.compute({ seeds, inputs, values, wanted, upstream, record });
  const [one, other] = [await compute(fused), await compute(small)];
  for (const part of ["results", "metrics", "gradients"] as const) {
    for (const [name, found] of one[part] as ReadonlyMap<string, Float32Array>) {
      const expected = (other[part] as ReadonlyMap<string, Float32Array>).get(name)!;
      const error = relativeError(found, expected);
      assert(error <= limit, `${part}, ${name}: off by ${error}, limit ${limit}`);
    }
  }
  const compared = one.results.size + one.metrics.size + one.gradients.size;
  assert(compared > 0);
}

/** Computes α and σ of the noise schedule at t from basic operations. */
function scheduleOf(graph: Graph, t: Tensor): { alpha: Tensor; sigma: Tensor } {
  const logAlpha = add(graph, scale(graph, square(graph, t), -19.9 / 4), scale(graph, t, -0.05));
  const rest = shift(graph, scale(graph, exp(graph, scale(graph, logAlpha, 2)), -1), 1);
  return { alpha: exp(graph, logAlpha), sigma: sqrt(graph, rest) };
}

// Avoids small times, where 1 − α² cancels.
const time = { ...column, from: (z: number) => 0.2 + 0.7 * timeFrom(z) };

Deno.test("fused kernels: equal a composition of basic operations", async (t) => {
  using engine = await Engine.open();
  const session = new Session(engine);

  for (const activation of ["relu", "tanh", "mish"] as const) {
    await t.step(
      `linear() with residual and ${activation}, and the derivative in its gradient`,
      () => {
        const layer = { parameter: true, wanted: true, from: (z: number) => z / 3 };
        return equal(
          session,
          {
            x: wide,
            w: { rows: columns, columns, ...layer },
            b: { rows: 1, columns, ...layer },
          },
          (graph, { x, w, b }) => {
            const h = linear(graph, x, { weight: w, bias: b }, activation);
            const y = linear(graph, h, { weight: w, bias: b }, activation, x);
            return { results: { y }, objective: "y" };
          },
          (graph, { x, w, b }) => {
            const apply = (y: Tensor) => entrywise(graph, activation, [y]);
            // The scale() prevents merging the derivative into the product.
            const h = scale(graph, apply(linear(graph, x, { weight: w, bias: b })), 1);
            const y = apply(add(graph, linear(graph, h, { weight: w, bias: b }), x));
            return { results: { y }, objective: "y" };
          },
        );
      },
    );
  }

  await t.step("dropout()", () =>
    equal(
      session,
      { x: wide, mask: { rows, columns, from: keepMask } },
      (graph, { x, mask }) => ({
        results: { y: dropout(graph, x, { rate: 0.1, keep: { mask } }) },
        objective: "y",
      }),
      (graph, { x, mask }) => ({
        results: { y: scale(graph, multiply(graph, x, mask), 1 / 0.9) },
        objective: "y",
      }),
    ));

  await t.step("layerNorm() after dropout", () =>
    equal(
      session,
      {
        x: wide,
        mask: { rows, columns, from: keepMask },
        gain: { rows: 1, columns, parameter: true, wanted: true },
        shift: { rows: 1, columns, parameter: true, wanted: true },
      },
      (graph, { x, mask, ...parameters }) => ({
        results: { y: layerNorm(graph, x, parameters, { rate: 0.1, keep: { mask } }) },
        objective: "y",
      }),
      (graph, { x, mask, gain, shift: added }) => {
        const kept = scale(graph, multiply(graph, x, mask), 1 / 0.9);
        const centered = subtract(graph, kept, meanColumns(graph, kept));
        const variance = meanColumns(graph, square(graph, centered));
        const normalized = divide(graph, centered, sqrt(graph, shift(graph, variance, 1e-5)));
        return {
          results: { y: add(graph, multiply(graph, normalized, gain), added) },
          objective: "y",
        };
      },
      2e-5,
    ));

  await t.step("noising() with drawn noise, and the times of fourierFeatures()", () =>
    equal(
      session,
      { x: wide, t: time, w: { rows: 1, columns: 5, parameter: true } },
      (graph, { x, t, w }) => {
        const { xt, z } = noising(graph, x, t, { stream: 3 });
        const drawn = fourierFeatures(graph, { stream: 4, rows, range: () => [0.2, 0.9] }, w);
        return { results: { xt, z, t: drawn.t }, objective: "xt" };
      },
      (graph, { x, t }) => {
        const z = drawNormal(graph, { rows, columns, stream: 3 });
        const { alpha, sigma } = scheduleOf(graph, t);
        const xt = add(graph, multiply(graph, x, alpha), multiply(graph, z, sigma));
        const drawn = drawUniform(graph, { rows: 1, columns: rows, stream: 4 }, [0.2, 0.9]);
        return { results: { xt, z, t: reshape(graph, drawn, 1) }, objective: "xt" };
      },
    ));

  await t.step("meanSquaredError() and diffusionLoss()", async () => {
    const goal = { rows, columns };
    for (const [loss, factor] of [[meanSquaredError, 1], [diffusionLoss, columns]] as const) {
      await equal(
        session,
        { x: wide, goal },
        (graph, { x, goal }) => ({ results: {}, objective: loss(graph, "loss", x, goal) }),
        (graph, { x, goal }) => {
          const errors = mean(graph, square(graph, subtract(graph, x, goal)));
          return { results: {}, objective: lossOf(graph, "loss", scale(graph, errors, factor)) };
        },
      );
    }
  });

  await t.step("expectileLoss()", () =>
    equal(
      session,
      { q: { ...column, heads: 2 }, v: { ...column, wanted: true } },
      (graph, { q, v }) => ({
        results: {},
        objective: expectileLoss(graph, "loss", q, v, 0.7),
      }),
      (graph, { q, v }) => {
        const smallest = minimumOverHeads(graph, q, 2);
        const u = subtract(graph, smallest, v);
        // |τ − 1(u < 0)| u²
        const above = scale(graph, square(graph, relu(graph, u)), 0.7);
        const below = scale(graph, square(graph, relu(graph, scale(graph, u, -1))), 0.3);
        report(graph, "q_mean", mean(graph, smallest));
        return {
          results: {},
          objective: lossOf(graph, "loss", mean(graph, add(graph, above, below))),
        };
      },
    ));

  await t.step("temporalDifferenceLoss()", () =>
    equal(
      session,
      {
        q: { ...column, heads: 2, wanted: true },
        reward: column,
        terminal: { ...column, from: (z) => z > 1 ? 1 : 0 },
        nextValue: column,
      },
      (graph, { q, ...transition }) => ({
        results: {},
        objective: temporalDifferenceLoss(graph, "loss", q, transition, 0.99),
      }),
      (graph, { q, reward, terminal, nextValue }) => {
        const alive = shift(graph, scale(graph, terminal, -1), 1);
        const next = scale(graph, multiply(graph, alive, nextValue), 0.99);
        const errors = square(graph, subtract(graph, q, add(graph, reward, next)));
        report(graph, "v_mean", mean(graph, nextValue));
        return {
          results: {},
          objective: lossOf(graph, "loss", meanHeads(graph, mean(graph, errors), 2)),
        };
      },
    ));

  await t.step("advantageWeightedLoss() of a tanh policy", () =>
    equal(
      session,
      {
        x: wide,
        action: { rows, columns },
        q: { ...column, heads: 2 },
        v: column,
      },
      (graph, { x, action, q, v }) => ({
        results: {},
        objective: advantageWeightedLoss(graph, "loss", tanh(graph, x), action, { q, v }, {
          temperature: 3,
          limit: 5,
        }),
      }),
      (graph, { x, action, q, v }) => {
        const advantage = subtract(graph, minimumOverHeads(graph, q, 2), v);
        const weight = clip(graph, exp(graph, scale(graph, advantage, 3)), 0, 5);
        const distance = sumColumns(graph, square(graph, subtract(graph, tanh(graph, x), action)));
        return {
          results: {},
          objective: lossOf(graph, "loss", meanRows(graph, multiply(graph, distance, weight))),
        };
      },
      1e-5,
    ));

  for (const normalizeQ of [false, true]) {
    for (const weighting of ["sigma2", "constant", "alpha_over_sigma"] as const) {
      await t.step(
        `scoreRegularizedLoss(), ${weighting}${normalizeQ ? ", normalized" : ""}`,
        () =>
          equal(
            session,
            {
              x: wide,
              noiseHat: { rows, columns },
              z: { rows, columns },
              qGradient: { rows, columns },
              t: time,
              q: { ...column, heads: 2 },
            },
            (graph, { x, ...terms }) => ({
              results: {},
              objective: scoreRegularizedLoss(graph, "loss", tanh(graph, x), terms, () => ({
                beta: 0.3,
                weighting,
                subtractBaseline: true,
                normalizeQ,
              })),
            }),
            (graph, { x, noiseHat, z, qGradient, t, q }) => {
              const { alpha, sigma } = scheduleOf(graph, t);
              const omega = {
                sigma2: () => square(graph, sigma),
                constant: () => graph.constant(rows, 1, 1),
                alpha_over_sigma: () => divide(graph, alpha, sigma),
              }[weighting]();
              const rms = sqrt(graph, meanColumns(graph, square(graph, qGradient)));
              const slope = normalizeQ ? divide(graph, qGradient, rms) : qGradient;
              const score = multiply(graph, subtract(graph, noiseHat, z), omega);
              const direction = subtract(graph, score, scale(graph, slope, 0.3));
              const along = sumColumns(graph, multiply(graph, direction, tanh(graph, x)));
              report(graph, "q_mean", meanHeads(graph, mean(graph, q), 2));
              return { results: {}, objective: lossOf(graph, "loss", meanRows(graph, along)) };
            },
            2e-5,
          ),
      );
    }
  }
});

Deno.test("adam() with clipped norm and decay, and movingAverage(): the first step equals a composition of basic operations", async () => {
  using engine = await Engine.open();
  const graph = new Graph({ seeds });
  const shapes = [{ name: "weight", rows: 1, segments: [columns], vector: true }];
  const [parameters, averages] = [
    new ParameterSet(graph, shapes, seeds.length),
    new ParameterSet(graph, shapes, seeds.length),
  ];
  const gradient = graph.input(1, columns);
  const { replicas, sharing, replicaSize } = parameters.storage;
  const storage = graph.persist({ arena: "activations", replicaSize, replicas, sharing });
  const lying = new Tensor({ replicas, rows: 1, columns: replicaSize }, storage);

  // The first step: p (1 − lr decay) − lr g / (|g| + ε), where the norm of g is at most 2.
  const weight = parameters.get("weight");
  const norm = globalNorm(graph, [gradient]);
  const factor = clip(
    graph,
    divide(graph, graph.constant(1, 1, 2), shift(graph, norm, 1e-6)),
    0,
    1,
  );
  const clipped = multiply(graph, gradient, factor);
  const step = divide(graph, clipped, shift(graph, abs(graph, clipped), 1e-8));
  const moved = subtract(graph, scale(graph, weight, 1 - 0.1 * 0.2), scale(graph, step, 0.1));
  const averaged = add(graph, scale(graph, averages.get("weight"), 0.7), scale(graph, moved, 0.3));

  adam(graph, parameters, lying, {
    learningRate: () => 0.1,
    weightDecay: 0.2,
    clipNorm: 2,
  });
  movingAverage(graph, parameters, { parameters: averages, rate: () => 0.3 });
  const program = await engine.compile(graph, [moved, averaged]);
  const values = (number: number) => drawn({ rows: 1, columns }, seeds.length, number);
  const write = (set: ParameterSet, all: Float32Array, to = set.storage) =>
    seeds.forEach((_, r) =>
      set.write(program, r, new Map([["weight", all.subarray(r * columns, (r + 1) * columns)]]), to)
    );
  write(parameters, values(0));
  write(averages, values(1));
  write(parameters, values(2), storage);
  writeInput(program, gradient, values(2));
  await program.submit(0, 1);
  const read = async (set: ParameterSet) =>
    (await set.read(program)).flatMap((network) => [...network.get("weight")!]);
  const found = [...await read(parameters), ...await read(averages)];
  const expected = [...await readTensor(program, moved), ...await readTensor(program, averaged)];
  program.destroy();
  const error = relativeError(found, expected);
  assert(error < 1e-6, `off by ${error}`);
});
