/**
 * Stage 3 of Algorithm 1, score-regularized policy extraction (Section 4.2). A deterministic policy
 * maximizes Q, and the behavior model's score keeps it close to the data. No actions are sampled.
 *
 *     in every step, for states s, times t ~ U(0.02, 0.98) and noise ε ~ N(0, I):
 *       a ← π(s), a_t ← α_t a + σ_t ε
 *       g ← ω(t) (ε̂(a_t | s, t) − ε) − β ∇_a ½ (Q₁' + Q₂')(s, a), a constant
 *       π ← Adam step on mean g·π(s), with a cosine learning-rate schedule        (Eq. 15)
 *
 * @module
 */
import { gradients } from "../../autodiff/gradients.ts";
import type { Graph } from "../../autodiff/graph.ts";
import { concatenate } from "../../autodiff/ops/concatenate.ts";
import { fourierFeatures, type Times } from "../../autodiff/ops/fourier_features.ts";
import { type Noise, noising } from "../../autodiff/ops/noising.ts";
import {
  meanWeight,
  type ScoreRegularization,
  scoreRegularizedLoss,
  weightAt,
} from "./score_regularized_loss.ts";
import { ParameterSet } from "../../autodiff/parameters.ts";
import type { Tensor } from "../../autodiff/tensor.ts";
import { behaviorModel, behaviorShapes, frequencyShapes } from "../../nn/behavior_model.ts";
import { numbered } from "../../nn/initialization.ts";
import { mlp, mlpShapes } from "../../nn/mlp.ts";
import { cosine, minimize } from "../../optim/adam.ts";
import type { Stage } from "../algorithm.ts";
import { behaviorShapeOf } from "./behavior.ts";
import type { Hyperparameters } from "./hyperparameters.ts";

/** A minibatch of states with diffusion times and noise, each tensor `[R, rows, ·]`. */
export interface PolicyBatch {
  /**
   * s. Each call returns a new tensor, which can be laid out next to what it is concatenated with.
   */
  readonly state: () => Tensor;
  /** t, by default ~ U(0.02, 0.98); or the fixed time of δ(t) */
  readonly times: Times;
  /** ε ~ N(0, I) */
  readonly noise: Noise;
}

/** Describes one step of policy extraction. */
export function policy(
  graph: Graph,
  batch: PolicyBatch,
  actionSize: number,
  h: Hyperparameters,
  regularization: (replica: number) => ScoreRegularization = () => regularizationOf(h),
): Stage {
  const { state, times, noise } = batch;
  const s = state();
  const observationSize = s.columns;
  const theta = new ParameterSet(
    graph,
    mlpShapes({
      inputs: [observationSize],
      hidden: Array.from({ length: h.policyLayers }, () => h.policyWidth),
      outputs: actionSize,
    }),
    graph.replicas,
  );
  // Frozen: the critic's target Q-networks and the behavior model.
  const q = new ParameterSet(
    graph,
    mlpShapes({
      inputs: [actionSize, observationSize],
      hidden: Array.from({ length: h.criticLayers }, () => h.criticWidth),
      outputs: 1,
    }),
    2 * graph.replicas,
  );
  const shape = behaviorShapeOf({ observationSize, actionSize }, h);
  const psi = new ParameterSet(graph, behaviorShapes(shape), graph.replicas);
  const frequencies = new ParameterSet(graph, frequencyShapes(shape), graph.replicas);

  const action = mlp(graph, theta, s, "tanh");

  // ∇_a Q(s, a) at a = π(s), where Q is the mean of the two heads.
  const qValues = mlp(graph, q, concatenate(graph, [action, s]));
  const half = graph.constant(qValues.rows, 1, 0.5, qValues.replicas);
  const [qGradient] = gradients(graph, { tensor: qValues, upstream: half }, [action]);

  // ε̂(a_t | s, t) at a_t = α_t π(s) + σ_t ε.
  const { t, features } = fourierFeatures(graph, times, frequencies.get("embed.0.W"));
  const { xt, z } = noising(graph, action, t, noise);
  const noiseHat = behaviorModel(graph, psi, { action: xt, state: state(), features });

  // Eq. 15: [∇_a Q − (1/β) ω(t) (ε̂ − ε)] ∇_θ π, multiplied by −β to give a loss.
  const loss = scoreRegularizedLoss(
    graph,
    "loss",
    action,
    { noiseHat, z, t, qGradient: qGradient!, q: qValues },
    regularization,
  );
  const optimizer = minimize(graph, loss, theta, {
    learningRate: cosine(h.policyLearningRate, h.policySteps),
  });

  return {
    networks: [
      { prefixes: ["policy.net."], parameters: theta, optimizer, initial: numbered(6) },
      { prefixes: ["q0_target.q1.", "q0_target.q2."], parameters: q },
      { prefixes: ["diffusion."], parameters: psi },
      { prefixes: ["diffusion."], parameters: frequencies },
    ],
    tensors: { action, xt, noiseHat, qGradient: qGradient! },
  };
}

/** Returns the regularization for these hyperparameters. */
export function regularizationOf(h: Hyperparameters): ScoreRegularization {
  const { policyMinTime: min, policyMaxTime: max, fixedTime } = h;
  const fixed = h.weighting === "fixed_time";
  const bothTerms = h.weighting === "two_term";
  // δ(t − t₀) α/σ. The sampling of times fixes t₀.
  const weighting = h.weighting === "fixed_time"
    ? "alpha_over_sigma"
    : h.weighting === "two_term"
    ? "sigma2"
    : h.weighting;
  const usual = meanWeight("sigma2", min, max);
  return {
    beta: h.beta,
    weighting,
    subtractBaseline: h.subtractBaseline,
    normalizeQ: h.normalizeBeta,
    ...(h.normalizeWeighting && {
      scale: usual /
        (fixed ? weightAt(weighting, fixedTime) : meanWeight(weighting, min, max)),
    }),
    // On both terms, a mean of 1 leaves β its meaning.
    ...(bothTerms && { weightedQ: h.normalizeWeighting ? 1 / usual : 1 }),
  };
}
