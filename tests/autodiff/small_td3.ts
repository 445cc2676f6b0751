/**
 * A small TD3 as an example of several programs that share a parameter store: a critic updated in
 * every step, its actor and all targets in every second step, and an average of the actor at
 * intervals.
 *
 * @module
 */
import { writeInput } from "../../lib/autodiff/compile.ts";
import type { Engine } from "../../lib/autodiff/engine.ts";
import { Graph } from "../../lib/autodiff/graph.ts";
import { concatenate } from "../../lib/autodiff/ops/concatenate.ts";
import { linear } from "../../lib/autodiff/ops/linear.ts";
import { temporalDifferenceLoss } from "../../lib/algorithms/losses/temporal_difference.ts";
import { meanSquaredError } from "../../lib/autodiff/ops/squared_error.ts";
import { ParameterSet, type ParameterValues } from "../../lib/autodiff/parameters.ts";
import { ParameterStore } from "../../lib/autodiff/parameter_store.ts";
import { uniform } from "../../lib/autodiff/random.ts";
import type { Tensor } from "../../lib/autodiff/tensor.ts";
import { constant, cosine, minimize } from "../../lib/optim/adam.ts";
import { movingAverage } from "../../lib/optim/average.ts";

export const rows = 5;
export const [states, actions] = [3, 2];
const gamma = 0.9;
const tau = 0.3;
const rates = { critic: cosine(0.05, 20), actor: cosine(0.03, 10) };
const average = { rate: 0.25, every: 3, first: 1 };

const criticShapes = [
  { name: "weight", rows: 1, segments: [actions, states], vector: false },
  { name: "bias", rows: 1, segments: [1], vector: true },
];
export const actorShapes = [
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
export function numbersOf(seed: number, name: Name): Float32Array {
  const all = uniform(seed, names.indexOf(name), 0, rows * columnsOf[name]);
  return Float32Array.from(all, (u) => name === "terminal" ? Number(u < 0.3) : 2 * u - 1);
}

export const sets = ["critic", "actor", "criticTarget", "actorTarget", "averaged"] as const;
export type SetName = typeof sets[number];

/**
 * Returns the initial values of a seed's networks. The averages start with the values of their
 * networks.
 */
export function startOf(seed: number, set: SetName): ParameterValues {
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
export const act = (graph: Graph, network: ParameterSet, state: Tensor) =>
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
export async function build(engine: Engine, seeds: readonly number[], bindable?: number) {
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

export type Built = Awaited<ReturnType<typeof build>>;

/** Returns all weights and moments as bits. */
export async function bitsOf({ networks, optimizers, store }: Built): Promise<number[]> {
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
export function reference(seed: number, steps: number) {
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
