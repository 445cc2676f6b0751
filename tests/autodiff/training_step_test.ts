/**
 * Tests several programs that share a parameter store, with a small TD3 as the example: a critic
 * updated in every step, its actor and all targets in every second step, and an average of the
 * actor at intervals. Runs without permissions.
 *
 * @module
 */
import { assert, assertEquals, assertNotEquals, assertRejects, assertThrows } from "@std/assert";
import { readTensor, writeInput } from "../../lib/autodiff/compile.ts";
import { Engine } from "../../lib/autodiff/engine.ts";
import { Graph } from "../../lib/autodiff/graph.ts";
import { concatenate } from "../../lib/autodiff/ops/concatenate.ts";
import { linear } from "../../lib/autodiff/ops/linear.ts";
import { temporalDifferenceLoss } from "../../lib/algorithms/losses/temporal_difference.ts";
import { meanSquaredError } from "../../lib/autodiff/ops/squared_error.ts";
import { ParameterSet, type ParameterValues } from "../../lib/autodiff/parameters.ts";
import { ParameterStore } from "../../lib/autodiff/parameter_store.ts";
import { uniform } from "../../lib/autodiff/random.ts";
import type { Tensor } from "../../lib/autodiff/tensor.ts";
import { constant, cosine, minimize, periodic } from "../../lib/optim/adam.ts";
import { movingAverage } from "../../lib/optim/average.ts";

const rows = 5;
const [states, actions] = [3, 2];
const gamma = 0.9;
const tau = 0.3;
const rates = { critic: cosine(0.05, 20), actor: cosine(0.03, 10) };
const average = { rate: 0.25, every: 3, first: 1 };

const criticShapes = [
  { name: "weight", rows: 1, segments: [actions, states], vector: false },
  { name: "bias", rows: 1, segments: [1], vector: true },
];
const actorShapes = [
  { name: "weight", rows: actions, segments: [states], vector: false },
  { name: "bias", rows: 1, segments: [actions], vector: true },
];

const columnsOf = {
  state: states,
  action: actions,
  nextState: states,
  reward: 1,
  terminal: 1,
} as const;
type Name = keyof typeof columnsOf;
const names = Object.keys(columnsOf) as Name[];

/** Draws numbers in [−1, 1) for a seed; `terminal` is 0 or 1. */
function numbersOf(seed: number, name: Name): Float32Array {
  const all = uniform(seed, names.indexOf(name), 0, rows * columnsOf[name]);
  return Float32Array.from(all, (u) => name === "terminal" ? Number(u < 0.3) : 2 * u - 1);
}

const sets = ["critic", "actor", "criticTarget", "actorTarget", "averaged"] as const;
type SetName = typeof sets[number];

/**
 * Returns the initial values of a seed's networks. The averages start with the values of their
 * networks.
 */
function startOf(seed: number, set: SetName): ParameterValues {
  const critic = set.startsWith("critic");
  return new Map((critic ? criticShapes : actorShapes).map((shape, i) => {
    const count = shape.rows * shape.segments.reduce((a, b) => a + b);
    const all = uniform(seed, 20 + 2 * Number(critic) + i, 0, count);
    return [shape.name, Float32Array.from(all, (u) => u - 0.5)];
  }));
}

/** π(s) = tanh(W s + b) and Q(s, a) = w [a, s] + b. */
const layer = (network: ParameterSet) => ({
  weight: network.get("weight"),
  bias: network.get("bias"),
});
const act = (graph: Graph, network: ParameterSet, state: Tensor) =>
  linear(graph, state, layer(network), "tanh");
const score = (graph: Graph, network: ParameterSet, action: Tensor, state: Tensor) =>
  linear(graph, concatenate(graph, [action, state]), layer(network));

