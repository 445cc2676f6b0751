/**
 * The training stage of IDQL (Hansen-Estruch et al., 2023, arXiv 2304.10573). It trains a diffusion
 * model of the data's actions, and twin Q-networks and V by implicit Q-learning. The two parts are
 * independent during training; at evaluation, Q selects among the model's samples.
 *
 *     in every step, for a minibatch (s, a, r, d, s'), times t in 0 … T − 1 and noise ε ~ N(0, I):
 *       a_t ← √ᾱ_t a + √(1 − ᾱ_t) ε
 *       ε̂ ← AdamW step on mean |ε̂(a_t | s, t) − ε|² with a cosine learning-rate schedule
 *       ε̂' ← moving average of ε̂
 *       q ← min(Q₁', Q₂')(s, a)
 *       V ← Adam step on mean |τ − 1(u < 0)| u² with u = q − V(s)
 *       y ← r + γ (1 − d) V(s') with the updated V
 *       Q ← Adam step on ½ (mean (Q₁(s, a) − y)² + mean (Q₂(s, a) − y)²)
 *       Q' ← moving average of Q
 *
 * Actions are clipped as in IQL. There are two differences from the official code. It draws the
 * rows of a minibatch with replacement; here every epoch shuffles all rows and splits them into
 * minibatches. It holds out 5 % of the rows for validation; here all rows are used for training.
 *
 * The column order differs in two places, as in SRPO's networks: Q takes the action before the
 * state, and sines precede cosines. This only permutes weights that are drawn from the same
 * distribution.
 *
 * @module
 */
import type { Graph } from "../../autodiff/graph.ts";
import { concatenate } from "../../autodiff/ops/concatenate.ts";
import { drawIndex, drawNormal } from "../../autodiff/ops/draw.ts";
import type { Dropout } from "../../autodiff/ops/dropout.ts";
import { add, cos, multiply, sin } from "../../autodiff/ops/entrywise.ts";
import { gatherRows } from "../../autodiff/ops/gather_rows.ts";
import { layerNorm } from "../../autodiff/ops/layer_norm.ts";
import { diffusionLoss } from "../../autodiff/ops/squared_error.ts";
import { ParameterSet, type ParameterShape } from "../../autodiff/parameters.ts";
import type { Tensor } from "../../autodiff/tensor.ts";
import type { ReplayBuffer } from "../../data/replay_buffer.ts";
import { noisingWeights, variancePreservingBetas } from "../../diffusion/ddpm.ts";
import {
  type BehaviorShape,
  behaviorShapes,
  frequencyShapes,
  noisePrediction,
  timeEmbedding,
} from "../../nn/behavior_model.ts";
import {
  glorot,
  type Initial,
  initialFrequencies,
  layerNormShapes,
} from "../../nn/initialization.ts";
import { mlp, mlpShapes } from "../../nn/mlp.ts";
import { constant, cosine, minimize } from "../../optim/adam.ts";
import type { Stage } from "../algorithm.ts";
import { type Batch, clippedMinibatch } from "../iql/agent.ts";
import { expectileLoss } from "../losses/expectile.ts";
import { temporalDifferenceLoss } from "../losses/temporal_difference.ts";
import { behaviorDetails, layerNormEpsilon } from "./details.ts";
import type { Hyperparameters } from "./hyperparameters.ts";

/** Random streams, except those of the initial weights. */
const streams = {
  minibatch: 16,
  time: 17,
  noise: 18,
  /** Stream of the first residual block; each further block uses the next one. */
  dropout: 32,
} as const;

/** Standard deviation of the initial Fourier frequencies. */
const frequencyScale = 0.2;

/** Inputs of a step; each tensor is `[R, rows, ·]`. */
export interface AgentInputs extends Batch {
  /** t: integers from 0 to T − 1, `[R, rows, 1]`. */
  readonly time: Tensor;
  /** ε, with the action's shape. */
  readonly noise: Tensor;
  /** Returns the dropout of a residual block; absent for no dropout. */
  readonly dropout?: (block: number) => Dropout;
}

/**
 * Describes one training step.
 *
 * @param variants Hyperparameters per replica of the graph. Only the expectile may differ.
 */
