/**
 * Compares each operation with PyTorch, which computed in double precision on float32 inputs.
 * Limits are relative to a tensor's largest entry; a float32 is exact to 6e-8. Runs without
 * permissions.
 */
import { assert, assertEquals } from "@std/assert";
import bytes from "../fixtures/pytorch/ops.safetensors" with { type: "bytes" };
import { Engine } from "../../lib/autodiff/engine.ts";
import { Graph } from "../../lib/autodiff/graph.ts";
import { concatenate } from "../../lib/autodiff/ops/concatenate.ts";
import { fourierFeatures } from "../../lib/autodiff/ops/fourier_features.ts";
import { noising } from "../../lib/autodiff/ops/noising.ts";
import { dropout } from "../../lib/autodiff/ops/dropout.ts";
import { layerNorm } from "../../lib/autodiff/ops/layer_norm.ts";
import { linear } from "../../lib/autodiff/ops/linear.ts";
import { advantageWeightedLoss } from "../../lib/algorithms/losses/advantage_weighted.ts";
import { expectileLoss } from "../../lib/algorithms/losses/expectile.ts";
import { scoreRegularizedLoss } from "../../lib/algorithms/srpo/score_regularized_loss.ts";
import { diffusionLoss, meanSquaredError } from "../../lib/autodiff/ops/squared_error.ts";
import { entrywise } from "../../lib/autodiff/ops/entrywise.ts";
import { ParameterSet } from "../../lib/autodiff/parameters.ts";
import { Tensor } from "../../lib/autodiff/tensor.ts";
import { relativeError } from "../../lib/checks/check.ts";
import { type InputShape, type Recorded, Session } from "../../lib/checks/session.ts";
import { adam, constant, cosine } from "../../lib/optim/adam.ts";
import { Fixture } from "../support/fixtures.ts";

const fixture = new Fixture("ops", bytes);

/** Compares results of a case with the fixture, and records which of its tensors were compared. */
class Comparison {
  readonly compared = new Set<string>();
  readonly failures: string[] = [];

  close(name: string, found: ArrayLike<number>, limit: number): void {
    this.compared.add(name);
    const expected = fixture.get(name);
    // The single entry of mish.1x1 is near a zero of the derivative. The rounding error of terms
    // near 1 remains, however small their sum is.
    const scale = name.startsWith("mish.1x1")
      ? Math.max(...expected.map(Math.abs), 0.1)
      : undefined;
    const error = scale === undefined
      ? relativeError(found, expected)
      : relativeError([...Array.from(found), scale], [...expected, scale]);
    if (!(error <= limit)) this.failures.push(`${name}: off by ${error}, limit ${limit}`);
  }

  /** Asserts that the largest absolute difference is at most `limit`. */
  within(name: string, found: ArrayLike<number>, limit: number): void {
    this.compared.add(name);
    const expected = fixture.get(name);
    assertEquals(found.length, expected.length);
    const error = expected.reduce(
      (worst, value, i) => Math.max(worst, Math.abs(value - found[i]!)),
      0,
    );
    if (!(error <= limit)) this.failures.push(`${name}: off by ${error}, limit ${limit}`);
  }
}

type Check = (name: string, session: Session, comparison: Comparison) => Promise<unknown>;

/**
 * Returns rows and columns of a fixture tensor. A vector has one column, or as a parameter one row.
 */
function shapeOf(name: string, parameter = false): InputShape {
  const shape = fixture.shape(name);
  const [rows, columns] = shape.length === 2
    ? shape as [number, number]
    : parameter
    ? [1, shape[0]!]
    : [shape[0]!, 1];
  return { rows, columns, ...(parameter && { parameter }) };
}

/**
 * Computes a case whose inputs are the fixture tensors with the same names.
 *
 * @param gradients Names of the fixture's gradients by input.
 */