/** Describes the networks of a run and the graphs that train them. */
function describe(seeds: readonly number[]) {
  const store = new ParameterStore(seeds.length);
  const networks = Object.fromEntries(
    sets.map((name) => [
      name,
      new ParameterSet(
        store,
        name.startsWith("critic") ? criticShapes : actorShapes,
        seeds.length,
      ),
    ]),
  ) as Record<SetName, ParameterSet>;
  const { critic, actor, criticTarget, actorTarget, averaged } = networks;

  const every = new Graph({ seeds, store });
  const batch = Object.fromEntries(
    names.map((name) => [name, every.input(rows, columnsOf[name])]),
  ) as Record<Name, Tensor>;
  const { state, action, nextState, reward, terminal } = batch;
  const nextAction = act(every, actorTarget, nextState);
  const nextValue = score(every, criticTarget, nextAction, nextState);
  const q = score(every, critic, action, state);
  const loss = temporalDifferenceLoss(
    every,
    "loss_q",
    q,
    { reward, terminal, nextValue },
    gamma,
  );
  const criticOptimizer = minimize(every, loss, critic, { learningRate: rates.critic });

  const second = new Graph({ seeds, store, every: 2 });
  const seen = second.input(rows, states);
  // The action comes first, so that the concatenation moves the state's tensor.
  const beside = second.input(rows, states);
  const chosen = act(second, actor, seen);
  const value = score(second, critic, chosen, beside);
  const upstream = second.constant(rows, 1, -1 / rows);
  const actorOptimizer = minimize(second, { tensor: value, upstream }, actor, {
    learningRate: rates.actor,
    target: { parameters: actorTarget, rate: constant(tau) },
  });
  movingAverage(second, critic, { parameters: criticTarget, rate: constant(tau) });

  const third = new Graph({ seeds, store, every: average.every, first: average.first });
  movingAverage(third, actor, { parameters: averaged, rate: constant(average.rate) });
  meanSquaredError(third, "distance", third.input(1, 4), third.constant(1, 4, 2));

  const inputs: [number, Tensor, Name][] = [
    ...names.map((name): [number, Tensor, Name] => [0, batch[name], name]),
    [1, seen, "state"],
    [1, beside, "state"],
  ];
  return {
    store,
    networks,
    optimizers: { critic: criticOptimizer, actor: actorOptimizer },
    graphs: [every, second, third],
    inputs,
  };
}

/** Like describe(), compiled and with initial values. */
async function build(engine: Engine, seeds: readonly number[], bindable?: number) {
  const described = describe(seeds);
  const { store, networks, inputs, graphs } = described;
  const step = await engine.compileStep(graphs, bindable);
  for (const [program, tensor, name] of inputs) {
    const values = seeds.flatMap((seed) => [...numbersOf(seed, name)]);
    writeInput(step.programs[program]!, tensor, Float32Array.from(values));
  }
  seeds.forEach((seed, replica) => {
    for (const name of sets) networks[name].write(store, replica, startOf(seed, name));
  });
  return { ...described, step };
}

type Built = Awaited<ReturnType<typeof build>>;

/** Returns all weights and moments as bits. */
async function bitsOf({ networks, optimizers, store }: Built): Promise<number[]> {
  const read = [
    ...Object.values(networks).map((network) => network.read()),
    ...(["critic", "actor"] as const).flatMap((name) =>
      [optimizers[name].mean, optimizers[name].square].map((storage) =>
        networks[name].read(store, storage)
      )
    ),
  ];
  const values = (await Promise.all(read)).flat().flatMap((network) => [...network.values()]);
  return values.flatMap((array) => [...new Uint32Array(array.buffer)]);
}

/** Adam as published, for a single vector; it counts its own updates. */
class HostAdam {
  #mean: number[];
  #square: number[];
  #updates = 0;
  constructor(readonly values: number[], readonly rate: (update: number) => number) {
    this.#mean = values.map(() => 0);
    this.#square = values.map(() => 0);
  }
  move(gradient: readonly number[]): void {
    const k = this.#updates++;
    gradient.forEach((g, i) => {
      this.#mean[i] = 0.9 * this.#mean[i]! + 0.1 * g;
      this.#square[i] = 0.999 * this.#square[i]! + 0.001 * g * g;
      const mean = this.#mean[i]! / (1 - 0.9 ** (k + 1));
      const square = this.#square[i]! / (1 - 0.999 ** (k + 1));
      this.values[i]! -= this.rate(k) * mean / (Math.sqrt(square) + 1e-8);
    });
  }
}

