/**
 * The stage of TD3+BC (Fujimoto and Gu, 2021, arXiv 2106.06860): twin Q-networks and a
 * deterministic actor, which maximizes Q and imitates the data's actions.
 *
 *     in every step, for a minibatch (s, a, r, d, s') and noise ε ~ N(0, I):
 *       ã ← clip(π'(s') + clip(σ ε, −c, c), −1, 1)
 *       y ← r + γ (1 − d) min(Q₁', Q₂')(s', ã)
 *       Q ← Adam step on mean (Q₁(s, a) − y)² + mean (Q₂(s, a) − y)²
 *     in every second step, for the same minibatch and with the updated Q:
 *       λ ← α / mean |Q₁(s, π(s))|, treated as a constant by the gradient
 *       π ← Adam step on mean (π(s) − a)² − λ mean Q₁(s, π(s))
 *       Q', π' ← moving averages of Q, π
 *
 * States are normalized with the mean and standard deviation of the data's states. The official
 * code samples the rows of a minibatch with replacement. Here minibatches are consecutive pieces of
 * a random permutation of all rows, which is drawn again in each epoch.
 *
 * @module
 */
import { Graph } from "../../autodiff/graph.ts";
import { broadcast, mean, meanRows, sumHeads } from "../../autodiff/ops/broadcast.ts";
import { concatenate } from "../../autodiff/ops/concatenate.ts";
import { copy } from "../../autodiff/ops/copy.ts";
import { drawNormal } from "../../autodiff/ops/draw.ts";
import {
  abs,
  add,
  clip,
  divide,
  multiply,
  scale,
  sqrt,
  subtract,
} from "../../autodiff/ops/entrywise.ts";
import { minimumOverHeads } from "../../autodiff/ops/minimum_over_heads.ts";
import { lossOf, report } from "../../autodiff/ops/report.ts";
import { ParameterSet } from "../../autodiff/parameters.ts";
import type { Tensor } from "../../autodiff/tensor.ts";
import type { Minibatch, ReplayBuffer } from "../../data/replay_buffer.ts";
import type { ColumnMoments } from "../../data/moments.ts";
import { type Initial, numbered } from "../../nn/initialization.ts";
import { mlp, mlpShapes } from "../../nn/mlp.ts";
import { constant, minimize } from "../../optim/adam.ts";
import { movingAverage } from "../../optim/average.ts";
import type { Stage } from "../algorithm.ts";
import { temporalDifferenceLoss } from "../losses/temporal_difference.ts";
import type { Hyperparameters } from "./hyperparameters.ts";

/** Random streams, distinct from those of the initial weights. */
const streams = { minibatch: 64, targetNoise: 65 } as const;

/** Added to standard deviations, so that states are never divided by zero. */
const deviationOffset = 1e-3;

/** Inputs of a step. */
export interface AgentInputs {
  /** Number of entries in a state. */
  readonly stateSize: number;
  /** Number of entries in an action. */
  readonly actionSize: number;
  /** Returns the step's minibatch in one of its graphs, with the same rows in each. */
  readonly minibatch: (graph: Graph) => Minibatch;
  /** ε `[R, rows, actionSize]`, in the graph that runs in every step. */
  readonly noise: Tensor;
  /** Fixed values of the actor's state normalization: `mean` and `var`, each `[stateSize]`. */
  readonly normalization: Initial;
}

/**
 * Describes one step.
 *
 * @param graph The graph that runs in every step.
 * @param alphas α of each replica.
 */
