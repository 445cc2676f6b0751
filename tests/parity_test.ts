/**
 * Compares the three stages with the official PyTorch code. The fixtures hold its inputs, random
 * draws, losses, intermediate values, gradients and parameters after one and five steps. To use
 * other fixtures of the same form, run `SRPO_FIXTURES=dir deno test -A tests/parity_test.ts`.
 */
import { assert } from "@std/assert";
import behaviorAnt from "./fixtures/pytorch/behavior-ant-w16.safetensors" with { type: "bytes" };
import behaviorLoco from "./fixtures/pytorch/behavior-loco-w16.safetensors" with { type: "bytes" };
import criticAnt from "./fixtures/pytorch/critic-ant-w16.safetensors" with { type: "bytes" };
import criticLoco from "./fixtures/pytorch/critic-loco-w16.safetensors" with { type: "bytes" };
import policyAnt from "./fixtures/pytorch/policy-ant-w16.safetensors" with { type: "bytes" };
import policyLoco from "./fixtures/pytorch/policy-loco-w16.safetensors" with { type: "bytes" };
import { readTensor, writeInput } from "../lib/autodiff/compile.ts";
import { Engine } from "../lib/autodiff/engine.ts";
import { Graph } from "../lib/autodiff/graph.ts";
import type { Dropout } from "../lib/autodiff/ops/dropout.ts";
import { type Target, targetOf } from "../lib/gpu/target.ts";
import {
  type Hyperparameters,
  hyperparametersFor,
} from "../lib/algorithms/srpo/hyperparameters.ts";
import { behavior } from "../lib/algorithms/srpo/behavior.ts";
import { critic } from "../lib/algorithms/srpo/critic.ts";
import { policy } from "../lib/algorithms/srpo/policy.ts";
import type { Stage } from "../lib/algorithms/algorithm.ts";
import type { Tensor } from "../lib/autodiff/tensor.ts";
import { Fixture } from "./support/fixtures.ts";

/** The fixtures of this repository, imported as modules so that they need no permissions. */
const bundled: Readonly<Record<string, Uint8Array>> = {
  "critic-ant-w16": criticAnt,
  "critic-loco-w16": criticLoco,
  "behavior-ant-w16": behaviorAnt,
  "behavior-loco-w16": behaviorLoco,
  "policy-ant-w16": policyAnt,
  "policy-loco-w16": policyLoco,
};

/** Another directory of fixtures, if any. */
const directory =
  Deno.permissions.querySync({ name: "env", variable: "SRPO_FIXTURES" }).state === "granted"
    ? Deno.env.get("SRPO_FIXTURES")
    : undefined;

/** Returns the fixture files of a stage: those of this repository, or of the given directory. */
function filesOf(stage: string): string[] {
  const names = directory
    ? [...Deno.readDirSync(directory)].map(({ name }) => name.replace(".safetensors", ""))
    : Object.keys(bundled);
  return names.filter((name) => name.startsWith(`${stage}-`)).sort();
}

/**
 * Returns the files of a stage with the kernel variants to use: those selected for this adapter,
 * and for half of the files also the tiled product.
 */
function casesOf(stage: string): { name: string; suffix: string; target?: Target }[] {
  return filesOf(stage).flatMap((name) => [
    { name, suffix: "" },
    ...(name.includes("-loco-")
      ? [{ name, suffix: ", tiled product", target: targetOf("tiled") }]
      : []),
  ]);
}

function open(name: string): Fixture {
  return new Fixture(
    name,
    directory ? Deno.readFileSync(`${directory}/${name}.safetensors`) : bundled[name]!,
  );
}

/** Collects all mismatches, so that a failure shows every one. */
class Comparison {
  readonly #failures: string[] = [];
  #compared = 0;

  /** Checks that the largest difference is at most `absolute` + `relative` · max |expected|. */
  close(
    name: string,
    actual: ArrayLike<number>,
    expected: ArrayLike<number>,
    { relative = 0, absolute = 0 }: { relative?: number; absolute?: number },
  ): void {
    const largest = maximum(expected, (i) => Math.abs(expected[i]!));
    const worst = this.#worst(name, actual, expected);
    const limit = absolute + relative * largest;
    if (!(worst <= limit)) this.#failures.push(`${name}: off by ${worst}, limit ${limit}`);
  }

