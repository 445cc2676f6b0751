/**
 * Fitted Q evaluation (Le, Voloshin and Yue, 2019, arXiv 1903.08738): Q of a given policy π, from
 * data alone.
 *
 *     in every step, for a minibatch (s, a, r, d, s') with actions a' = π(s'):
 *       y ← (1 − γ) r + γ (1 − d) clip(Q'(s', a'), low, high)
 *       Q ← Adam step on mean (Q(s, a) − y)²
 *       Q' ← moving average of Q
 *
 * The policy does not change, so its actions are computed once for every state of the data, and any
 * policy will do. {@linkcode withActions} appends them to the states. Rewards are multiplied by 1 −
 * γ, so that Q has the size of a reward: it is the discounted mean reward per step. No return is
 * outside the range of the rewards and 0, so the target is clipped to it. Without that, Q of
 * actions that the data do not contain can grow without limit.
 *
 * @module
 */
import type { Graph } from "../../autodiff/graph.ts";
import { concatenate } from "../../autodiff/ops/concatenate.ts";
import { clip } from "../../autodiff/ops/entrywise.ts";
import { slice } from "../../autodiff/ops/slice.ts";
import { ParameterSet } from "../../autodiff/parameters.ts";
import type { BufferedData, ReplayBuffer } from "../../data/replay_buffer.ts";
import { observationMoments } from "../../data/moments.ts";
import type { OfflineDataset } from "../../data/offline_dataset.ts";
import { numbered } from "../../nn/initialization.ts";
import { constant, minimize } from "../../optim/adam.ts";
import type { Stage } from "../algorithm.ts";
import { temporalDifferenceLoss } from "../losses/temporal_difference.ts";
import { qNetwork, qOnHost, qShapes } from "./q_network.ts";

export { qOnHost };

/** Random stream of the minibatches. */
const batchStream = 112;

/** Added to standard deviations, so that states are never divided by zero. */
const deviationOffset = 1e-3;

/** Settings of an evaluation, as {@linkcode describe} takes them. */
export interface FittedQSettings {
  /** γ */
  readonly discount: number;
  /** Training steps. */
  readonly steps: number;
  /** Rows per minibatch. */
  readonly batchSize: number;
  /** Learning rate of Adam. */
  readonly learningRate: number;
  /** Moving-average rate of Q'. */
  readonly targetRate: number;
  /** Hidden units per layer. */
  readonly width: number;
  /** Hidden layers. */
  readonly layers: number;
}

/**
 * Default settings. Q' follows Q faster than in training, because the policy does not change:
 * 10,000 steps at rate 0.02 are 200 times the memory of Q', and γ = 0.99 looks 100 steps ahead.
 */
export const defaults: FittedQSettings = {
  discount: 0.99,
  steps: 10_000,
  batchSize: 256,
  learningRate: 1e-3,
  targetRate: 0.02,
  width: 64,
  layers: 2,
};

/** Data of an evaluation: states [(s − mean) / deviation | π(s)] and scaled rewards. */
export interface PolicyData {
  /** The rows, with the policy's actions appended to the normalized states. */
  readonly data: BufferedData;
  /** `[N]`: (1 − γ) r. */
  readonly rewards: Float32Array;
  /** Smallest and largest discounted mean reward of any policy. */
  readonly range: readonly [low: number, high: number];
}

/**
 * Returns the data of an evaluation.
 *
 * @param actions The policy's action in every row's state, `[N, actionSize]`.
 */
export function withActions(
  dataset: OfflineDataset,
  actions: Float32Array,
  discount: number,
): PolicyData {
  const { rows, observationSize, actionSize, observations } = dataset;
  const { mean, deviation } = observationMoments(dataset);
  const width = observationSize + actionSize;
  const states = new Float32Array(rows * width);
  for (let row = 0; row < rows; row++) {
    for (let i = 0; i < observationSize; i++) {
      const value = observations[row * observationSize + i]! - mean[i]!;
      states[row * width + i] = value / (deviation[i]! + deviationOffset);
    }
    states.set(
      actions.subarray(row * actionSize, (row + 1) * actionSize),
      row * width + observationSize,
    );
  }
  return {
    data: { ...dataset, observations: states, observationSize: width },
    rewards: dataset.rewards.map((reward) => (1 - discount) * reward),
    range: dataset.rewards.reduce(
      ([low, high], reward) => [Math.min(low, reward), Math.max(high, reward)] as const,
      [0, 0] as readonly [number, number],
    ),
  };
}

/**
 * Describes one step on minibatches of data from {@linkcode withActions}.
 *
 * @param range The range to which Q' is clipped.
 */
export function describe(
  graph: Graph,
  buffer: ReplayBuffer,
  h: FittedQSettings,
  [low, high]: PolicyData["range"],
): Stage {
  const { store, replicas } = graph;
  const { actionSize } = buffer;
  const stateSize = buffer.observationSize - actionSize;
  const hidden = Array.from({ length: h.layers }, () => h.width);
  const shapes = qShapes([stateSize, actionSize], hidden);
  const q = new ParameterSet(store, shapes, replicas);
  const qTarget = new ParameterSet(store, shapes, replicas);

  const batch = buffer.minibatch(graph, { rows: h.batchSize, stream: batchStream });
  const next = batch.nextState();
  const nextState = slice(graph, next, 0, stateSize);
  const nextAction = slice(graph, next, stateSize, actionSize);
  const nextValue = clip(
    graph,
    qNetwork(graph, qTarget, concatenate(graph, [nextState, nextAction])),
    low,
    high,
  );

  const state = slice(graph, batch.state(), 0, stateSize);
  const value = qNetwork(graph, q, concatenate(graph, [state, batch.action()]));
  const loss = temporalDifferenceLoss(
    graph,
    "loss",
    value,
    { reward: batch.reward(), terminal: batch.terminal(), nextValue },
    h.discount,
  );
  const optimizer = minimize(graph, loss, q, {
    learningRate: constant(h.learningRate),
    target: { parameters: qTarget, rate: constant(h.targetRate) },
  });
  return {
    networks: [
      { prefixes: ["fqe.q."], parameters: q, optimizer, initial: numbered(0) },
      { prefixes: ["fqe_target.q."], parameters: qTarget, initial: numbered(0) },
    ],
    tensors: { value, nextValue, nextAction },
  };
}
