/**
 * Compares five steps of Diffusion-QL with the official code
 * (`tests/fixtures/official/diffusion_ql.py`), entry by entry. The reference is the official code
 * in float64. The official code in float32 is within the same limits. Needs no permissions.
 */
import { assert } from "@std/assert";
import bytes from "../../fixtures/official/diffusion_ql.safetensors" with { type: "bytes" };
import { agent } from "../../../lib/algorithms/diffusion-ql/agent.ts";
import { hyperparameterTable } from "../../../lib/algorithms/diffusion-ql/hyperparameters.ts";
import { writeInput } from "../../../lib/autodiff/compile.ts";
import { Engine } from "../../../lib/autodiff/engine.ts";
import { Graph } from "../../../lib/autodiff/graph.ts";
import type { ParameterValues } from "../../../lib/autodiff/parameters.ts";
import type { Storage, Tensor } from "../../../lib/autodiff/tensor.ts";
import { Fixture } from "../../support/fixtures.ts";

const fixture = new Fixture("diffusion_ql", bytes);
const steps = 5;
/** Name of each loss here and in the fixture. */
const losses = {
  loss_critic: "critic",
  loss_imitation: "bc",
  loss_improvement: "ql",
  loss_actor: "actor",
} as const;

for (const setting of ["mean", "max"]) {
  Deno.test(`agent(), diffusion-ql: losses, gradients and weights match the official code: ${setting}`, async () => {
    const number = (name: string) => Number(fixture.metadata(name));
    const [rows, states, actions] = ["rows", "observations", "actions"].map(number) as [
      number,
      number,
      number,
    ];
    const maxOverActions = fixture.metadata(`${setting}.max_q_backup`) === "True";
    const h = hyperparameterTable.valuesFor("maze2d", "paper", {
      eta: number(`${setting}.eta`),
      gradientNorm: number(`${setting}.grad_norm`),
      maxOverActions,
      diffusionSteps: number("times"),
      averageRate: 1 - number("ema_decay"),
      averageFrom: number("step_start_ema"),
      averageEvery: number("update_ema_every"),
      width: number("width"),
    });
    const graph = new Graph({ seeds: [0] });
    const inputs: [Tensor, (step: number) => Float32Array][] = [];
    const input = (rows: number, columns: number, values: (step: number) => Float32Array) => {
      const tensor = graph.input(rows, columns);
      inputs.push([tensor, values]);
      return tensor;
    };
    const recorded = (rows: number, columns: number, name: string) =>
      input(rows, columns, (step) => fixture.step(name, step));
    /** Returns draw k of the recorded chains. */
    const chain = (name: string, rows: number) => (k: number) => {
      const size = rows * actions;
      return input(
        rows,
        actions,
        (step) => fixture.step(`${setting}.draw.${name}`, step).slice(k * size, (k + 1) * size),
      );
    };
    const { networks } = agent(
      graph,
      {
        state: recorded(rows, states, "batch.s"),
        action: recorded(rows, actions, "batch.a"),
        reward: recorded(rows, 1, "batch.r"),
        terminal: recorded(rows, 1, "batch.d"),
        nextState: recorded(rows, states, "batch.s_next"),
        time: recorded(rows, 1, `${setting}.draw.time`),
        noise: recorded(rows, actions, `${setting}.draw.noise`),
        chain: chain("chain", rows),
        nextChain: chain("chain_next", maxOverActions ? 10 * rows : rows),
        // The official code maximizes the first Q-network if the coin is above one half.
        head: input(
          1,
          1,
          (step) => Float32Array.of(fixture.step(`${setting}.draw.coin`, step)[0]! > 0.5 ? 0 : 1),
        ),
      },
      h,
      [h.eta],
    );
    const official = networks.filter(({ prefixes }) => prefixes[0] !== "schedule.");
    using engine = await Engine.open();
    const program = await engine.compile(
      graph,
      official.flatMap(({ optimizer }) => optimizer?.gradient ?? []),
    );
    for (const { prefixes, parameters } of official) {
      prefixes.forEach((prefix, replica) =>
        parameters.write(
          program,
          replica,
          new Map(parameters.shapes.map(({ name }) => [
            name,
            fixture.f32(`init.${prefix}${name}`),
          ])),
        )
      );
    }

    const failures: string[] = [];
    const compare = (
      name: string,
      actual: ArrayLike<number>,
      limitOf: (largest: number) => number,
      entry?: number,
    ) => {
      const [expected, single] = [`f64.${setting}.${name}`, `${setting}.${name}`].map((each) => {
        const values = fixture.get(each);
        return entry === undefined ? values : values.slice(entry, entry + 1);
      }) as [Float64Array, Float64Array];
      const limit = limitOf(largest(expected, (i) => expected[i]!));
      const [worst, theirs] = [actual, single].map((values) =>
        largest(expected, (i) => values[i]! - expected[i]!)
      ) as [number, number];
      if (actual.length !== expected.length || !(worst <= limit)) {
        failures.push(
          `${name} ${entry ?? ""}: off by ${worst}, limit ${limit}; PyTorch's float32 by ${theirs}`,
        );
      }
    };
    const compareEach = async (
      moment: string,
      limitOf: (largest: number) => number,
      storageOf: (network: (typeof networks)[number]) => Storage | undefined,
      factorOf: (values: readonly ParameterValues[]) => number = () => 1,
    ) => {
      for (const network of official) {
        const storage = storageOf(network);
        if (storage === undefined) continue;
        const values = await network.parameters.read(program, storage);
        const factor = factorOf(values);
        network.prefixes.forEach((prefix, replica) => {
          for (const [name, found] of values[replica]!) {
            compare(`${moment}.${prefix}${name}`, found.map((x) => factor * x), limitOf);
          }
        });
      }
    };
    /**
     * Clips our gradients like those of the fixture; our optimizer clips them only when it steps.
     */
    const clipping = (values: readonly ParameterValues[]) =>
      Math.min(
        1,
        h.gradientNorm /
          Math.hypot(...values.flatMap((each) => [...each.values()].flatMap((x) => [...x]))),
      );

    for (let step = 0; step < steps; step++) {
      for (const [tensor, values] of inputs) writeInput(program, tensor, values(step));
      const row = await program.submit(step, 1);
      for (const { name, index } of graph.metrics) {
        const theirs = losses[name as keyof typeof losses];
        if (theirs === undefined) continue;
        compare(`loss.${theirs}`, [row[index]!], (most) => 1e-5 * most, step);
      }
      if (step === 0) {
        await compareEach(
          "grad1",
          (most) => 3e-5 * most,
          ({ optimizer }) => optimizer?.gradient.storage,
          clipping,
        );
      }
      if (step === 0 || step === steps - 1) {
        await compareEach(`after${step + 1}`, () => 1e-5, ({ parameters }) => parameters.storage);
      }
    }
    program.destroy();
    assert(failures.length === 0, `\n${failures.join("\n")}`);
  });
}

/** Returns the largest magnitude, or NaN if there is one. */
function largest(over: ArrayLike<number>, of: (i: number) => number): number {
  let most = 0;
  for (let i = 0; i < over.length; i++) {
    const magnitude = Math.abs(of(i));
    if (!(magnitude <= most)) most = magnitude;
  }
  return most;
}
