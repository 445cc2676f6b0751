/** Trains the stages on a small synthetic data set. Needs no permission. */
import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { Engine } from "../../../lib/autodiff/engine.ts";
import { Graph } from "../../../lib/autodiff/graph.ts";
import type { ParameterValues } from "../../../lib/autodiff/parameters.ts";
import { normal } from "../../../lib/autodiff/random.ts";
import { ReplayBuffer } from "../../../lib/data/replay_buffer.ts";
import { initialFrequencies, initialize } from "../../../lib/nn/initialization.ts";
import {
  type Hyperparameters,
  hyperparametersFor,
} from "../../../lib/algorithms/srpo/hyperparameters.ts";
import type { Network, Stage } from "../../../lib/algorithms/algorithm.ts";
import { srpo } from "../../../lib/algorithms/srpo/algorithm.ts";

const stageNames = ["critic", "behavior", "policy"] as const;

/** Describes a step of a stage whose replicas all have the same hyperparameters. */
async function describe(
  name: string,
  graph: Graph,
  buffer: ReplayBuffer,
  h: Hyperparameters,
): Promise<Stage> {
  const stage = srpo.stages.find((each) => each.name === name)!;
  return await stage.describe(graph, buffer, h, graph.seeds.map(() => h));
}

const small: Partial<Hyperparameters> = {
  criticBatchSize: 16,
  behaviorBatchSize: 16,
  policyBatchSize: 16,
  criticWidth: 12,
  behaviorWidth: 8,
  policyWidth: 12,
  behaviorBlocks: 2,
  fourierFrequencies: 4,
  embeddingWidth: 8,
  beta: 0.3,
};
const tiny = hyperparametersFor("locomotion", "paper", small);

function bufferOf(engine: Engine, observationSize = 5, actionSize = 3): ReplayBuffer {
  const rows = 500;
  const numbers = (stream: number, count: number) => Float32Array.from(normal(1, stream, 0, count));
  return new ReplayBuffer(engine.gpu, {
    rows,
    observationSize,
    actionSize,
    observations: numbers(1, rows * observationSize),
    actions: numbers(2, rows * actionSize).map(Math.tanh),
    terminals: Float32Array.from({ length: rows }, (_, i) => Number(i % 50 === 49)),
    transitions: Uint32Array.from({ length: rows - 1 }, (_, i) => i).filter((i) => i % 50 !== 49),
  }, numbers(3, rows));
}

/**
 * Returns initial values, which for networks of an earlier stage are any that depend on the seed.
 */
function startOf(network: Network, seed: number, member: number): ParameterValues {
  const { parameters: { shapes }, initial } = network;
  if (initial !== undefined) return initial(shapes, seed, member);
  return shapes[0]!.name.endsWith(".W")
    ? new Map([[shapes[0]!.name, initialFrequencies(seed, tiny.fourierFrequencies, 30)]])
    : initialize(shapes, seed, 50 + member);
}

/** Returns all parameters of all networks after 200 steps, `[seed]`. */
async function trained(
  engine: Engine,
  buffer: ReplayBuffer,
  name: (typeof stageNames)[number],
  seeds: readonly number[],
  slices = 1,
): Promise<Float32Array[]> {
  const graph = new Graph({ seeds });
  const stage = await describe(name, graph, buffer, tiny);
  let program = await engine.compile(graph);
  if (slices > 1) {
    const { dispatchesPerStep } = program;
    const largest = Math.max(...["parameters", "activations"].map((a) => program.arenaBytes(a)));
    program.destroy();
    program = await engine.compile(graph, [], (1.2 * largest) / slices);
    assertEquals(program.dispatchesPerStep, slices * dispatchesPerStep);
    assert(program.arenaBytes("activations, slice 1") <= (1.2 * largest) / slices);
  }
  for (const network of stage.networks) {
    const members = network.parameters.replicas / seeds.length;
    seeds.forEach((seed, s) => {
      for (let member = 0; member < members; member++) {
        const values = startOf(network, seed, member);
        network.parameters.write(program, s * members + member, values);
      }
    });
  }
  const metrics = await Promise.all([program.submit(0, 100), program.submit(100, 100)]);
  assert(metrics.every((row) => row.every(Number.isFinite)));
  const found = await Promise.all(stage.networks.map(({ parameters }) => parameters.read(program)));
  program.destroy();
  return seeds.map((_, s) =>
    Float32Array.from(
      found.flatMap((family) => {
        const members = family.length / seeds.length;
        return family.slice(s * members, (s + 1) * members)
          .flatMap((network) => [...network.values()].flatMap((values) => [...values]));
      }),
    )
  );
}

/** Returns the bits, so that different numbers never compare equal. */
const bits = (values: Float32Array) => new Uint32Array(values.buffer);

for (const name of stageNames) {
  Deno.test(`${name} stage: a seed trained with others is bit-identical to training it separately; other seeds differ`, async () => {
    using engine = await Engine.open();
    const buffer = bufferOf(engine);
    const [first] = await trained(engine, buffer, name, [7]) as [Float32Array];
    const [second] = await trained(engine, buffer, name, [7]) as [Float32Array];
    const several = await trained(engine, buffer, name, [3, 7, 4_000_000_000]);
    buffer.destroy();
    assertEquals(bits(second), bits(first));
    assertEquals(bits(several[1]!), bits(first));
    assertNotEquals(bits(several[0]!), bits(first));
    assertNotEquals(bits(several[2]!), bits(first));
  });
}

for (const name of stageNames) {
  Deno.test(`${name} stage: bit-identical if the seeds do not fit into one buffer`, async () => {
    using engine = await Engine.open();
    const buffer = bufferOf(engine);
    const seeds = [3, 7, 11, 12, 20, 21];
    const together = await trained(engine, buffer, name, seeds);
    for (const slices of [2, 6]) {
      const apart = await trained(engine, buffer, name, seeds, slices);
      assertEquals(apart.map(bits), together.map(bits));
    }
    buffer.destroy();
  });
}

// The number depends on the structure, not the width: three blocks, and two or (AntMaze) four
// layers.
const dispatches = { critic: 16, behavior: 32, policy: { locomotion: 26, antmaze: 30 } };

for (const name of stageNames) {
  for (const family of ["locomotion", "antmaze"] as const) {
    const most = name === "policy" ? dispatches.policy[family] : dispatches[name];
    Deno.test(`${name} stage, ${family}: a step takes at most ${most} dispatches`, async () => {
      using engine = await Engine.open();
      const buffer = bufferOf(engine, 11, 3);
      const graph = new Graph({ seeds: [0] });
      const h = hyperparametersFor(family, "paper", { ...small, behaviorBlocks: 3 });
      await describe(name, graph, buffer, h);
      const program = await engine.compile(graph);
      const found = program.dispatchesPerStep;
      buffer.destroy();
      program.destroy();
      assert(found <= most, `${found} dispatches`);
    });
  }
}