async function compute<Name extends string>(
  name: string,
  session: Session,
  comparison: Comparison,
  inputs: Readonly<Record<Name, "input" | "parameter">>,
  gradients: Partial<Record<Name, string>>,
  limit: number,
  record: (graph: Graph, inputs: Readonly<Record<Name, Tensor>>) => Recorded,
) {
  const names = Object.keys(inputs) as Name[];
  const wanted = Object.keys(gradients) as Name[];
  const of = <T>(make: (input: Name) => T) =>
    Object.fromEntries(names.map((input) => [input, make(input)])) as Record<Name, T>;
  const outcome = await session.compute({
    seeds: [0],
    inputs: of((input) => shapeOf(`${name}.${input}`, inputs[input] === "parameter")),
    values: of((input) => fixture.f32(`${name}.${input}`)),
    wanted,
    upstream: () => fixture.f32(`${name}.g`),
    record,
  });
  assertEquals(outcome.spilled, []);
  const y = outcome.results.get("y") ?? outcome.metrics.get("loss")!;
  comparison.close(`${name}.y`, y, limit);
  for (const input of wanted) {
    comparison.close(`${name}.${gradients[input]}`, outcome.gradients.get(input)!, limit);
  }
  return outcome;
}

const activation = (kind: "relu" | "tanh" | "mish" | "softplus"): Check => (name, ...rest) =>
  compute(name, ...rest, { x: "input" }, { x: "dx" }, 2e-6, (graph, { x }) => ({
    results: { y: entrywise(graph, kind, [x]) },
    objective: "y",
  }));