/** The same algorithm for one seed in double precision. A network is a weight, then a bias. */
function reference(seed: number, steps: number) {
  const data = Object.fromEntries(names.map((name) => [name, numbersOf(seed, name)])) as Record<
    Name,
    Float32Array
  >;
  const row = (name: Name, i: number) => [
    ...data[name].subarray(i * columnsOf[name], (i + 1) * columnsOf[name]),
  ];
  const flat = (set: SetName) => [...startOf(seed, set).values()].flatMap((array) => [...array]);
  const networks = Object.fromEntries(sets.map((set) => [set, flat(set)])) as Record<
    SetName,
    number[]
  >;
  const critic = new HostAdam(networks.critic, rates.critic);
  const actor = new HostAdam(networks.actor, rates.actor);
  const inner = actions * states;
  const policy = (w: number[], s: number[]) =>
    Array.from(
      { length: actions },
      (_, a) => Math.tanh(s.reduce((sum, x, j) => sum + w[a * states + j]! * x, w[inner + a]!)),
    );
  const value = (w: number[], x: number[]) => x.reduce((sum, v, j) => sum + w[j]! * v, w.at(-1)!);
  const follow = (to: number[], from: number[], rate: number) =>
    to.forEach((old, i) => to[i] = rate * from[i]! + (1 - rate) * old);

  const losses: number[] = [];
  for (let step = 0; step < steps; step++) {
    let loss = 0;
    const criticGradient = networks.critic.map(() => 0);
    for (let i = 0; i < rows; i++) {
      const x = [...row("action", i), ...row("state", i)];
      const s = row("nextState", i);
      const next = value(networks.criticTarget, [...policy(networks.actorTarget, s), ...s]);
      const goal = row("reward", i)[0]! + gamma * (1 - row("terminal", i)[0]!) * next;
      const difference = value(networks.critic, x) - goal;
      loss += difference ** 2 / rows;
      [...x, 1].forEach((v, j) => criticGradient[j]! += 2 * difference * v / rows);
    }
    losses.push(loss);
    critic.move(criticGradient);
    if (step % 2 === 1) {
      const actorGradient = networks.actor.map(() => 0);
      for (let i = 0; i < rows; i++) {
        const s = row("state", i);
        policy(networks.actor, s).forEach((chosen, a) => {
          const slope = -networks.critic[a]! / rows * (1 - chosen ** 2);
          s.forEach((x, j) => actorGradient[a * states + j]! += slope * x);
          actorGradient[inner + a]! += slope;
        });
      }
      actor.move(actorGradient);
      follow(networks.actorTarget, networks.actor, tau);
      follow(networks.criticTarget, networks.critic, tau);
    }
    if (step % average.every === average.first) {
      follow(networks.averaged, networks.actor, average.rate);
    }
  }
  return { networks, losses };
}

Deno.test("TrainingStep.submit(): delayed actor updates, targets and averages match double precision", async () => {
  using engine = await Engine.open();
  const seeds = [3, 8];
  const steps = 9;
  const { step, networks, store } = await build(engine, seeds);
  const metrics = await step.submit(0, steps);
  step.destroy();
  // The average covers only the steps in which the update runs.
  assertEquals(
    metrics.map((each) => Object.keys(each).toSorted().join()),
    Array.from(
      { length: steps },
      (_, i) => i % 3 === 1 ? "distance,loss_q,v_mean" : "loss_q,v_mean",
    ),
  );
  assert(metrics.every(({ distance }) => distance === undefined || distance.join() === "4,4"));
  for (const [replica, seed] of seeds.entries()) {
    const expected = reference(seed, steps);
    expected.losses.forEach((loss, i) => {
      const found = metrics[i]!.loss_q![replica]!;
      assert(Math.abs(found - loss) < 2e-6, `loss of step ${i}: ${found}, expected ${loss}`);
    });
    for (const name of sets) {
      const [values, start] = [
        [...(await networks[name].read())[replica]!.values()].flatMap((array) => [...array]),
        [...startOf(seed, name).values()].flatMap((array) => [...array]),
      ];
      const worst = Math.max(
        ...values.map((value, i) => Math.abs(value - expected.networks[name][i]!)),
      );
      assert(worst < 2e-6, `${name} differs by ${worst}`);
      assert(values.some((value, i) => Math.abs(value - start[i]!) > 1e-3), `${name} moved`);
    }
  }
  store.destroy();
});

