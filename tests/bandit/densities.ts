/**
 * Densities on a grid, and how far apart they are.
 *
 * @module
 */
import { cellArea, type Grid } from "../../lib/bandit/density.ts";
import type { Gaussian } from "../../lib/bandit/gaussian.ts";
import type { Point } from "../../lib/bandit/optimum.ts";

/** Returns the log-density of a Gaussian. */
export function gaussianLogDensity({ mean, covariance }: Gaussian, [x, y]: Point): number {
  const [xx, xy, yy] = covariance;
  const determinant = xx * yy - xy * xy;
  const [dx, dy] = [x - mean[0], y - mean[1]];
  const distance = (yy * dx * dx - 2 * xy * dx * dy + xx * dy * dy) / determinant;
  return -Math.log(2 * Math.PI) - Math.log(determinant) / 2 - distance / 2;
}

/** Returns KL[p ‖ q] of two densities given by their logarithms at the points of a grid. */
export function klDivergence(logP: Float64Array, logQ: Float64Array, grid: Grid): number {
  let total = 0;
  for (let i = 0; i < logP.length; i++) {
    const p = Math.exp(logP[i]!);
    if (p > 0) total += p * (logP[i]! - logQ[i]!);
  }
  return total * cellArea(grid);
}
