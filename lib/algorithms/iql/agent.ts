/**
 * The stage of IQL (Kostrikov et al., 2022, arXiv 2110.06169, Section 4): twin Q-networks and V,
 * trained only on the data's actions, and a Gaussian policy by advantage-weighted regression.
 *
 *     in every step, for a minibatch (s, a, r, d, s'):
 *       q ← min(Q₁', Q₂')(s, a)
 *       V ← Adam step on mean |τ − 1(u < 0)| u² with u = q − V(s)
 *       w ← min(exp(β (q − V(s))), 100) with the updated V
 *       π ← Adam step on mean −w log N(a; tanh μ(s), σ), with cosine decay of the learning rate
 *       y ← r + γ (1 − d) V(s') with the updated V
 *       Q ← Adam step on mean (Q₁(s, a) − y)² + mean (Q₂(s, a) − y)²
 *       Q' ← (1 − α) Q' + α Q
 *
 * Actions are clipped to the range of tanh. The official code samples the rows of a minibatch with
 * replacement. Here minibatches are consecutive pieces of a random permutation of all rows, which
 * is drawn again in each epoch.
 *
 * @module
 */
import type { Graph } from "../../autodiff/graph.ts";
import { broadcast, mean, sumColumns } from "../../autodiff/ops/broadcast.ts";
import { concatenate } from "../../autodiff/ops/concatenate.ts";
import {
  clip,
  divide,
  exp,
  multiply,
  scale,
  shift,
  subtract,
} from "../../autodiff/ops/entrywise.ts";
import { minimumOverHeads } from "../../autodiff/ops/minimum_over_heads.ts";
import type { BatchOrder } from "../../autodiff/ops/minibatch.ts";
import { lossOf } from "../../autodiff/ops/report.ts";
import { ParameterSet, type ParameterShape } from "../../autodiff/parameters.ts";
import type { Tensor } from "../../autodiff/tensor.ts";
import type { ReplayBuffer } from "../../data/replay_buffer.ts";
import { orthogonal } from "../../nn/initialization.ts";
import { mlp, mlpShapes } from "../../nn/mlp.ts";
import { constant, cosine, minimize } from "../../optim/adam.ts";
import type { Stage } from "../algorithm.ts";
import { expectileLoss } from "../losses/expectile.ts";
import { temporalDifferenceLoss } from "../losses/temporal_difference.ts";
import type { Hyperparameters } from "./hyperparameters.ts";

/** A minibatch of transitions, each tensor `[R, rows, ·]`. */
export interface Batch {
  /** s */
  readonly state: Tensor;
  /** a, in [−(1 − 1e-5), 1 − 1e-5] */
  readonly action: Tensor;
  /** r */
  readonly reward: Tensor;
  /** d: 1 where the episode ended in a terminal state. */
  readonly terminal: Tensor;
  /** s' */
  readonly nextState: Tensor;
}

const batchStream = 16;
/** Maximum magnitude of a training action. */
const actionLimit = 1 - 1e-5;

/** A minibatch with actions within what a tanh can reach. */
export function clippedMinibatch(graph: Graph, buffer: ReplayBuffer, order: BatchOrder): Batch {
  const batch = buffer.minibatch(graph, order);
  return {
    state: batch.state(),
    action: clip(graph, batch.action(), -actionLimit, actionLimit),
    reward: batch.reward(),
    terminal: batch.terminal(),
    nextState: batch.nextState(),
  };
}

/** Limits of the logarithm of the policy's standard deviation. */
const logStd = { min: -5, max: 2 };

/**
 * Describes one step.
 *
 * @param variants Hyperparameters of each replica. Expectile and temperature may differ.
 */