Deno.test("TrainingStep.submit(): resuming at an odd step, in chunks of any size, is bit-identical", async () => {
  using engine = await Engine.open();
  const seeds = [3, 8];
  const whole = await build(engine, seeds);
  await whole.step.submit(0, 11);
  const expected = await bitsOf(whole);

  const before = await build(engine, seeds);
  await before.step.submit(0, 1);
  await before.step.submit(1, 4);
  // The contents of a checkpoint: weights, moments and the number of steps.
  const after = await build(engine, seeds);
  const pairs = [
    ...sets.map((name) => [name, undefined] as const),
    ...(["critic", "actor"] as const).flatMap((name) =>
      (["mean", "square"] as const).map((moment) => [name, moment] as const)
    ),
  ];
  for (const [name, moment] of pairs) {
    const storage = (built: Built) =>
      moment ? built.optimizers[name as "critic" | "actor"][moment] : built.networks[name].storage;
    const values = await before.networks[name].read(before.store, storage(before));
    values.forEach((each, replica) =>
      after.networks[name].write(after.store, replica, each, storage(after))
    );
  }
  await after.step.submit(5, 5);
  assertNotEquals(await bitsOf(after), expected);
  const [last] = await after.step.submit(10, 1);
  assertEquals(Object.keys(last!), ["loss_q", "v_mean", "distance"]);
  assertEquals(await bitsOf(after), expected);
  for (const { step, store } of [whole, before, after]) {
    step.destroy();
    store.destroy();
  }
});

Deno.test("TrainingStep: splitting the seeds among several buffers is bit-identical", async () => {
  using engine = await Engine.open();
  const seeds = [3, 8, 11, 12, 20, 21];
  const whole = await build(engine, seeds);
  await whole.step.submit(0, 6);
  const expected = await bitsOf(whole);
  const dispatches = whole.step.programs.map(({ dispatchesPerStep }) => dispatchesPerStep);
  for (const [slices, times] of [[2, [6, 2, 2]], [6, [6, 6, 6]]] as const) {
    const cut = await build(engine, seeds, (1.2 * whole.store.bytes) / slices);
    assertEquals(cut.store.slices, slices);
    // The activations of a program have as many slices as the store, or a multiple of that.
    const found = cut.step.programs.map(({ dispatchesPerStep }) => dispatchesPerStep);
    assertEquals(found, dispatches.map((each, program) => each * times[program]!));
    await cut.step.submit(0, 6);
    assertEquals(await bitsOf(cut), expected);
    cut.step.destroy();
    cut.store.destroy();
  }
  whole.step.destroy();
  whole.store.destroy();
});

Deno.test("TrainingStep.submit() makes one submission, one upload per program and no allocation", async () => {
  using engine = await Engine.open();
  const { step, store } = await build(engine, [3]);
  // The first chunk creates the staging buffers, and the bind groups of its rows of scalars.
  await step.submit(4, 60);
  const { device } = engine.gpu;
  const counts: Record<string, number> = {};
  const count = (object: object, name: string) => {
    const original = Reflect.get(object, name) as (...args: unknown[]) => unknown;
    counts[name] = 0;
    Object.defineProperty(object, name, {
      value: (...args: unknown[]) => {
        counts[name]!++;
        return original.apply(object, args);
      },
    });
  };
  for (const name of ["createBuffer", "createBindGroup", "createCommandEncoder"]) {
    count(device, name);
  }
  for (const name of ["writeBuffer", "submit"]) count(device.queue, name);
  await step.submit(4, 60);
  assertEquals(counts, {
    createBuffer: 0,
    createBindGroup: 0,
    createCommandEncoder: 1,
    writeBuffer: 3,
    submit: 1,
  });
  // In a step in which only the critic runs, only its scalars are uploaded.
  await step.submit(66, 1);
  assertEquals([counts.writeBuffer, counts.submit], [4, 2]);
  step.destroy();
  store.destroy();
});

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

Deno.test("minimize(): the gradient passes through a frozen network without changing it", async () => {
  using engine = await Engine.open();
  const built = await build(engine, [3]);
  const { networks, step, store } = built;
  const read = (name: SetName) => networks[name].read();
  const [critic, actor] = [await read("critic"), await read("actor")];
  // Runs only the actor's program, whose loss contains the critic.
  await step.programs[1]!.submit(0, 6);
  assertEquals(await read("critic"), critic);
  assertNotEquals(await read("actor"), actor);
  step.destroy();
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
  await assertRejects(compile(graphOf(1, "a", store), same), Error, `two graphs report "a"`);

  const graph = new Graph({ seeds: [1], store });
  const program = await engine.compile(graph);
  assertThrows(
    () => new ParameterSet(graph, actorShapes, 1),
    Error,
    "the memory is already allocated",
  );
  program.destroy();
});

Deno.test("periodic() returns the rate at every n-th update from the first one, and 0 otherwise", () => {
  const rate = periodic(0.5, { every: 3, first: 4 });
  assertEquals(Array.from({ length: 9 }, (_, k) => rate(k)), [0, 0, 0, 0, 0.5, 0, 0, 0.5, 0]);
});
