/**
 * Straightforward training steps in `@jax-js/jax`: the perceptron, the critic stage and the
 * behavior stage, at hopper's sizes with the paper's hyperparameters.
 *
 * jax-js arrays have a single owner, so an array that is used again is passed as `.ref`.
 *
 * @module
 */
import { nn, numpy as np, random, tree, valueAndGrad } from "@jax-js/jax";
import { coins, hopper, layers, samples, sampleSeeds } from "../support/samples.ts";

type Tensor = np.Array;
/** Weights of a network: matrices `[outputs, inputs]` and vectors in turn. */
type Weights = Tensor[];
/** Weights with Adam's moments and the powers of its decay rates. */
type Trained = { weights: Weights; mean: Weights; square: Weights; powers: Tensor[] };
// deno-lint-ignore no-explicit-any
type Tree = any;

/** A task in jax-js. `drawn` and `given` are pure functions of state and batch, to be jitted. */
export interface JaxTask {
  readonly initial: () => Tree;
  /** Batches for training, used in turn. */
  readonly batches: () => Tree[];
  /** The sample batch, including the values that `drawn` would draw. */
  readonly sample: () => Tree;
  readonly drawn: (state: Tree, batch: Tree) => [Tree, Tensor];
  readonly given: (state: Tree, batch: Tree) => [Tree, Tensor];
}

const { observations, actions } = hopper;
const width = 256;

function tensor(values: Float32Array<ArrayBuffer>, shape: number[]): Tensor {
  return np.array(values).reshape(shape);
}

/** Sample weights of linear layers. */
function network(seed: number, sizes: readonly number[]): Weights {
  return layers(seed, sizes).map((values, i) => {
    const [inputs, outputs] = [sizes[i >> 1]!, sizes[(i >> 1) + 1]!];
    return tensor(values, i % 2 === 0 ? [outputs, inputs] : [outputs]);
  });
}

function trained(weights: Weights): Trained {
  const zeros = () => weights.map((weight) => np.zeros(weight.shape));
  return { mean: zeros(), square: zeros(), powers: [np.array(1), np.array(1)], weights };
}

/** y = x Wᵀ + b. */
function linear(x: Tensor, weight: Tensor, bias: Tensor): Tensor {
  return np.dot(x, np.transpose(weight)).add(bias);
}

/** A perceptron with ReLU between its layers. */
function perceptron(x: Tensor, weights: Weights): Tensor {
  return weights.reduce((h, weight, i) => {
    if (i % 2 === 1) return h;
    const y = linear(h, weight, weights[i + 1]!);
    return i < weights.length - 2 ? nn.relu(y) : y;
  }, x);
}

/** One step of Adam, with decoupled decay of the weights. */
function adam(state: Trained, gradients: Weights, learningRate = 3e-4, decay = 0): Trained {
  const power1 = state.powers[0]!.mul(0.9);
  const power2 = state.powers[1]!.mul(0.999);
  const rate = np.reciprocal(np.array(1).sub(power1.ref)).mul(learningRate);
  const correction = np.reciprocal(np.sqrt(np.array(1).sub(power2.ref)));
  const after: Trained = { weights: [], mean: [], square: [], powers: [power1, power2] };
  gradients.forEach((gradient, i) => {
    const mean = state.mean[i]!.mul(0.9).add(gradient.ref.mul(0.1));
    const square = state.square[i]!.mul(0.999).add(np.square(gradient).mul(0.001));
    const move = mean.ref.mul(rate.ref).div(
      np.sqrt(square.ref).mul(correction.ref).add(1e-8),
    );
    after.weights.push(state.weights[i]!.mul(1 - learningRate * decay).sub(move));
    after.mean.push(mean);
    after.square.push(square);
  });
  rate.dispose();
  correction.dispose();
  return after;
}

/** The perceptron of the `peers` benchmark. */
export function mlpTask(): JaxTask {
  const loss = (weights: Weights, { x, y }: { x: Tensor; y: Tensor }) =>
    np.mean(np.square(perceptron(x, weights).sub(y)));
  const step = (state: Trained, batch: { x: Tensor; y: Tensor }): [Trained, Tensor] => {
    const [value, gradients] = valueAndGrad(loss)(tree.ref(state.weights) as Weights, batch);
    return [adam(state, gradients as Weights), value.reshape([1])];
  };
  const sample = () => ({
    x: tensor(samples(sampleSeeds.state, 256 * 28), [256, 28]),
    y: tensor(samples(sampleSeeds.reward, 256), [256, 1]),
  });
  return {
    initial: () => trained(network(sampleSeeds.mlp, [28, width, width, 1])),
    batches: () => [sample()],
    sample,
    drawn: step,
    given: step,
  };
}