export function agent(
  graph: Graph,
  { state, action, reward, terminal, nextState, time, noise, dropout }: AgentInputs,
  h: Hyperparameters,
  variants: readonly Hyperparameters[],
): Stage {
  const { replicas } = graph;
  const shape: BehaviorShape = {
    observationSize: state.columns,
    actionSize: action.columns,
    width: h.behaviorWidth,
    blocks: h.behaviorBlocks,
    frequencies: h.fourierFrequencies,
    embedding: h.embeddingWidth,
  };
  const modelShapes = [
    ...frequencyShapes(shape),
    ...behaviorShapes(shape, [shape.frequencies, shape.frequencies]),
  ];
  const hidden = Array.from({ length: h.layers }, () => h.width);
  const qShapes = mlpShapes({ inputs: [action.columns, state.columns], hidden, outputs: 1 });
  const vShapes: ParameterShape[] = [
    ...layerNormShapes("norm", state.columns),
    ...mlpShapes({ inputs: [state.columns], hidden, outputs: 1 })
      .map((each) => ({ ...each, name: `net.${each.name}` })),
  ];
  const model = new ParameterSet(graph, modelShapes, replicas);
  const average = new ParameterSet(graph, modelShapes, replicas);
  // The twin Q-networks are adjacent replicas of one parameter set.
  const q = new ParameterSet(graph, qShapes, 2 * replicas);
  const qTarget = new ParameterSet(graph, qShapes, 2 * replicas);
  const v = new ParameterSet(graph, vShapes, replicas);
  // Not trained. Stores T in the checkpoint for evaluation.
  const schedule = new ParameterSet(
    graph,
    [{ name: "betas", rows: 1, segments: [h.diffusionSteps], vector: true }],
    replicas,
  );
  const betas = variancePreservingBetas(h.diffusionSteps);
  const learningRate = constant(h.learningRate);

  // The behavior model.
  const weights = noisingWeights(betas);
  const ofTime = (values: number[]) =>
    gatherRows(graph, graph.table(values.length, 1, values), time);
  const noised = add(
    graph,
    multiply(graph, action, ofTime(weights.map(({ clean }) => clean))),
    multiply(graph, noise, ofTime(weights.map((each) => each.noise))),
  );
  const embedding = gatherRows(graph, embeddedTimes(graph, model, h.diffusionSteps), time);
  const input = { action: noised, state, embedding };
  const noiseHat = noisePrediction(graph, model, input, dropout, behaviorDetails);
  const modelOptimizer = minimize(
    graph,
    diffusionLoss(graph, "loss_behavior", noiseHat, noise),
    model,
    {
      learningRate: cosine(h.learningRate, h.steps),
      weightDecay: h.behaviorWeightDecay,
      target: { parameters: average, rate: constant(h.averageRate) },
    },
  );

  // V, then Q with the updated V.
  const actionState = concatenate(graph, [action, state]);
  const vLoss = expectileLoss(
    graph,
    "loss_v",
    mlp(graph, qTarget, actionState),
    valueOf(graph, v, state),
    (replica) => variants[replica]!.expectile,
  );
  const vOptimizer = minimize(graph, vLoss, v, { learningRate });

  const qLoss = temporalDifferenceLoss(
    graph,
    "loss_q",
    mlp(graph, q, actionState),
    { reward, terminal, nextValue: valueOf(graph, v, nextState) },
    h.discount,
  );
  const qOptimizer = minimize(graph, qLoss, q, {
    learningRate,
    target: { parameters: qTarget, rate: constant(h.targetRate) },
  });

  return {
    networks: [
      {
        prefixes: ["score_model."],
        parameters: model,
        optimizer: modelOptimizer,
        initial: initialModel,
      },
      { prefixes: ["target_score_model."], parameters: average, initial: initialModel },
      {
        prefixes: ["score_model."],
        parameters: schedule,
        initial: () => new Map([["betas", Float32Array.from(betas)]]),
      },
      {
        prefixes: ["critic.q1.", "critic.q2."],
        parameters: q,
        optimizer: qOptimizer,
        initial: glorot(0),
      },
      {
        prefixes: ["target_critic.q1.", "target_critic.q2."],
        parameters: qTarget,
        initial: glorot(0),
      },
      { prefixes: ["value."], parameters: v, optimizer: vOptimizer, initial: glorot(2) },
    ],
    tensors: { action, time, noised },
  };
}

/** Embeds each time once, `[R, T, embedding]`, because there are fewer times than rows. */
function embeddedTimes(graph: Graph, model: ParameterSet, count: number): Tensor {
  const times = graph.table(count, 1, Array.from({ length: count }, (_, t) => 2 * Math.PI * t));
  const phases = multiply(graph, times, model.get("embed.0.W"));
  const features = concatenate(graph, [sin(graph, phases), cos(graph, phases)]);
  return timeEmbedding(graph, model, features, behaviorDetails);
}

/** Returns V(s), `[R, rows, 1]`. */
function valueOf(graph: Graph, v: ParameterSet, state: Tensor): Tensor {
  const norm = {
    gain: v.get("norm.weight"),
    shift: v.get("norm.bias"),
    epsilon: layerNormEpsilon,
  };
  return mlp(graph, v, layerNorm(graph, state, norm), "none", "net.");
}

/** Flax's default initialization for the residual blocks, Glorot's for all other layers. */
const initialModel: Initial = (shapes, seed, member) => {
  const values = glorot(3, (name) => name.startsWith("main.blocks."))(shapes, seed, member);
  const name = "embed.0.W";
  return values.set(name, initialFrequencies(seed, values.get(name)!.length, frequencyScale));
};

/**
 * Describes a training step on minibatches of a replay buffer.
 *
 * @param variants Hyperparameters per replica of the graph. Only the expectile may differ.
 */
export function agentStage(
  graph: Graph,
  buffer: ReplayBuffer,
  h: Hyperparameters,
  variants: readonly Hyperparameters[],
): Stage {
  const rows = h.batchSize;
  return agent(
    graph,
    {
      ...clippedMinibatch(graph, buffer, { rows, stream: streams.minibatch }),
      time: drawIndex(graph, { rows, count: h.diffusionSteps, stream: streams.time }),
      noise: drawNormal(graph, { rows, columns: buffer.actionSize, stream: streams.noise }),
      ...(h.behaviorDropout > 0 && {
        dropout: (block: number) => ({
          rate: h.behaviorDropout,
          keep: { stream: streams.dropout + block },
        }),
      }),
    },
    h,
    variants,
  );
}
