/**
 * The training stage of Diffusion-QL (Wang et al., 2023, arXiv 2208.06193, Algorithm 1). It trains
 * twin Q-networks and an actor. The actor is a diffusion model of T steps that imitates the data's
 * actions and maximizes Q.
 *
 *     in every step, for a minibatch (s, a, r, d, s'):
 *       ã ← a sample of the averaged actor π' at s' (ten samples with the maximum over actions)
 *       y ← r + γ (1 − d) min(Q₁', Q₂')(s', ã) (with the maximum, each Q' is its largest over the ten)
 *       Q ← Adam step on mean (Q₁(s, a) − y)² + mean (Q₂(s, a) − y)²
 *       t, ε ← a time in 0 … T − 1 and noise for each row
 *       L_d ← mean over rows and columns of (ε̂(√ᾱ a + √(1 − ᾱ) ε, t, s) − ε)²
 *       π(s) ← a sample of the actor, differentiable through all steps of its chain
 *       i, j ← 1, 2 or 2, 1 with equal probability
 *       L_q ← −mean Q_i(s, π(s)) / mean |Q_j(s, π(s))| with the updated Q; no gradient through the divisor
 *       ε̂ ← Adam step on L_d + η L_q
 *       Q' ← moving average of Q
 *       π' ← every few steps, moving average of π
 *
 * Both gradients are clipped to a maximum norm. Each step of a chain clips its prediction of the
 * action to ±1; no gradient flows through a clipped entry.
 *
 * There are two differences from the official code. It draws the rows of a minibatch with
 * replacement; here every epoch shuffles all rows and splits them into minibatches. It has an
 * option for learning-rate decay, which is off by default and reduces the rates by less than 0.1 %;
 * this project has no such option.
 *
 * @module
 */
import type { Graph } from "../../autodiff/graph.ts";
import { broadcast, mean, meanRows, sumHeads } from "../../autodiff/ops/broadcast.ts";
import { copy } from "../../autodiff/ops/copy.ts";
import { drawIndex, drawNormal } from "../../autodiff/ops/draw.ts";
import {
  abs,
  add,
  divide,
  multiply,
  scale,
  shift,
  subtract,
} from "../../autodiff/ops/entrywise.ts";
import { gatherRows } from "../../autodiff/ops/gather_rows.ts";
import { minimumOverHeads } from "../../autodiff/ops/minimum_over_heads.ts";
import { lossOf, report } from "../../autodiff/ops/report.ts";
import { ParameterSet } from "../../autodiff/parameters.ts";
import type { Tensor } from "../../autodiff/tensor.ts";
import type { ReplayBuffer } from "../../data/replay_buffer.ts";
import { noisingWeights, variancePreservingBetas } from "../../diffusion/ddpm.ts";
import { numbered } from "../../nn/initialization.ts";
import { constant, minimize, periodic } from "../../optim/adam.ts";
import type { Stage } from "../algorithm.ts";
import { bestOf } from "../candidate_graph.ts";
import { temporalDifferenceLoss } from "../losses/temporal_difference.ts";
import type { Hyperparameters } from "./hyperparameters.ts";
import { actorShapes, noisePrediction, qShapes, qValues, sampleActions } from "./networks.ts";

/** Random streams, except those of the initial weights. A chain uses one stream per draw. */
const streams = {
  minibatch: 16,
  time: 17,
  noise: 18,
  head: 19,
  chain: 1024,
  nextChain: 2048,
} as const;

/** Number of next actions per state for the maximum over actions. */
const nextActions = 10;

/** Inputs of a step; each tensor is `[R, rows, ·]`. */
export interface AgentInputs {
  /** s */
  readonly state: Tensor;
  /** a */
  readonly action: Tensor;
  /** r */
  readonly reward: Tensor;
  /** d: 1 if the episode ended in a terminal state. */
  readonly terminal: Tensor;
  /** s' */
  readonly nextState: Tensor;
  /** t: integers from 0 to T − 1, `[R, rows, 1]`. */
  readonly time: Tensor;
  /** ε, with the action's shape. */
  readonly noise: Tensor;
  /** Returns the draws of the actor's chain, for {@linkcode sampleActions}. */
  readonly chain: (k: number) => Tensor;
  /**
   * Returns the draws of the averaged actor's chain at the next states. With the maximum over
   * actions, there are ten rows per state.
   */
  readonly nextChain: (k: number) => Tensor;
  /** Index of the Q-network that the actor maximizes: 0 or 1, `[R, 1, 1]`. */
  readonly head: Tensor;
}

/**
 * Describes one training step.
 *
 * @param etas η per replica of the graph.
 */