interface CriticBatch {
  readonly state: Tensor;
  readonly action: Tensor;
  readonly reward: Tensor;
  readonly terminal: Tensor;
  readonly nextState: Tensor;
}

function transitions(rows: number, shift: number, terminals: number): CriticBatch {
  const field = (seed: number, columns: number) =>
    tensor(samples(seed + shift, rows * columns), [rows, columns]);
  return {
    state: field(sampleSeeds.state, observations),
    action: field(sampleSeeds.action, actions),
    reward: field(sampleSeeds.reward, 1),
    terminal: tensor(coins(sampleSeeds.terminal + shift, rows, terminals), [rows, 1]),
    nextState: field(sampleSeeds.nextState, observations),
  };
}

/** Implicit Q-learning with its advantage-weighted policy. */
export function criticTask(): JaxTask {
  const rows = 256;
  const head = (i: number) => network(sampleSeeds.q + 100 * i, [14, width, width, 1]);
  const vLoss = (v: Weights, state: Tensor, lowest: Tensor) => {
    const difference = lowest.sub(perceptron(state, v));
    const weight = np.where(np.less(difference.ref, 0), 0.3, 0.7);
    return np.mean(weight.mul(np.square(difference)));
  };
  const qLoss = (q: Weights[], pair: Tensor, goal: Tensor) => {
    const [a, b] = [perceptron(pair.ref, q[0]!), perceptron(pair, q[1]!)];
    return np.mean(np.square(a.sub(goal.ref))).add(np.mean(np.square(b.sub(goal)))).mul(0.5);
  };
  const awrLoss = (policy: Weights, state: Tensor, action: Tensor, weight: Tensor) => {
    const error = np.tanh(perceptron(state, policy)).sub(action);
    return np.mean(np.sum(np.square(error), -1, { keepdims: true }).mul(weight));
  };
  const lowestOf = (target: Weights[], pair: Tensor) =>
    np.minimum(perceptron(pair.ref, target[0]!), perceptron(pair, target[1]!));
  const refs = <T>(nested: T): T => tree.ref(nested as Tree) as T;

  type State = { q: Trained[]; target: Weights[]; v: Trained; policy: Trained };
  const step = (state: State, batch: CriticBatch): [State, Tensor] => {
    const { state: s, action, reward, terminal, nextState } = batch;
    const pair = np.concatenate([action.ref, s.ref], -1);
    const lowest = lowestOf(refs(state.target), pair.ref);
    const nextValue = perceptron(nextState, refs(state.v.weights));
    const goal = reward.add(np.array(1).sub(terminal).mul(nextValue).mul(0.99));

    const [v1, vGradient] = valueAndGrad(vLoss)(refs(state.v.weights), s.ref, lowest);
    const v = adam(state.v, vGradient as Weights);
    const [q1, qGradient] = valueAndGrad(qLoss)(
      state.q.map(({ weights }) => refs(weights)),
      pair.ref,
      goal,
    );
    const q = state.q.map((one, i) => adam(one, (qGradient as Weights[])[i]!));
    const target = state.target.map((slow, i) =>
      slow.map((weight, j) => weight.mul(0.995).add(q[i]!.weights[j]!.ref.mul(0.005)))
    );
    const advantage = lowestOf(refs(target), pair).sub(perceptron(s.ref, refs(v.weights)));
    const weight = np.minimum(np.exp(advantage.mul(3)), 100);
    const [awr, awrGradient] = valueAndGrad(awrLoss)(refs(state.policy.weights), s, action, weight);
    // Over a benchmark's steps, the cosine schedule changes by less than the rounding error.
    const policy = adam(state.policy, awrGradient as Weights);
    return [{ q, target, v, policy }, np.stack([v1, q1, awr])];
  };
  return {
    initial: () => ({
      q: [trained(head(0)), trained(head(1))],
      target: [head(0), head(1)],
      v: trained(network(sampleSeeds.v, [observations, width, width, 1])),
      policy: trained(network(sampleSeeds.policy, [observations, width, width, actions])),
    }),
    batches: () => [1000, 2000, 3000, 4000].map((shift) => transitions(rows, shift, 0.002)),
    sample: () => transitions(rows, 0, 0.1),
    drawn: step,
    given: step,
  };
}

