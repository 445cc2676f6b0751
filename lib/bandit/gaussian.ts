/**
 * Gaussian policies and behavior models of the bandit, whose optima have closed forms.
 *
 * @module
 */
import { type Point, qOf } from "./optimum.ts";

/** A Gaussian in the plane. */
export interface Gaussian {
  /** Mean. */
  readonly mean: Point;
  /** Variance of x, covariance, and variance of y. */
  readonly covariance: readonly [xx: number, xy: number, yy: number];
}

/**
 * Returns the Gaussian with the weighted mean and covariance of points `[n, 2]`. It maximizes the
 * weighted log-likelihood, so with weights exp(β Q) it is the forward-KL policy of Eq. 2, and with
 * equal weights the behavior model.
 *
 * @param weights `[n]`, not negative, of any sum. Defaults to equal weights.
 */
export function weightedGaussian(
  points: ArrayLike<number>,
  weights: (row: number) => number = () => 1,
): Gaussian {
  const sums = [0, 0, 0, 0, 0, 0] as [number, number, number, number, number, number];
  for (let row = 0; 2 * row < points.length; row++) {
    const [w, x, y] = [weights(row), points[2 * row]!, points[2 * row + 1]!];
    [w, w * x, w * y, w * x * x, w * x * y, w * y * y].forEach((term, i) => sums[i]! += term);
  }
  const [total, x, y, xx, xy, yy] = sums;
  const mean: Point = [x / total, y / total];
  return {
    mean,
    covariance: [
      xx / total - mean[0] ** 2,
      xy / total - mean[0] * mean[1],
      yy / total - mean[1] ** 2,
    ],
  };
}

/** Returns the weights exp(β Q(a)) of Eq. 2 for points `[n, 2]`, largest 1. */
export function regressionWeights(
  points: ArrayLike<number>,
  target: Point,
  beta: number,
): Float64Array {
  const logs = Float64Array.from(
    { length: points.length / 2 },
    (_, row) => beta * qOf([points[2 * row]!, points[2 * row + 1]!], target),
  );
  const largest = logs.reduce((a, b) => Math.max(a, b), -Infinity);
  return logs.map((log) => Math.exp(log - largest));
}

/**
 * Returns the deterministic reverse-KL policy (Eq. 9) for a Gaussian behavior model: the maximum of
 * Q(a) + log μ(a) / β, both quadratic. It solves (2β I + Σ⁻¹) a = 2β target + Σ⁻¹ mean.
 */
export function reverseKlPoint(
  { mean, covariance: [xx, xy, yy] }: Gaussian,
  target: Point,
  beta: number,
): Point {
  const determinant = xx * yy - xy * xy;
  const [pxx, pxy, pyy] = [yy / determinant, -xy / determinant, xx / determinant];
  const [axx, ayy] = [2 * beta + pxx, 2 * beta + pyy];
  const right = [
    2 * beta * target[0] + pxx * mean[0] + pxy * mean[1],
    2 * beta * target[1] + pxy * mean[0] + pyy * mean[1],
  ] as const;
  const whole = axx * ayy - pxy * pxy;
  return [(ayy * right[0] - pxy * right[1]) / whole, (axx * right[1] - pxy * right[0]) / whole];
}