  /**
   * Checks that 99.9 % of the entries are within 5e-6 and that none is off by more than `limit`.
   */
  parameters(
    name: string,
    actual: ArrayLike<number>,
    expected: ArrayLike<number>,
    limit: number,
  ): void {
    const worst = this.#worst(name, actual, expected);
    let off = 0;
    for (let i = 0; i < expected.length; i++) {
      if (!(Math.abs(actual[i]! - expected[i]!) <= 5e-6)) off++;
    }
    if (!(worst <= limit) || off > expected.length * 1e-3) {
      this.#failures.push(`${name}: ${off} of ${expected.length} off by 5e-6, worst ${worst}`);
    }
  }

  #worst(name: string, actual: ArrayLike<number>, expected: ArrayLike<number>): number {
    this.#compared++;
    if (actual.length !== expected.length) {
      this.#failures.push(`${name}: ${actual.length} numbers, expected ${expected.length}`);
    }
    return maximum(expected, (i) => Math.abs(actual[i]! - expected[i]!));
  }

  finish(): void {
    assert(this.#compared > 0, "no tensor was compared");
    assert(this.#failures.length === 0, `\n${this.#failures.join("\n")}`);
  }
}

/** Returns the maximum over the entries, or NaN if any is NaN. */
function maximum(values: ArrayLike<number>, of: (i: number) => number): number {
  let largest = 0;
  for (let i = 0; i < values.length; i++) {
    const value = of(i);
    if (!(value <= largest)) largest = value;
  }
  return largest;
}

/**
 * Returns the values of a tensor that a fixture holds: all, or every n-th (`.every11`, `.every37`).
 */
function sampled(
  fixture: Fixture,
  name: string,
  values: Float32Array,
): [Float32Array, Float64Array] {
  if (fixture.has(name)) return [values, fixture.get(name)];
  const stride = Number(fixture.metadata("sample_stride"));
  const expected = fixture.get(`${name}.every${stride}`);
  return [values.filter((_, i) => i % stride === 0), expected];
}

/** Returns the hyperparameters of a fixture. */
function hyperparametersOf(fixture: Fixture, overrides: Partial<Hyperparameters>): Hyperparameters {
  const family = fixture.metadata("config") === "ant" ? "antmaze" : "locomotion";
  const width = Number(fixture.metadata("hidden"));
  return hyperparametersFor(family, "paper", {
    criticWidth: width,
    behaviorWidth: width,
    policyWidth: width,
    beta: 0.05,
    ...overrides,
  });
}

interface Case {
  readonly target: Target | undefined;
  readonly fixture: Fixture;
  readonly graph: Graph;
  readonly stage: Stage;
  /** Sources of the initial values, by network. */
  readonly sources: readonly Fixture[];
  /**
   * Inputs with the fixture tensors that they take, step by step, or functions that return them.
   */
  readonly inputs: readonly [Tensor, string | ((step: number) => Float32Array)][];
  /** Prefix of the variant's results. */
  readonly variant: string;
  /** Fixture names of the metrics. */
  readonly metrics: Readonly<Record<string, string>>;
  /** Tensors compared after the first step. */
  readonly first: readonly [Tensor, string, { relative?: number; absolute?: number }][];
}

/** Runs five steps and compares every tensor that the fixture holds. */
async function run(
  { target, fixture, graph, stage, sources, inputs, variant, metrics, first }: Case,
) {
  using engine = await Engine.open(target);
  const comparison = new Comparison();
  const optimizers = stage.networks.flatMap(({ optimizer }) => optimizer?.gradient ?? []);
  const program = await engine.compile(graph, [...optimizers, ...first.map(([tensor]) => tensor)]);
  stage.networks.forEach(({ prefixes, parameters }, n) =>
    prefixes.forEach((prefix, replica) =>
      parameters.write(
        program,
        replica,
        new Map(parameters.shapes.map(({ name }) => [
          name,
          sources[n]!.f32(`init.${prefix}${name}`),
        ])),
      )
    )
  );

  const compareParameters = async (moment: string, limit: number) => {
    for (const { prefixes, parameters, optimizer, initial } of stage.networks) {
      // Networks without an optimizer do not change, except the targets, unless they belong to
      // another stage.
      const moves = initial !== undefined && prefixes[0]!.startsWith("q0_target");
      if (!optimizer && !moves) continue;
      const values = await parameters.read(program);
      prefixes.forEach((prefix, replica) => {
        for (const { name } of parameters.shapes) {
          const key = `${variant}${moment}.${prefix}${name}`;
          const [actual, expected] = sampled(fixture, key, values[replica]!.get(name)!);
          comparison.parameters(key, actual, expected, limit);
        }
      });
    }
  };

  for (let step = 0; step < 5; step++) {
    for (const [tensor, from] of inputs) {
      const values = typeof from === "string" ? fixture.step(from, step) : from(step);
      writeInput(program, tensor, values);
    }
    const row = await program.submit(step, 1);
    for (const [ours, theirs] of Object.entries(metrics)) {
      const metric = graph.metrics.find(({ name }) => name === ours)!;
      const expected = fixture.get(variant + theirs)[step]!;
      comparison.close(`${variant}${theirs} step ${step}`, [row[metric.index]!], [expected], {
        relative: 1e-5,
      });
    }
    if (step > 0) continue;
    for (const [tensor, name, limit] of first) {
      const values = await readTensor(program, tensor);
      const size = fixture.get(variant + name).length;
      // The twin heads are neighboring replicas.
      const [q1, q2] = [values.subarray(0, size), values.subarray(size)];
      const actual = name.endsWith("target_q")
        ? q1.map((q, i) => Math.min(q, q2[i]!))
        : name.endsWith("q2")
        ? q2
        : q1;
      comparison.close(variant + name, actual, fixture.get(variant + name), limit);
    }
    for (const { prefixes, parameters, optimizer } of stage.networks) {
      if (!optimizer) continue;
      const values = await parameters.read(program, optimizer.gradient.storage);
      prefixes.forEach((prefix, replica) => {
        for (const { name } of parameters.shapes) {
          const key = `${variant}grad1.${prefix}${name}`;
          const [actual, expected] = sampled(fixture, key, values[replica]!.get(name)!);
          const relative = name.startsWith("cond_model") ? 1e-4 : 3e-5;
          comparison.close(key, actual, expected, { relative });
        }
      });
    }
    await compareParameters("after1", 6e-4);
  }
  await compareParameters("after5", 3e-3);
  program.destroy();
  comparison.finish();
}

const intermediate = { relative: 5e-5 };

for (const { name, suffix, target } of casesOf("critic")) {
  Deno.test({
    name: `critic() matches the official code: ${name}${suffix}`,
    fn: async () => {
      const fixture = open(name);
      const [, rows, observations] = fixture.shape("batch.s") as [number, number, number];
      const actions = fixture.shape("batch.a")[2]!;
      const graph = new Graph({ seeds: [0] });
      const batch = {
        state: graph.input(rows, observations),
        action: graph.input(rows, actions),
        reward: graph.input(rows, 1),
        terminal: graph.input(rows, 1),
        nextState: graph.input(rows, observations),
      };
      const stage = critic(
        graph,
        batch,
        hyperparametersOf(fixture, {
          expectile: Number(fixture.metadata("expectile")),
          awrTemperature: Number(fixture.metadata("awr_temperature")),
        }),
      );
      const { targetQ, nextValue, value, qValue } = stage.tensors;
      await run({
        target,
        fixture,
        graph,
        stage,
        sources: stage.networks.map(() => fixture),
        inputs: [
          [batch.state, "batch.s"],
          [batch.action, "batch.a"],
          [batch.reward, "batch.r"],
          [batch.terminal, "batch.d"],
          [batch.nextState, "batch.s_next"],
        ],
        variant: "",
        metrics: {
          loss_v: "loss.v",
          loss_q: "loss.q",
          loss_awr: "loss.awr",
          q_mean: "stat.q_mean",
          v_mean: "stat.v_mean",
        },
        first: [
          [targetQ!, "step1.target_q", intermediate],
          [nextValue!, "step1.next_v", intermediate],
          [value!, "step1.v", intermediate],
          [qValue!, "step1.q1", intermediate],
          [qValue!, "step1.q2", intermediate],
        ],
      });
    },
  });
}

for (const { name, suffix, target } of casesOf("behavior")) {
  for (const variant of ["nodrop", "drop"] as const) {
    Deno.test({
      name: `behavior() matches the official code: ${name}${suffix}, ${variant}`,
      fn: async () => {
        const fixture = open(name);
        const [, rows, observations] = fixture.shape("batch.s") as [number, number, number];
        const actions = fixture.shape("batch.a")[2]!;
        const blocks = Number(fixture.metadata("blocks"));
        const width = Number(fixture.metadata("hidden"));
        const graph = new Graph({ seeds: [0] });
        const state = graph.input(rows, observations);
        const action = graph.input(rows, actions);
        const t = graph.input(rows, 1);
        const z = graph.input(rows, actions);
        const masks = Array.from({ length: blocks }, () => graph.input(rows, width));
        const dropped = (block: number): Dropout => ({ rate: 0.1, keep: { mask: masks[block]! } });
        const stage = behavior(
          graph,
          {
            state,
            action,
            times: { given: t },
            noise: { given: z },
            ...(variant === "drop" && { dropout: dropped }),
          },
          hyperparametersOf(fixture, { behaviorBlocks: blocks }),
        );
        const inputs: [Tensor, string | ((step: number) => Float32Array)][] = [
          [state, "batch.s"],
          [action, "batch.a"],
          [t, "t"],
          [z, "z"],
        ];
        if (variant === "drop") {
          const size = rows * width;
          masks.forEach((mask, block) =>
            inputs.push([
              mask,
              (step) =>
                fixture.step("drop.keep_mask", step).slice(block * size, (block + 1) * size),
            ])
          );
        }
        await run({
          target,
          fixture,
          graph,
          stage,
          sources: [fixture, fixture],
          inputs,
          variant: `${variant}.`,
          metrics: { loss: "loss" },
          first: [
            [stage.tensors.xt!, "step1.perturbed_a", intermediate],
            [stage.tensors.noiseHat!, "step1.eps_hat", intermediate],
          ],
        });
      },
    });
  }
}

for (const { name, suffix, target } of casesOf("policy")) {
  const variants = Object.entries(
    JSON.parse(open(name).metadata("variants")) as Record<string, Variant>,
  );
  for (const [variant, options] of variants) {
    Deno.test({
      name: `policy() matches the official code: ${name}${suffix}, ${variant}`,
      fn: async () => {
        const fixture = open(name);
        const frozen = open(name.replace("policy", "behavior"));
        const [, rows, observations] = fixture.shape("batch.s") as [number, number, number];
        const actions = fixture.shape("z")[2]!;
        const graph = new Graph({ seeds: [0] });
        const s = graph.input(rows, observations);
        const t = graph.input(rows, 1);
        const z = graph.input(rows, actions);
        const h = hyperparametersOf(fixture, {
          behaviorBlocks: Number(frozen.metadata("blocks")),
          policyLayers: Number(fixture.metadata("policy_hidden_layers")),
          policySteps: Math.round((options.n_policy_epochs ?? 100) * 10_000),
          beta: Number(fixture.metadata("beta")),
          normalizeBeta: (options.regq ?? Number(fixture.metadata("regq"))) === 1,
          subtractBaseline: options.WT.includes("noise"),
          weighting: options.WT.includes("VDS")
            ? "sigma2"
            : options.WT.includes("stable")
            ? "constant"
            : "alpha_over_sigma",
        });
        const stage = policy(
          graph,
          { state: () => s, times: { given: t }, noise: { given: z } },
          actions,
          h,
        );
        const { action, xt, noiseHat, qGradient } = stage.tensors;
        await run({
          target,
          fixture,
          graph,
          stage,
          sources: [fixture, fixture, frozen, frozen],
          inputs: [[s, "batch.s"], [t, "t"], [z, "z"]],
          variant: `${variant}.`,
          metrics: { loss: "loss", q_mean: "stat.q_mean" },
          first: [
            [action!, "step1.a", intermediate],
            [xt!, "step1.perturbed_a", intermediate],
            [noiseHat!, "step1.eps_hat", intermediate],
            // The fixture holds the gradient of the sum of q, where q is the mean of the heads.
            [qGradient!, "step1.dq_da", intermediate],
          ],
        });
      },
    });
  }
}

interface Variant {
  readonly WT: string;
  readonly regq?: number;
  readonly n_policy_epochs?: number;
}