const checks: Readonly<Record<string, Check>> = {
  linear: (name, ...rest) =>
    compute(
      name,
      ...rest,
      { x: "input", w: "parameter", b: "parameter" },
      { x: "dx", w: "dw", b: "db" },
      5e-6,
      (graph, { x, w, b }) => ({
        results: { y: linear(graph, x, { weight: w, bias: b }) },
        objective: "y",
      }),
    ),
  relu: activation("relu"),
  tanh: activation("tanh"),
  mish: activation("mish"),
  softplus: activation("softplus"),
  layer_norm: (name, ...rest) =>
    compute(
      name,
      ...rest,
      { x: "input", w: "parameter", b: "parameter" },
      { x: "dx", w: "dw", b: "db" },
      1e-5,
      (graph, { x, w, b }) => ({
        results: { y: layerNorm(graph, x, { gain: w, shift: b }) },
        objective: "y",
      }),
    ),
  fourier: (name, ...rest) =>
    compute(name, ...rest, { t: "input", W: "parameter" }, {}, 2e-4, (graph, { t, W }) => ({
      results: { y: fourierFeatures(graph, { given: t }, W).features },
    })),
  vp_schedule: async (name, session, comparison) => {
    const rows = fixture.shape(`${name}.t`)[0]!;
    const column = { rows, columns: 1 };
    const { results } = await session.compute({
      seeds: [0],
      inputs: { t: column, zero: column, one: column },
      values: {
        t: fixture.f32(`${name}.t`),
        zero: new Float32Array(rows),
        one: new Float32Array(rows).fill(1),
      },
      wanted: [],
      upstream: (count) => new Float32Array(count),
      record: (graph, { t, zero, one }) => ({
        results: {
          alpha: noising(graph, one, t, { given: zero }).xt,
          sigma: noising(graph, zero, t, { given: one }).xt,
        },
      }),
    });
    comparison.within(`${name}.alpha`, results.get("alpha")!, 1e-6);
    comparison.within(`${name}.sigma`, results.get("sigma")!, 1e-6);
  },
  expectile: async (name, session, comparison) => {
    // u = Q − V. With Q = 0 and V = −u, the gradient with respect to V is minus that with respect
    // to u.
    const u = fixture.f32(`${name}.u`);
    const column = { rows: u.length, columns: 1 };
    const { metrics, gradients } = await session.compute({
      seeds: [0],
      inputs: { q: column, v: column },
      values: { q: new Float32Array(u.length), v: u.map((value) => -value) },
      wanted: ["v"],
      upstream: (count) => new Float32Array(count),
      record: (graph, { q, v }) => ({
        results: {},
        objective: expectileLoss(graph, "loss", q, v, Number(/tau([\d.]+)\./.exec(name)![1])),
      }),
    });
    comparison.close(`${name}.y`, metrics.get("loss")!, 2e-6);
    comparison.close(`${name}.du`, gradients.get("v")!.map((value) => -value), 2e-6);
  },
  mse: async (name, session, comparison) => {
    const { gradients } = await compute(
      name,
      session,
      comparison,
      { x: "input", target: "input" },
      { x: "dx" },
      2e-6,
      (graph, { x, target }) => ({
        results: {},
        objective: meanSquaredError(graph, "loss", x, target),
      }),
    );
    comparison.close(`${name}.dtarget`, gradients.get("x")!.map((value) => -value), 2e-6);
  },
  diffusion_loss: (name, ...rest) =>
    compute(name, ...rest, { x: "input", z: "input" }, { x: "dx" }, 2e-6, (graph, { x, z }) => ({
      results: {},
      objective: diffusionLoss(graph, "loss", x, z),
    })),
  cat: (name, ...rest) => {
    const names = fixture.names(`${name}.x`).map((tensor) => tensor.slice(name.length + 1));
    return compute(
      name,
      ...rest,
      Object.fromEntries(names.map((x) => [x, "input"])),
      Object.fromEntries(names.map((x) => [x, `d${x}`])),
      0,
      (graph, inputs) => ({
        results: { y: concatenate(graph, names.map((x) => inputs[x]!)) },
        objective: "y",
        segments: names.map((x) => inputs[x]!.columns),
      }),
    );
  },
  dropout: (name, ...rest) =>
    compute(name, ...rest, { x: "input", mask: "input" }, { x: "dx" }, 1e-6, (graph, inputs) => ({
      results: { y: dropout(graph, inputs.x, { rate: 0.1, keep: { mask: inputs.mask } }) },
      objective: "y",
    })),
  awr_loss: (name, ...rest) =>
    compute(
      name,
      ...rest,
      { pi: "input", a: "input", adv: "input" },
      { pi: "dpi" },
      5e-6,
      (graph, { pi, a, adv }) => ({
        results: {},
        // A = Q − V with V = 0.
        objective: advantageWeightedLoss(graph, "loss", pi, a, {
          q: adv,
          v: graph.constant(adv.rows, 1, 0),
        }, { temperature: Number(/\.t(\d+)\./.exec(name)![1]), limit: 100 }),
      }),
    ),
  srpo_loss: (name, ...rest) => {
    const [, weight, noise, regq] = /\.(VDS|stable|score)(_noise)?\.regq(\d)\./.exec(name)!;
    return compute(
      name,
      ...rest,
      { a: "input", eps_hat: "input", z: "input", dq_da: "input", t: "input" },
      { a: "da" },
      2e-5,
      (graph, { a, eps_hat, z, dq_da, t }) => ({
        results: {},
        objective: scoreRegularizedLoss(
          graph,
          "loss",
          a,
          { noiseHat: eps_hat, z, t, qGradient: dq_da, q: graph.constant(a.rows, 1, 0) },
          () => ({
            beta: 0.05,
            weighting: weight === "VDS"
              ? "sigma2"
              : weight === "stable"
              ? "constant"
              : "alpha_over_sigma",
            subtractBaseline: noise !== undefined,
            normalizeQ: regq === "1",
          }),
        ),
      }),
    );
  },
  adam: optimizer(0),
  adamw: optimizer(0.01),
  // Tests only the average: the gradient is zero and the parameters do not change.
  ema: async (name, session, comparison) => {
    const { target } = await optimize(session, fixture.shape(`${name}.param`), 1, {
      start: fixture.f32(`${name}.param`),
      target: fixture.f32(`${name}.target`),
      gradient: (step) => fixture.f32(`${name}.param`).map(() => 0 * step),
      weightDecay: 0,
    });
    comparison.close(`${name}.y`, target, 2e-7);
  },
  cosine_lr: (name, _session, comparison) => {
    const period = Number(/T(\d+)/.exec(name)![1]);
    const expected = fixture.get(`${name}.lr`);
    comparison.close(`${name}.lr`, expected.map((_, k) => cosine(3e-4, period)(k)), 1e-12);
    return Promise.resolve();
  },
};

