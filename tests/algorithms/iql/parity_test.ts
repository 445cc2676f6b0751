/**
 * Compares every number of a step of IQL with the official JAX code
 * (`tests/fixtures/official/iql.py`)
 * in float64. The fixture also records the error of the official code in float32.
 */
import { assert } from "@std/assert";
import bytes from "../../fixtures/official/iql.safetensors" with { type: "bytes" };
import { agent } from "../../../lib/algorithms/iql/agent.ts";
import { hyperparameterTable } from "../../../lib/algorithms/iql/hyperparameters.ts";
import { readTensor, writeInput } from "../../../lib/autodiff/compile.ts";
import { Engine } from "../../../lib/autodiff/engine.ts";
import { Graph } from "../../../lib/autodiff/graph.ts";
import type { ParameterSet } from "../../../lib/autodiff/parameters.ts";
import type { Storage } from "../../../lib/autodiff/tensor.ts";
import type { Program } from "../../../lib/gpu/program.ts";
import { Fixture } from "../../support/fixtures.ts";

const fixture = new Fixture("iql", bytes);
const settings = { loco: "locomotion", ant: "antmaze" } as const;
const losses = { loss_v: "value", loss_q: "critic", loss_policy: "actor" } as const;
const steps = 5;

/** Returns a parameter's name in the fixture. */
function official(name: string): string {
  return name.replace(/^value\.net\./, "value.").replace(/^policy\.(mean\.net\.)?/, "actor.");
}

for (const [setting, family] of Object.entries(settings)) {
  Deno.test(`agent() matches the official code of IQL: ${setting}`, async () => {
    const size = (name: string) => Number(fixture.metadata(name));
    const h = hyperparameterTable.valuesFor(family, "paper", {
      width: size("width"),
      steps: size("max_steps"),
    });
    const graph = new Graph({ seeds: [0] });
    const rows = size("rows");
    const batch = {
      state: graph.input(rows, size("observations")),
      action: graph.input(rows, size("actions")),
      reward: graph.input(rows, 1),
      terminal: graph.input(rows, 1),
      nextState: graph.input(rows, size("observations")),
    };
    const inputs = [
      [batch.state, "s"],
      [batch.action, "a"],
      [batch.reward, "r"],
      [batch.terminal, "d"],
      [batch.nextState, "s_next"],
    ] as const;
    const { networks, tensors } = agent(graph, batch, h, [h]);
    using engine = await Engine.open();
    const advantage = tensors["advantage"]!;
    const gradients = networks.flatMap(({ optimizer }) => optimizer?.gradient ?? []);
    const program = await engine.compile(graph, [...gradients, advantage]);
    for (const { prefixes, parameters } of networks) {
      prefixes.forEach((prefix, replica) =>
        parameters.write(
          program,
          replica,
          new Map(parameters.shapes.map(({ name }) => [
            name,
            fixture.f32(`init.${official(prefix + name)}`),
          ])),
        )
      );
    }

    const failures: string[] = [];
    /**
     * Checks that differences from float64 are at most `limit`, as in the official code's float32.
     */
    const compare = (
      name: string,
      actual: ArrayLike<number>,
      limitOf: (most: number) => number,
    ) => {
      const expected = fixture.get(`f64.${setting}.${name}`);
      const single = fixture.get(`${setting}.${name}`);
      const limit = limitOf(largest(expected, (i) => expected[i]!));
      const [worst, theirs] = [actual, single].map((values) =>
        largest(expected, (i) => values[i]! - expected[i]!)
      ) as [number, number];
      assert(theirs <= limit, `${name}: the official float32 is off by ${theirs}, limit ${limit}`);
      if (actual.length !== expected.length || !(worst <= limit)) {
        failures.push(`${name}: off by ${worst}, limit ${limit}; official float32 by ${theirs}`);
      }
    };
    const each = async (
      moment: string,
      limitOf: (most: number) => number,
      storageOf: (network: (typeof networks)[number]) => Storage | undefined,
    ) => {
      for (const network of networks) {
        const storage = storageOf(network);
        if (storage === undefined) continue;
        const values = await named(program, network.prefixes, network.parameters, storage);
        for (const [name, found] of values) compare(`${moment}.${name}`, found, limitOf);
      }
    };

    const found: Record<string, number[]> = {};
    for (let step = 0; step < steps; step++) {
      for (const [tensor, name] of inputs) {
        writeInput(program, tensor, fixture.step(`batch.${name}`, step));
      }
      const row = await program.submit(step, 1);
      for (const { name, index } of graph.metrics) (found[name] ??= []).push(row[index]!);
      if (step === 0) {
        compare("step1.advantage", await readTensor(program, advantage), (most) => 1e-5 * most);
        await each("grad1", (most) => 3e-5 * most, ({ optimizer }) => optimizer?.gradient.storage);
      }
      if (step === 0 || step === steps - 1) {
        await each(`after${step + 1}`, () => 1e-5, ({ parameters }) => parameters.storage);
      }
    }
    program.destroy();
    for (const [ours, theirs] of Object.entries(losses)) {
      const expected = fixture.get(`f64.${setting}.loss.${theirs}`);
      for (let step = 0; step < steps; step++) {
        const off = Math.abs(found[ours]![step]! / expected[step]! - 1);
        if (!(off <= 1e-5)) failures.push(`${ours}, step ${step}: off by ${off}, relatively`);
      }
    }
    assert(failures.length === 0, `\n${failures.join("\n")}`);
  });
}

/** Returns values in a storage with the parameters' layout, by name in the fixture. */
async function named(
  program: Program,
  prefixes: readonly string[],
  parameters: ParameterSet,
  storage: Storage,
): Promise<[string, Float32Array][]> {
  const values = await parameters.read(program, storage);
  return prefixes.flatMap((prefix, replica) =>
    [...values[replica]!].map(([name, found]): [string, Float32Array] => [
      official(prefix + name),
      found,
    ])
  );
}

/** Returns the largest magnitude, or NaN if any value is NaN. */
function largest(over: ArrayLike<number>, of: (i: number) => number): number {
  let most = 0;
  for (let i = 0; i < over.length; i++) {
    const magnitude = Math.abs(of(i));
    if (!(magnitude <= most)) most = magnitude;
  }
  return most;
}
