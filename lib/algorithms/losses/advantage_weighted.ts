/**
 * Advantage-weighted regression of a deterministic policy (Eq. 2).
 *
 * @module
 */
import awrSource from "../../../shaders/awr_loss.wgsl" with { type: "text" };
import nanSource from "../../../shaders/nan.wgsl" with { type: "text" };
import reduceSource from "../../../shaders/reduce.wgsl" with { type: "text" };
import stepSource from "../../../shaders/step.wgsl" with { type: "text" };
import type { Graph, Loss } from "../../autodiff/graph.ts";
import { map, mapRows, type Matrix, mean, zip } from "../../autodiff/matrix.ts";
import { registerOperation } from "../../autodiff/operations.ts";
import { requireHeads, requireShape, shapeOf } from "../../autodiff/ops/shapes.ts";
import { headFields, rowFields } from "../../autodiff/ops/job_fields.ts";
import { recordLoss } from "../../autodiff/ops/loss.ts";
import { Tensor } from "../../autodiff/tensor.ts";

const operation = registerOperation("awr loss");

/** Advantage weights: w = min(exp(temperature · A), limit). */
export interface AdvantageWeights {
  /** Factor of the advantage in the exponent. */
  readonly temperature: number;
  /** Largest weight. */
  readonly limit: number;
}

/**
 * Advantage-weighted regression of a policy `[R, rows, actions]` towards the data's actions, with
 * A = min over heads of q `[H·R, rows, 1]` − v `[R, rows, 1]`. Differentiable with respect to the
 * policy.
 */
export function advantageWeightedLoss(
  graph: Graph,
  name: string,
  policy: Tensor,
  action: Tensor,
  { q, v }: { q: Tensor; v: Tensor },
  { temperature, limit }: AdvantageWeights,
): Loss {
  const { replicas, rows } = policy;
  requireShape(operation, "action", action, policy);
  requireHeads(operation, "q", q, policy);
  requireShape(operation, "v", v, { replicas, rows, columns: 1 });
  const gradient = new Tensor(shapeOf(policy));
  const metric = graph.metric(name, replicas);
  recordLoss(
    graph,
    replicas,
    { name: operation, source: stepSource + reduceSource + nanSource + awrSource },
    { reads: [policy, action, q, v], writes: [gradient], policy },
    (job) => ({
      rows,
      width: policy.width / 4,
      heads: q.replicas / replicas,
      temperature,
      limit,
      ...headFields("q", q, job, replicas),
      v: v.columnAt(job, replicas),
      ...rowFields("policy", policy, job, replicas),
      ...rowFields("action", action, job, replicas),
      ...rowFields("gradient", gradient, job, replicas),
      metric: metric.index + job,
    }),
  );
  return { metric, gradients: new Map([[policy, gradient]]) };
}

/** Returns the mean over rows of min(exp(temperature (Q − V)), limit) |π − a|² in float64. */
export function advantageWeightedLossReference(
  policy: Matrix,
  action: Matrix,
  q: Matrix,
  v: Matrix,
  temperature: number,
  limit: number,
): number {
  const squares = mapRows(
    zip(policy, action, (a, b) => a - b),
    (row) => [row.reduce((total, d) => total + d * d, 0)],
  );
  return mean(
    map(
      squares,
      (square, r) =>
        Math.min(Math.exp(temperature * (q.values[r]! - v.values[r]!)), limit) * square,
    ),
  );
}
