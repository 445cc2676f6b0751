/**
 * The score-regularized objective (Eq. 15).
 *
 * @module
 */
import reduceSource from "../../../shaders/reduce.wgsl" with { type: "text" };
import scheduleSource from "../../../shaders/schedule.wgsl" with { type: "text" };
import srpoSource from "../../../shaders/srpo_loss.wgsl" with { type: "text" };
import stepSource from "../../../shaders/step.wgsl" with { type: "text" };
import type { Graph, Loss } from "../../autodiff/graph.ts";
import { mapRows, type Matrix } from "../../autodiff/matrix.ts";
import { registerOperation } from "../../autodiff/operations.ts";
import { requireHeads, requireShape, shapeOf } from "../../autodiff/ops/shapes.ts";
import { headFields, rowFields } from "../../autodiff/ops/job_fields.ts";
import { recordLoss } from "../../autodiff/ops/loss.ts";
import { Tensor } from "../../autodiff/tensor.ts";
import { alpha, sigma } from "../../diffusion/schedule.ts";

const operation = registerOperation("srpo loss");

/** ω(t), the weight of the behavior score at a diffusion time. */
export type TimeWeight = "sigma2" | "constant" | "alpha_over_sigma" | "sigma4";

const weightings: readonly TimeWeight[] = ["sigma2", "constant", "alpha_over_sigma", "sigma4"];

/** The regularization of a replica's policy. */
export interface ScoreRegularization {
  /** Temperature β. Larger values are greedier. */
  readonly beta: number;
  /** ω(t). */
  readonly weighting: TimeWeight;
  /** Whether the noise ε is subtracted from its prediction (Eq. 15). */
  readonly subtractBaseline: boolean;
  /** Whether ∇Q is divided by its root mean square (β_norm, Appendix C). */
  readonly normalizeQ: boolean;
  /** Factor of ω(t). Defaults to 1. */
  readonly scale?: number;
  /**
   * Multiplies β ∇Q by this positive factor and ω(t), so that both terms have the weight ω(t).
   * Absent: the weight of ∇Q does not depend on t, as in Eq. 15.
   */
  readonly weightedQ?: number;
}

/** Inputs of the score-regularized loss. The gradient treats them as constants. */
export interface ScoreTerms {
  /** ε̂(a_t | s, t), `[R, rows, actions]`. */
  readonly noiseHat: Tensor;
  /** ε, `[R, rows, actions]`. */
  readonly z: Tensor;
  /** t, `[R, rows, 1]`. */
  readonly t: Tensor;
  /** ∇_a Q, `[R, rows, actions]`. */
  readonly qGradient: Tensor;
  /** Q of every head, `[H·R, rows, 1]`, for the metric `q_mean` (the mean over heads). */
  readonly q: Tensor;
}

/**
 * The score-regularized objective (Eq. 15) as a loss to minimize, differentiable with respect to
 * the action `[R, rows, actions]`. See `shaders/srpo_loss.wgsl`.
 */
export function scoreRegularizedLoss(
  graph: Graph,
  name: string,
  action: Tensor,
  { noiseHat, z, t, qGradient, q }: ScoreTerms,
  regularization: (replica: number) => ScoreRegularization,
): Loss {
  const { replicas, rows } = action;
  for (const [operand, tensor] of Object.entries({ noiseHat, z, qGradient })) {
    requireShape(operation, operand, tensor, action);
  }
  requireShape(operation, "t", t, { replicas, rows, columns: 1 });
  requireHeads(operation, "q", q, action);
  const gradient = new Tensor(shapeOf(action));
  const metric = graph.metric(name, replicas);
  const qMetric = graph.metric("q_mean", replicas);
  recordLoss(
    graph,
    replicas,
    { name: operation, source: stepSource + reduceSource + scheduleSource + srpoSource },
    { reads: [action, noiseHat, z, t, qGradient, q], writes: [gradient], policy: action },
    (job) => {
      const { beta, weighting, subtractBaseline, normalizeQ, scale = 1, weightedQ = 0 } =
        regularization(job);
      return {
        rows,
        columns: action.columns,
        heads: q.replicas / replicas,
        beta,
        weighting: weightings.indexOf(weighting),
        scale,
        weighted_q: weightedQ,
        baseline: subtractBaseline ? 1 : 0,
        normalize: normalizeQ ? 1 : 0,
        ...rowFields("action", action, job, replicas),
        ...rowFields("noise_hat", noiseHat, job, replicas),
        ...rowFields("z", z, job, replicas),
        ...rowFields("q_gradient", qGradient, job, replicas),
        t: t.columnAt(job, replicas),
        ...headFields("q", q, job, replicas),
        ...rowFields("gradient", gradient, job, replicas),
        metric: metric.index + job,
        q_metric: qMetric.index + job,
      };
    },
  );
  return { metric, gradients: new Map([[action, gradient]]) };
}

/** Returns ω(t), in float64. */
export function weightAt(weighting: TimeWeight, t: number): number {
  switch (weighting) {
    case "sigma2":
      return sigma(t) ** 2;
    case "sigma4":
      return sigma(t) ** 4;
    case "constant":
      return 1;
    case "alpha_over_sigma":
      return alpha(t) / sigma(t);
  }
}

/** Returns the mean of ω(t) over t ~ U(min, max), in float64. */
export function meanWeight(weighting: TimeWeight, min: number, max: number): number {
  const points = 2000;
  let total = 0;
  for (let i = 0; i < points; i++) {
    total += weightAt(weighting, min + (max - min) * (i + 0.5) / points);
  }
  return total / points;
}

/**
 * Returns ω(t) (ε̂ − ε) − β ∇Q for each row, in float64. Actions move against this direction.
 */
export function scoreDirectionReference(
  { noiseHat, z, t, qGradient }: Record<"noiseHat" | "z" | "t" | "qGradient", Matrix>,
  { beta, weighting, subtractBaseline, normalizeQ, scale = 1, weightedQ }: ScoreRegularization,
): Matrix {
  return mapRows(noiseHat, (row, r) => {
    const omega = scale * weightAt(weighting, t.values[r]!);
    const greed = beta * (weightedQ === undefined ? 1 : weightedQ * omega);
    const start = r * noiseHat.columns;
    const gradient = qGradient.values.subarray(start, start + row.length);
    const rootMeanSquare = Math.sqrt(
      gradient.reduce((total, g) => total + g * g, 0) / gradient.length,
    );
    // A gradient of zero has no direction.
    const divisor = normalizeQ && rootMeanSquare > 0 ? rootMeanSquare : 1;
    return Array.from(
      row,
      (noise, i) =>
        omega * (noise - (subtractBaseline ? z.values[start + i]! : 0)) -
        (greed * gradient[i]!) / divisor,
    );
  });
}