/** Layer sizes of the behavior model, in parameter order. */
function behaviorWeights(): { weights: Weights; frequencies: Tensor } {
  const weights: Weights = [];
  const add = (...sizes: number[]) =>
    weights.push(...network(sampleSeeds.behavior + weights.length, sizes));
  add(64, 128);
  add(128, 128);
  add(actions + observations + 128, width);
  for (let block = 0; block < 3; block++) {
    weights.push(np.ones([width]), np.zeros([width]));
    add(width, 4 * width);
    add(4 * width, width);
  }
  add(width, actions);
  const frequencies = samples(sampleSeeds.frequencies, 32).map((x) => 30 * x);
  return { weights, frequencies: tensor(frequencies, [1, 32]) };
}

interface BehaviorBatch {
  readonly state: Tensor;
  readonly action: Tensor;
  readonly t: Tensor;
  readonly noise: Tensor;
  /** Dropout masks of the blocks. */
  readonly keeps: Tensor[];
}

/** The diffusion loss of the behavior model. */
function behaviorLoss(
  weights: Weights,
  frequencies: Tensor,
  { state, action, t, noise, keeps }: BehaviorBatch,
): Tensor {
  const logAlpha = np.square(t.ref).mul(-(20 - 0.1) / 4).sub(t.ref.mul(0.1 / 2));
  const alpha = np.exp(logAlpha.ref);
  const sigma = np.sqrt(np.array(1).sub(np.exp(logAlpha.mul(2))));
  const noised = alpha.mul(action).add(sigma.mul(noise.ref));
  const phase = t.mul(2 * Math.PI).mul(frequencies);
  const features = np.concatenate([np.sin(phase.ref), np.cos(phase)], -1);

  let next = 0;
  const take = () => weights[next++]!;
  const layer = (x: Tensor) => linear(x, take(), take());
  const embedding = layer(nn.mish(layer(features)));
  let h = layer(np.concatenate([noised, state, embedding], -1));
  for (const keep of keeps) {
    const branch = nn.standardize(h.ref.mul(keep).mul(1 / 0.9), -1, { epsilon: 1e-5 });
    h = h.add(layer(nn.mish(layer(branch.mul(take()).add(take())))));
  }
  const predicted = layer(nn.mish(h));
  return np.mean(np.sum(np.square(predicted.sub(noise)), -1));
}

/** The behavior stage. */
export function behaviorTask(): JaxTask {
  const rows = 2048;
  type State = { model: Trained; frequencies: Tensor; key: Tensor };
  const given = ({ model, frequencies, key }: State, batch: BehaviorBatch): [State, Tensor] => {
    const [value, gradients] = valueAndGrad(behaviorLoss)(
      tree.ref(model.weights) as Weights,
      frequencies.ref,
      // deno-lint-ignore no-explicit-any
      batch as any,
    );
    return [
      { model: adam(model, gradients as Weights, 3e-4, 0.01), frequencies, key },
      value.reshape([1]),
    ];
  };
  const drawn = (
    state: State,
    batch: Pick<BehaviorBatch, "state" | "action">,
  ): [State, Tensor] => {
    const keys = random.split(state.key, 6);
    const key = (i: number) => keys.ref.slice(i);
    const all = {
      ...batch,
      t: random.uniform(key(1), [rows, 1], { minval: 0.001, maxval: 1 }),
      noise: random.normal(key(2), [rows, actions]),
      keeps: [3, 4, 5].map((i) => random.bernoulli(key(i), 0.9, [rows, width]).astype(np.float32)),
    };
    const next = key(0);
    keys.dispose();
    return given({ ...state, key: next }, all);
  };
  const pairs = (shift: number) => {
    const { state, action, reward, terminal, nextState } = transitions(rows, shift, 0.1);
    tree.dispose([reward, terminal, nextState]);
    return { state, action };
  };
  return {
    initial: () => {
      const { weights, frequencies } = behaviorWeights();
      return { model: trained(weights), frequencies, key: random.key(0) };
    },
    batches: () => [1000, 2000].map(pairs),
    sample: () => ({
      ...pairs(0),
      t: tensor(
        samples(sampleSeeds.time, rows).map((x) => 0.001 + 0.999 * (x + 1) / 2),
        [rows, 1],
      ),
      noise: tensor(samples(sampleSeeds.noise, rows * actions), [rows, actions]),
      keeps: [0, 1, 2].map((block) =>
        tensor(coins(sampleSeeds.keep + block, rows * width, 0.9), [rows, width])
      ),
    }),
    drawn,
    given,
  };
}