export function agent(
  graph: Graph,
  batch: Batch,
  h: Hyperparameters,
  variants: readonly Hyperparameters[],
): Stage {
  const { state, action, reward, terminal, nextState } = batch;
  const { q, qTarget, v, policy } = networksOf(graph, state.columns, action.columns, h);
  const stateAction = concatenate(graph, [state, action]);
  const learningRate = constant(h.learningRate);

  const targetQ = mlp(graph, qTarget, stateAction);
  const value = mlp(graph, v, state);
  const vLoss = expectileLoss(
    graph,
    "loss_v",
    targetQ,
    value,
    (replica) => variants[replica]!.expectile,
  );
  const vOptimizer = minimize(graph, vLoss, v, { learningRate });

  const updatedV = mlp(graph, v, state);
  const advantage = subtract(graph, minimumOverHeads(graph, targetQ, 2), updatedV);
  const temperature = graph.constant(1, 1, (replica) => variants[replica]!.temperature);
  const weight = advantageWeight(graph, multiply(graph, advantage, temperature), h.weightLimit);
  const logLikelihood = gaussianLogLikelihood(graph, policy, state, action);
  const policyLoss = scale(graph, mean(graph, multiply(graph, weight, logLikelihood)), -1);
  const policyOptimizer = minimize(graph, lossOf(graph, "loss_policy", policyLoss), policy, {
    learningRate: cosine(h.learningRate, h.steps),
  });

  const qLoss = temporalDifferenceLoss(
    graph,
    "loss_q",
    mlp(graph, q, stateAction),
    { reward, terminal, nextValue: mlp(graph, v, nextState) },
    h.discount,
    "sum",
  );
  const qOptimizer = minimize(graph, qLoss, q, {
    learningRate,
    target: { parameters: qTarget, rate: constant(h.targetRate) },
  });

  // The target Q-networks start equal to the Q-networks.
  const gain = Math.SQRT2;
  return {
    networks: [
      {
        prefixes: ["critic.q1.", "critic.q2."],
        parameters: q,
        optimizer: qOptimizer,
        initial: orthogonal(0, gain),
      },
      {
        prefixes: ["target_critic.q1.", "target_critic.q2."],
        parameters: qTarget,
        initial: orthogonal(0, gain),
      },
      {
        prefixes: ["value.net."],
        parameters: v,
        optimizer: vOptimizer,
        initial: orthogonal(2, gain),
      },
      {
        prefixes: ["policy."],
        parameters: policy,
        optimizer: policyOptimizer,
        initial: orthogonal(3, gain),
      },
    ],
    tensors: { action, advantage },
  };
}

/**
 * Describes a step on minibatches of a replay buffer.
 *
 * @param variants Hyperparameters of each replica. Expectile and temperature may differ.
 */
export function agentStage(
  graph: Graph,
  buffer: ReplayBuffer,
  h: Hyperparameters,
  variants: readonly Hyperparameters[],
): Stage {
  const batch = clippedMinibatch(graph, buffer, { rows: h.batchSize, stream: batchStream });
  return agent(graph, batch, h, variants);
}

/**
 * Creates the networks: two Q-networks per replica, their targets, V, and the policy's mean and log
 * σ.
 */
function networksOf(graph: Graph, states: number, actions: number, h: Hyperparameters) {
  const hidden = Array.from({ length: h.layers }, () => h.width);
  const qShapes = mlpShapes({ inputs: [states, actions], hidden, outputs: 1 });
  const vShapes = mlpShapes({ inputs: [states], hidden, outputs: 1 });
  const policyShapes: ParameterShape[] = [
    ...mlpShapes({ inputs: [states], hidden, outputs: actions })
      .map((shape) => ({ ...shape, name: `mean.net.${shape.name}` })),
    { name: "log_std", rows: 1, segments: [actions], vector: true },
  ];
  return {
    q: new ParameterSet(graph, qShapes, 2 * graph.replicas),
    qTarget: new ParameterSet(graph, qShapes, 2 * graph.replicas),
    v: new ParameterSet(graph, vShapes, graph.replicas),
    policy: new ParameterSet(graph, policyShapes, graph.replicas),
  };
}

/** Returns min(eˣ, limit) without overflow of eˣ. */
function advantageWeight(graph: Graph, x: Tensor, limit: number): Tensor {
  return clip(graph, exp(graph, clip(graph, x, -80, 80)), 0, limit);
}

/** Returns log N(a; tanh μ(s), exp(log σ)), summed over an action's entries: `[R, rows, 1]`. */
function gaussianLogLikelihood(
  graph: Graph,
  policy: ParameterSet,
  state: Tensor,
  action: Tensor,
): Tensor {
  const actionMean = mlp(graph, policy, state, "tanh", "mean.net.");
  const { replicas, columns } = actionMean;
  const own = broadcast(graph, policy.get("log_std"), { replicas, rows: 1, columns });
  const logSigma = clip(graph, own, logStd.min, logStd.max);
  const z = divide(graph, subtract(graph, action, actionMean), exp(graph, logSigma));
  const quadratic = scale(graph, multiply(graph, z, z), -0.5);
  const normalizer = shift(graph, logSigma, 0.5 * Math.log(2 * Math.PI));
  return sumColumns(graph, subtract(graph, quadratic, normalizer));
}
