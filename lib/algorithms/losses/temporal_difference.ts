/**
 * Temporal differences, the loss of Q: Eq. 12 in implicit Q-learning.
 *
 * @module
 */
import reduceSource from "../../../shaders/reduce.wgsl" with { type: "text" };
import stepSource from "../../../shaders/step.wgsl" with { type: "text" };
import tdSource from "../../../shaders/td_loss.wgsl" with { type: "text" };
import type { Graph, Loss } from "../../autodiff/graph.ts";
import { map, type Matrix } from "../../autodiff/matrix.ts";
import { registerOperation } from "../../autodiff/operations.ts";
import { requireHeads, requireShape, shapeOf } from "../../autodiff/ops/shapes.ts";
import { headFields } from "../../autodiff/ops/job_fields.ts";
import { recordLoss } from "../../autodiff/ops/loss.ts";
import { diffusionLossReference } from "../../autodiff/ops/squared_error.ts";
import { Tensor } from "../../autodiff/tensor.ts";

const operation = registerOperation("td loss");

/** Inputs of a temporal difference besides Q, each `[R, rows, 1]`. */
export interface Transition {
  /** r */
  readonly reward: Tensor;
  /** 1 where the episode ended in a terminal state. */
  readonly terminal: Tensor;
  /** V(s'). */
  readonly nextValue: Tensor;
}

/**
 * Temporal difference loss (Eq. 12) of every head of q `[H·R, rows, 1]` towards r + γ (1 − d)
 * V(s'), averaged over rows. Also reports `v_mean`, the mean of V(s'). Differentiable with respect
 * to q.
 *
 * @param over Whether to average or to sum over the heads.
 */
export function temporalDifferenceLoss(
  graph: Graph,
  name: string,
  q: Tensor,
  { reward, terminal, nextValue }: Transition,
  gamma: number,
  over: "mean" | "sum" = "mean",
): Loss {
  const { replicas } = reward;
  const { rows } = q;
  requireHeads(operation, "q", q, { replicas, rows });
  for (const [operand, tensor] of Object.entries({ reward, terminal, nextValue })) {
    requireShape(operation, operand, tensor, { replicas, rows, columns: 1 });
  }
  const gradient = new Tensor(shapeOf(q));
  const metric = graph.metric(name, replicas);
  const vMetric = graph.metric("v_mean", replicas);
  recordLoss(
    graph,
    replicas,
    { name: operation, source: stepSource + reduceSource + tdSource },
    { reads: [q, reward, terminal, nextValue], writes: [gradient] },
    (job) => ({
      rows,
      heads: q.replicas / replicas,
      head_weight: over === "sum" ? 1 : replicas / q.replicas,
      gamma,
      ...headFields("q", q, job, replicas),
      reward: reward.columnAt(job, replicas),
      terminal: terminal.columnAt(job, replicas),
      next_v: nextValue.columnAt(job, replicas),
      ...headFields("gradient", gradient, job, replicas),
      metric: metric.index + job,
      v_metric: vMetric.index + job,
    }),
  );
  return { metric, gradients: new Map([[q, gradient]]) };
}

/**
 * Returns the mean over rows, and mean or sum over heads, of (Q − r − γ (1 − d) V')², in float64.
 */
export function temporalDifferenceLossReference(
  q: readonly Matrix[],
  { reward, terminal, nextValue }: Readonly<Record<keyof Transition, Matrix>>,
  gamma: number,
  over: "mean" | "sum" = "mean",
): number {
  const target = map(
    reward,
    (r, i) => r + gamma * (1 - terminal.values[i]!) * nextValue.values[i]!,
  );
  const sum = q.reduce((total, head) => total + diffusionLossReference(head, target), 0);
  return over === "sum" ? sum : sum / q.length;
}
