/**
 * Stage 1 of Algorithm 1, implicit Q-learning (Section 4.1): twin Q-networks and V, trained only on
 * the data's actions, and an advantage-weighted policy, with which SRPO is compared.
 *
 *     in every step, for a minibatch (s, a, r, d, s'):
 *       q ← min(Q₁', Q₂')(s, a)
 *       y ← r + γ (1 − d) V(s')
 *       V ← Adam step on mean |τ − 1(u < 0)| u² with u = q − V(s)                 (Eq. 11)
 *       Q ← Adam step on ½ (mean (Q₁(s, a) − y)² + mean (Q₂(s, a) − y)²)          (Eq. 12)
 *       Q' ← moving average of Q
 *       w ← min(exp(λ (min(Q₁', Q₂')(s, a) − V(s))), 100) with the updated Q' and V
 *       π ← Adam step on mean w |π(s) − a|², with a cosine learning-rate schedule  (Eq. 2)
 *
 * @module
 */
import type { Graph } from "../../autodiff/graph.ts";
import { concatenate } from "../../autodiff/ops/concatenate.ts";
import { advantageWeightedLoss } from "../losses/advantage_weighted.ts";
import { expectileLoss } from "../losses/expectile.ts";
import { temporalDifferenceLoss } from "../losses/temporal_difference.ts";
import { ParameterSet } from "../../autodiff/parameters.ts";
import type { Tensor } from "../../autodiff/tensor.ts";
import { numbered } from "../../nn/initialization.ts";
import { mlp, mlpShapes } from "../../nn/mlp.ts";
import { constant, cosine, minimize } from "../../optim/adam.ts";
import type { Network, Stage } from "../algorithm.ts";
import type { Hyperparameters } from "./hyperparameters.ts";

/** A minibatch of transitions, each tensor `[R, rows, ·]`. */
export interface CriticBatch {
  /** s */
  readonly state: Tensor;
  /** a */
  readonly action: Tensor;
  /** r */
  readonly reward: Tensor;
  /** d: 1 where the episode ended in a terminal state. */
  readonly terminal: Tensor;
  /** s' */
  readonly nextState: Tensor;
}

/** Describes one step of the critic stage. */
export function critic(graph: Graph, batch: CriticBatch, h: Hyperparameters): Stage {
  const { state, action, reward, terminal, nextState } = batch;
  const inputs = [action.columns, state.columns];
  const hidden = Array.from({ length: h.criticLayers }, () => h.criticWidth);
  const qShapes = mlpShapes({ inputs, hidden, outputs: 1 });
  // Twin Q-networks are adjacent replicas of one parameter set.
  const q = new ParameterSet(graph, qShapes, 2 * graph.replicas);
  const qTarget = new ParameterSet(graph, qShapes, 2 * graph.replicas);
  const v = new ParameterSet(
    graph,
    mlpShapes({ inputs: [state.columns], hidden, outputs: 1 }),
    graph.replicas,
  );
  const policy = new ParameterSet(
    graph,
    mlpShapes({ inputs: [state.columns], hidden, outputs: action.columns }),
    graph.replicas,
  );
  const learningRate = constant(h.criticLearningRate);
  const actionState = concatenate(graph, [action, state]);

  // Both targets are computed before this step's updates.
  const targetQ = mlp(graph, qTarget, actionState);
  const nextValue = mlp(graph, v, nextState);

  // Eq. 11: V approaches the expectile τ of Q.
  const value = mlp(graph, v, state);
  const vLoss = expectileLoss(graph, "loss_v", targetQ, value, h.expectile);
  const vOptimizer = minimize(graph, vLoss, v, { learningRate });

  // Eq. 12: Q approaches r + γ V(s'), and the target Q follows slowly.
  const qValue = mlp(graph, q, actionState);
  const qLoss = temporalDifferenceLoss(
    graph,
    "loss_q",
    qValue,
    { reward, terminal, nextValue },
    h.discount,
  );
  const qOptimizer = minimize(graph, qLoss, q, {
    learningRate,
    target: { parameters: qTarget, rate: constant(h.targetRate) },
  });

  // IQL's policy: regression weighted by the advantage under the updated networks.
  const updated = { q: mlp(graph, qTarget, actionState), v: mlp(graph, v, state) };
  const policyLoss = advantageWeightedLoss(
    graph,
    "loss_awr",
    mlp(graph, policy, state, "tanh"),
    action,
    updated,
    { temperature: h.awrTemperature, limit: h.awrClip },
  );
  const policyOptimizer = minimize(graph, policyLoss, policy, {
    learningRate: cosine(h.criticLearningRate, h.criticSteps),
  });

  const networks: Network[] = [
    { prefixes: ["q0.q1.", "q0.q2."], parameters: q, optimizer: qOptimizer, initial: numbered(0) },
    { prefixes: ["q0_target.q1.", "q0_target.q2."], parameters: qTarget, initial: numbered(0) },
    { prefixes: ["vf.v."], parameters: v, optimizer: vOptimizer, initial: numbered(2) },
    {
      prefixes: ["policy.net."],
      parameters: policy,
      optimizer: policyOptimizer,
      initial: numbered(3),
    },
  ];
  const tensors = {
    targetQ,
    nextValue,
    value,
    qValue,
    updatedQ: updated.q,
    updatedV: updated.v,
  };
  return { networks, tensors };
}
