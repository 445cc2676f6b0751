/**
 * Tests programs that share a parameter store, with the example of small_td3.ts. Runs without
 * permissions.
 *
 * @module
 */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { readTensor, writeInput } from "../../lib/autodiff/compile.ts";
import { Engine } from "../../lib/autodiff/engine.ts";
import { Graph } from "../../lib/autodiff/graph.ts";
import { meanSquaredError } from "../../lib/autodiff/ops/squared_error.ts";
import { ParameterSet } from "../../lib/autodiff/parameters.ts";
import { ParameterStore } from "../../lib/autodiff/parameter_store.ts";
import { uniform } from "../../lib/autodiff/random.ts";
import {
  act,
  actions,
  actorShapes,
  bitsOf,
  build,
  numbersOf,
  rows,
  startOf,
  states,
} from "./small_td3.ts";

Deno.test("ParameterStore: activations may have more slices than the weights", async () => {
  using engine = await Engine.open();
  const seeds = [3, 8, 11, 12];
  const outputs: Float32Array[] = [];
  const slices: number[] = [];
  for (const bindable of [undefined, 1024]) {
    using store = new ParameterStore(seeds.length);
    const actor = new ParameterSet(store, actorShapes, seeds.length);
    const graph = new Graph({ seeds, store });
    const state = graph.input(40, states);
    const action = act(graph, actor, state);
    const program = await engine.compile(graph, [action], bindable);
    slices.push(store.slices, program.dispatchesPerStep);
    seeds.forEach((seed, replica) => actor.write(store, replica, startOf(seed, "actor")));
    const numbers = uniform(1, 1, 0, seeds.length * 40 * states);
    writeInput(program, state, Float32Array.from(numbers));
    await program.submit(0, 1);
    outputs.push(await readTensor(program, action));
    program.destroy();
  }
  assertEquals(slices, [1, 1, 1, 4]);
  assertEquals(outputs[1], outputs[0]);
  assert(outputs[0]!.every((value) => value !== 0));
});

Deno.test("ParameterStore: a program compiled later uses the trained weights", async () => {
  using engine = await Engine.open();
  const seeds = [3, 8];
  const { step, store, networks } = await build(engine, seeds);
  await step.submit(0, 4);

  const graph = new Graph({ seeds, store });
  const state = graph.input(rows, states);
  const action = act(graph, networks.actor, state);
  const sampler = await engine.compile(graph, [action]);
  writeInput(
    sampler,
    state,
    Float32Array.from(seeds.flatMap((seed) => [...numbersOf(seed, "state")])),
  );
  const sampled = async () => {
    const [, actions] = await Promise.all([sampler.submit(0, 1), readTensor(sampler, action)]);
    return actions;
  };
  const expected = async () => {
    const read = await networks.actor.read();
    return seeds.flatMap((seed, replica) => {
      const [w, b] = [...read[replica]!.values()] as [Float32Array, Float32Array];
      const s = numbersOf(seed, "state");
      return Array.from({ length: rows * actions }, (_, i) => {
        const [row, a] = [Math.floor(i / actions), i % actions];
        const sum = Array.from(
          { length: states },
          (_, j) => w[a * states + j]! * s[row * states + j]!,
        );
        return Math.tanh(sum.reduce((x, y) => x + y, b[a]!));
      });
    });
  };
  const compare = async () => {
    const [found, wanted] = [await sampled(), await expected()];
    found.forEach((value, i) => assert(Math.abs(value - wanted[i]!) < 1e-6));
    return found;
  };
  const first = await compare();
  await step.submit(4, 4);
  const second = await compare();
  assert(first.some((value, i) => Math.abs(value - second[i]!) > 1e-3));
  // Sampling still works after the training programs are destroyed.
  step.destroy();
  assertEquals(await sampled(), second);
  sampler.destroy();
  store.destroy();
});

Deno.test("ParameterStore: weights outlive their programs and are freed with the store", async () => {
  using engine = await Engine.open();
  // Warms up: the first build also compiles the kernels and allocates the device's own buffers.
  const warm = await build(engine, [3]);
  warm.step.destroy();
  warm.store.destroy();

  const { device } = engine.gpu;
  const held = new Set<GPUBuffer>();
  const create = device.createBuffer.bind(device);
  device.createBuffer = (descriptor) => {
    const buffer = create(descriptor);
    const destroy = buffer.destroy.bind(buffer);
    held.add(buffer);
    buffer.destroy = () => {
      held.delete(buffer);
      destroy();
    };
    return buffer;
  };
  const bytes = () => [...held].reduce((total, { size }) => total + size, 0);

  const built = await build(engine, [3]);
  await built.step.submit(0, 5);
  assertEquals(bytes(), built.step.bytes);
  const trained = await bitsOf(built);
  built.step.destroy();
  assertEquals(bytes(), built.store.bytes);
  assert(built.store.bytes > 0);
  assertEquals(await bitsOf(built), trained);
  built.store.destroy();
  assertEquals(held.size, 0);
  await assertRejects(() => built.networks.critic.read(), Error, "no memory yet");

  // A graph without a store creates its own, which is destroyed with its program.
  const graph = new Graph({ seeds: [3] });
  act(graph, new ParameterSet(graph, actorShapes, 1), graph.input(rows, states));
  const program = await engine.compile(graph);
  assertEquals(bytes(), program.bytes);
  await assertRejects(
    () => engine.compile(graph),
    Error,
    "several programs must share an explicit store",
  );
  program.destroy();
  assertEquals(held.size, 0);
});

Deno.test("ParameterStore: rejects graphs that cannot share it", async () => {
  using engine = await Engine.open();
  using store = new ParameterStore(1);
  const actor = new ParameterSet(store, actorShapes, 1);
  assertThrows(
    () => new Graph({ seeds: [1, 2], store }),
    Error,
    "got 2 seeds, but the store has 1 replicas",
  );
  assertThrows(() => new Graph({ seeds: [1], store, every: 0 }), Error, "got 0 and -1");

  const stranger = new Graph({ seeds: [1] });
  act(stranger, actor, stranger.input(rows, states));
  await assertRejects(() => engine.compile(stranger), Error, "is not in its store");

  const graphOf = (seed: number, name: string, home?: ParameterStore) => {
    const graph = new Graph({ seeds: [seed], ...(home && { store: home }) });
    meanSquaredError(graph, name, graph.input(1, 1), graph.input(1, 1));
    return graph;
  };
  const compile = (...graphs: Graph[]) => () => engine.compileStep(graphs);
  await assertRejects(compile(), Error, "at least one graph is required");
  await assertRejects(compile(graphOf(1, "a"), graphOf(1, "b")), Error, "must share one store");
  const second = graphOf(2, "b", store);
  await assertRejects(
    compile(graphOf(1, "a", store), second),
    Error,
    "seeds must agree, got 1 and 2",
  );
  const same = graphOf(1, "a", store);
  await assertRejects(compile(graphOf(1, "a", store), same), Error, `"a" is reported twice`);

  const graph = new Graph({ seeds: [1], store });
  const program = await engine.compile(graph);
  assertThrows(
    () => new ParameterSet(graph, actorShapes, 1),
    Error,
    "the memory is already allocated",
  );
  program.destroy();
});