export function agent(
  graph: Graph,
  { stateSize, actionSize, minibatch, noise, normalization }: AgentInputs,
  h: Hyperparameters,
  alphas: readonly number[],
): Stage {
  const { seeds, store, replicas } = graph;
  const hidden = Array.from({ length: h.layers }, () => h.width);
  const qShapes = mlpShapes({ inputs: [stateSize, actionSize], hidden, outputs: 1 });
  const actorShapes = mlpShapes({ inputs: [stateSize], hidden, outputs: actionSize });
  // Twin Q-networks are adjacent replicas of one parameter set.
  const q = new ParameterSet(store, qShapes, 2 * replicas);
  const qTarget = new ParameterSet(store, qShapes, 2 * replicas);
  const pi = new ParameterSet(store, actorShapes, replicas);
  const piTarget = new ParameterSet(store, actorShapes, replicas);
  const states = new ParameterSet(
    store,
    ["mean", "var"].map((name) => ({ name, rows: 1, segments: [stateSize], vector: true })),
    replicas,
  );
  const normalized = (on: Graph, state: Tensor) => {
    const deviation = sqrt(on, broadcast(on, states.get("var"), state));
    return divide(on, subtract(on, state, states.get("mean")), deviation);
  };
  const learningRate = constant(h.learningRate);
  const targetRate = constant(h.targetRate);

  // The critic is updated in every step.
  const batch = minibatch(graph);
  const state = normalized(graph, batch.state());
  const nextState = normalized(graph, batch.nextState());

  const smoothing = clip(
    graph,
    scale(graph, noise, h.targetNoise),
    -h.targetNoiseClip,
    h.targetNoiseClip,
  );
  const nextAction = clip(
    graph,
    add(graph, mlp(graph, piTarget, nextState, "tanh"), smoothing),
    -1,
    1,
  );
  const nextQ = mlp(graph, qTarget, concatenate(graph, [nextState, nextAction]));
  const nextValue = minimumOverHeads(graph, nextQ, 2);

  const qValue = mlp(graph, q, concatenate(graph, [state, batch.action()]));
  const criticLoss = temporalDifferenceLoss(
    graph,
    "loss_critic",
    qValue,
    { reward: batch.reward(), terminal: batch.terminal(), nextValue },
    h.discount,
    "sum",
  );
  const qOptimizer = minimize(graph, criticLoss, q, { learningRate });

  // The actor and the targets are updated in every second step by default.
  const delayed = new Graph({ seeds, store, every: h.actorDelay });
  const seen = minibatch(delayed);
  const seenState = normalized(delayed, seen.state());

  const action = mlp(delayed, pi, seenState, "tanh");
  const bothQ = mlp(delayed, q, concatenate(delayed, [seenState, action]));
  const first = delayed.constant(1, 1, (head) => head % 2 === 0 ? 1 : 0, 2 * replicas);
  const actionQ = sumHeads(delayed, multiply(delayed, bothQ, first), 2);

  const meanQ = meanRows(delayed, actionQ);
  const size = copy(delayed, meanRows(delayed, abs(delayed, actionQ)));
  const alpha = delayed.constant(1, 1, (replica) => alphas[replica]!);
  const lambda = divide(delayed, alpha, size);
  const distance = subtract(delayed, action, seen.action());
  const imitation = mean(delayed, multiply(delayed, distance, distance));
  const actorLoss = subtract(delayed, imitation, multiply(delayed, lambda, meanQ));
  report(delayed, "q_mean", meanQ);
  report(delayed, "loss_imitation", imitation);
  const piOptimizer = minimize(delayed, lossOf(delayed, "loss_actor", actorLoss), pi, {
    learningRate,
    target: { parameters: piTarget, rate: targetRate },
  });
  movingAverage(delayed, q, { parameters: qTarget, rate: targetRate });

  return {
    networks: [
      {
        prefixes: ["critic.q1.", "critic.q2."],
        parameters: q,
        optimizer: qOptimizer,
        initial: numbered(0),
      },
      {
        prefixes: ["critic_target.q1.", "critic_target.q2."],
        parameters: qTarget,
        initial: numbered(0),
      },
      {
        prefixes: ["actor.net."],
        parameters: pi,
        optimizer: piOptimizer,
        initial: numbered(2),
      },
      { prefixes: ["actor_target.net."], parameters: piTarget, initial: numbered(2) },
      { prefixes: ["actor.obs_rms."], parameters: states, initial: normalization },
    ],
    more: [delayed],
    tensors: { nextAction, nextValue, qValue, action, actionQ },
  };
}

/**
 * Describes a step on minibatches of `buffer`.
 *
 * @param variants Hyperparameters of each replica. α may differ.
 */
export function agentStage(
  graph: Graph,
  buffer: ReplayBuffer,
  h: Hyperparameters,
  variants: readonly Hyperparameters[],
): Stage {
  const { observationSize: stateSize, actionSize } = buffer;
  const rows = h.batchSize;
  return agent(
    graph,
    {
      stateSize,
      actionSize,
      minibatch: (on) => buffer.minibatch(on, { rows, stream: streams.minibatch }),
      noise: drawNormal(graph, { rows, columns: actionSize, stream: streams.targetNoise }),
      normalization: normalizationOf(buffer.observationMoments()),
    },
    h,
    variants.map(({ alpha }) => alpha),
  );
}

/**
 * Returns the normalization of an actor file, (o − mean) / √var, where √var includes the offset.
 */
function normalizationOf({ mean, deviation }: ColumnMoments): Initial {
  return () =>
    new Map([
      ["mean", Float32Array.from(mean)],
      ["var", Float32Array.from(deviation, (each) => (each + deviationOffset) ** 2)],
    ]);
}
