/**
 * Expectile regression, the loss of V in implicit Q-learning (Eq. 11).
 *
 * @module
 */
import expectileSource from "../../../shaders/expectile_loss.wgsl" with { type: "text" };
import nanSource from "../../../shaders/nan.wgsl" with { type: "text" };
import reduceSource from "../../../shaders/reduce.wgsl" with { type: "text" };
import stepSource from "../../../shaders/step.wgsl" with { type: "text" };
import type { Graph, Loss } from "../../autodiff/graph.ts";
import { map, type Matrix, mean } from "../../autodiff/matrix.ts";
import { registerOperation } from "../../autodiff/operations.ts";
import { requireHeads, requireShape, shapeOf } from "../../autodiff/ops/shapes.ts";
import { headFields } from "../../autodiff/ops/job_fields.ts";
import { recordLoss } from "../../autodiff/ops/loss.ts";
import { Tensor } from "../../autodiff/tensor.ts";

const operation = registerOperation("expectile loss");

/**
 * Expectile regression (Eq. 11) of v `[R, rows, 1]` towards the smallest head of q `[H·R, rows,
 * 1]`. Also reports `q_mean`, the mean of that smallest head. Differentiable with respect to v.
 *
 * @param tau τ, or a function that returns the τ of each replica of v.
 */
export function expectileLoss(
  graph: Graph,
  name: string,
  q: Tensor,
  v: Tensor,
  tau: number | ((replica: number) => number),
): Loss {
  const { replicas, rows } = v;
  requireShape(operation, "v", v, { replicas, rows, columns: 1 });
  requireHeads(operation, "q", q, v);
  const gradient = new Tensor(shapeOf(v));
  const metric = graph.metric(name, replicas);
  const qMetric = graph.metric("q_mean", replicas);
  recordLoss(
    graph,
    replicas,
    { name: operation, source: stepSource + reduceSource + nanSource + expectileSource },
    { reads: [q, v], writes: [gradient] },
    (job) => ({
      rows,
      heads: q.replicas / replicas,
      tau: typeof tau === "number" ? tau : tau(job),
      ...headFields("q", q, job, replicas),
      v: v.columnAt(job, replicas),
      gradient: gradient.at(job, replicas),
      metric: metric.index + job,
      q_metric: qMetric.index + job,
    }),
  );
  return { metric, gradients: new Map([[v, gradient]]) };
}

/** Returns the mean of |τ − 1(u < 0)| u² with u = min Q − V, in float64. */
export function expectileLossReference(u: Matrix, tau: number): number {
  return mean(map(u, (value) => (value < 0 ? 1 - tau : tau) * value * value));
}