/** Cases that another test covers. */
const elsewhere = ["reward_loco"];

function optimizer(weightDecay: number): Check {
  return async (name, session, comparison) => {
    const [steps, ...shape] = fixture.shape(`${name}.trace`) as [number, number, number];
    const { trace, mean, square } = await optimize(session, shape, steps, {
      start: fixture.f32(`${name}.x`),
      gradient: (step) => fixture.step(`${name}.g`, step),
      weightDecay,
    });
    // Limit: one float32 rounding per step, over ten steps of 3e-4 on numbers near 1.
    comparison.within(`${name}.trace`, trace, 2e-6);
    comparison.close(`${name}.m`, mean, 1e-6);
    comparison.close(`${name}.v`, square, 1e-6);
  };
}

/** Runs Adam on one matrix. */
async function optimize(
  session: Session,
  shape: readonly number[],
  steps: number,
  given: {
    start: Float32Array;
    target?: Float32Array;
    gradient: (step: number) => Float32Array;
    weightDecay: number;
  },
) {
  const [rows, columns] = shape as [number, number];
  const graph = new Graph({ seeds: [0] });
  const shapes = [{ name: "x", rows, segments: [columns], vector: false }];
  const parameters = new ParameterSet(graph, shapes, 1);
  const target = new ParameterSet(graph, shapes, 1);
  const { replicaSize, replicas, sharing } = parameters.storage;
  const storage = graph.persist({ arena: "activations", replicaSize, replicas, sharing });
  const moments = adam(
    graph,
    parameters,
    new Tensor({ replicas, rows: 1, columns: replicaSize }, storage),
    {
      learningRate: constant(3e-4),
      weightDecay: given.weightDecay,
      ...(given.target && { target: { parameters: target, rate: constant(0.005) } }),
    },
  );
  const program = await session.engine.compile(graph);
  parameters.write(program, 0, new Map([["x", given.start]]));
  if (given.target) target.write(program, 0, new Map([["x", given.target]]));
  const read = async (from = parameters.storage) =>
    (await parameters.read(program, from))[0]!.get("x")!;
  const trace: number[] = [];
  for (let step = 0; step < steps; step++) {
    parameters.write(program, 0, new Map([["x", given.gradient(step)]]), storage);
    await program.submit(step, 1);
    trace.push(...await read());
  }
  const [mean, square, average] = await Promise.all(
    [moments.mean, moments.square, target.storage].map(read),
  );
  program.destroy();
  return { trace, mean: mean!, square: square!, target: average! };
}

Deno.test("operations: match PyTorch in every case of the fixture", async (t) => {
  using engine = await Engine.open();
  const session = new Session(engine);
  const cases = new Set(fixture.names("").map((name) => name.slice(0, name.lastIndexOf("."))));
  const compared = new Set<string>();
  for (const [operation, names] of Map.groupBy(cases, (name) => name.split(".")[0]!)) {
    if (elsewhere.includes(operation)) continue;
    await t.step(operation, async () => {
      const check = checks[operation];
      assert(check, `the fixture has "${operation}", for which there is no check`);
      const comparison = new Comparison();
      for (const name of names) await check(name, session, comparison);
      comparison.compared.forEach((name) => compared.add(name));
      assert(comparison.failures.length === 0, `\n${comparison.failures.join("\n")}`);
    });
  }
  await t.step("every result in the fixture was compared", () => {
    const results = fixture.names("").filter((name) =>
      fixture.file.tensors.get(name)!.dtype === "F64" &&
      !elsewhere.some((prefix) => name.startsWith(prefix))
    );
    assert(results.length > 200);
    assertEquals(results.filter((name) => !compared.has(name)), []);
  });
});