export function agent(
  graph: Graph,
  { state, action, reward, terminal, nextState, time, noise, chain, nextChain, head }: AgentInputs,
  h: Hyperparameters,
  etas: readonly number[],
): Stage {
  const { replicas } = graph;
  const sizes = [state.columns, action.columns, h.width] as const;
  // The twin Q-networks are adjacent replicas of one parameter set.
  const q = new ParameterSet(graph, qShapes(...sizes), 2 * replicas);
  const qTarget = new ParameterSet(graph, qShapes(...sizes), 2 * replicas);
  const actor = new ParameterSet(graph, actorShapes(...sizes), replicas);
  const average = new ParameterSet(graph, actorShapes(...sizes), replicas);
  // Not trained. Stores T in the checkpoint for evaluation.
  const schedule = new ParameterSet(
    graph,
    [{ name: "betas", rows: 1, segments: [h.diffusionSteps], vector: true }],
    replicas,
  );
  const betas = variancePreservingBetas(h.diffusionSteps);
  const learningRate = constant(h.learningRate);
  const clipNorm = h.gradientNorm;

  // The critic.
  const repeats = h.maxOverActions ? nextActions : 1;
  const seen = broadcast(graph, nextState, {
    replicas,
    rows: repeats * nextState.rows,
    columns: nextState.columns,
  });
  const averaged = noisePrediction(graph, average, h.diffusionSteps);
  const nextAction = sampleActions(graph, averaged, seen, betas, nextChain);
  const nextQ = qValues(graph, qTarget, seen, nextAction);
  const best = repeats === 1 ? nextQ : bestOf(graph, nextQ, nextQ, repeats);
  const nextValue = minimumOverHeads(graph, best, 2);
  const criticLoss = temporalDifferenceLoss(
    graph,
    "loss_critic",
    qValues(graph, q, state, action),
    { reward, terminal, nextValue },
    h.discount,
    "sum",
  );
  const qOptimizer = minimize(graph, criticLoss, q, {
    learningRate,
    clipNorm,
    target: { parameters: qTarget, rate: constant(h.targetRate) },
  });

  // Imitation.
  const predict = noisePrediction(graph, actor, h.diffusionSteps);
  const weights = noisingWeights(betas);
  const weight = (of: "clean" | "noise") =>
    gatherRows(graph, graph.table(betas.length, 1, weights.map((each) => each[of])), time);
  const noised = add(
    graph,
    multiply(graph, action, weight("clean")),
    multiply(graph, noise, weight("noise")),
  );
  const error = subtract(graph, predict(noised, state, time), noise);
  const imitation = mean(graph, multiply(graph, error, error));

  // Improvement.
  const sampled = sampleActions(graph, predict, state, betas, chain);
  const sampledQ = qValues(graph, q, state, sampled);
  const headIndex = graph.constant(1, 1, (each) => each % 2, 2 * replicas);
  const isOther = abs(graph, subtract(graph, headIndex, head));
  const isMaximized = shift(graph, scale(graph, isOther, -1), 1);
  const maximizedQ = sumHeads(
    graph,
    multiply(graph, meanRows(graph, sampledQ), isMaximized),
    2,
  );
  const size = sumHeads(
    graph,
    multiply(graph, copy(graph, meanRows(graph, abs(graph, sampledQ))), isOther),
    2,
  );
  const improvement = scale(graph, divide(graph, maximizedQ, size), -1);
  const eta = graph.constant(1, 1, (replica) => etas[replica]!);
  const actorLoss = add(graph, imitation, multiply(graph, eta, improvement));
  report(graph, "loss_imitation", imitation);
  report(graph, "loss_improvement", improvement);
  report(graph, "q_mean", maximizedQ);
  const { averageEvery: every, averageFrom } = h;
  const first = every * Math.ceil(averageFrom / every);
  const actorOptimizer = minimize(graph, lossOf(graph, "loss_actor", actorLoss), actor, {
    learningRate,
    clipNorm,
    target: { parameters: average, rate: periodic(h.averageRate, { every, first }) },
  });

  return {
    networks: [
      {
        prefixes: ["critic.q1_model.", "critic.q2_model."],
        parameters: q,
        optimizer: qOptimizer,
        initial: numbered(0),
      },
      {
        prefixes: ["critic_target.q1_model.", "critic_target.q2_model."],
        parameters: qTarget,
        initial: numbered(0),
      },
      {
        prefixes: ["actor.model."],
        parameters: actor,
        optimizer: actorOptimizer,
        initial: numbered(2),
      },
      { prefixes: ["ema_model.model."], parameters: average, initial: numbered(2) },
      {
        prefixes: ["schedule."],
        parameters: schedule,
        initial: () => new Map([["betas", Float32Array.from(betas)]]),
      },
    ],
    tensors: { nextAction, nextValue, sampled, time, head },
  };
}

/**
 * Describes a training step on minibatches of a replay buffer.
 *
 * @param variants Hyperparameters per replica of the graph. Only η may differ.
 */
export function agentStage(
  graph: Graph,
  buffer: ReplayBuffer,
  h: Hyperparameters,
  variants: readonly Hyperparameters[],
): Stage {
  const rows = h.batchSize;
  const columns = buffer.actionSize;
  const nextRows = h.maxOverActions ? nextActions * rows : rows;
  const normal = (rows: number, stream: number) => drawNormal(graph, { rows, columns, stream });
  const batch = buffer.minibatch(graph, { rows, stream: streams.minibatch });
  return agent(
    graph,
    {
      state: batch.state(),
      action: batch.action(),
      reward: batch.reward(),
      terminal: batch.terminal(),
      nextState: batch.nextState(),
      time: drawIndex(graph, { rows, count: h.diffusionSteps, stream: streams.time }),
      noise: normal(rows, streams.noise),
      chain: (k) => normal(rows, streams.chain + k),
      nextChain: (k) => normal(nextRows, streams.nextChain + k),
      head: drawIndex(graph, { rows: 1, count: 2, stream: streams.head }),
    },
    h,
    variants.map(({ eta }) => eta),
  );
}
