/**
 * The optimum of Eq. 1, π*(a) ∝ μ(a) exp(β Q(a)), on a grid.
 *
 * @module
 */
import { cellArea, type Grid, gridPoints } from "./density.ts";

/** A point of the plane. */
export type Point = readonly [x: number, y: number];

/** Returns Q(a) = −|a − target|². */
export function qOf([x, y]: Point, [targetX, targetY]: Point): number {
  return -((x - targetX) ** 2) - (y - targetY) ** 2;
}

/**
 * Returns the log-density of Eq. 1's optimum at the points of a grid, which is normalized there.
 */
export function logOptimum(
  logMu: ArrayLike<number>,
  grid: Grid,
  target: Point,
  beta: number,
): Float64Array {
  const points = gridPoints(grid);
  return normalized(
    Float64Array.from(
      logMu,
      (log, i) => log + beta * qOf([points[2 * i]!, points[2 * i + 1]!], target),
    ),
    grid,
  );
}

/** Returns log-densities minus the logarithm of their integral over the grid. */
export function normalized(logs: Float64Array, grid: Grid): Float64Array {
  const largest = logs.reduce((a, b) => Math.max(a, b), -Infinity);
  const sum = logs.reduce((total, log) => total + Math.exp(log - largest), 0);
  const logIntegral = largest + Math.log(sum * cellArea(grid));
  return logs.map((log) => log - logIntegral);
}

/**
 * Interpolates values at the points of a grid linearly along both axes. Outside the outermost
 * points it extends the nearest cells.
 */
export function interpolated(
  values: ArrayLike<number>,
  { half, cells }: Grid,
  [x, y]: Point,
): number {
  const side = 2 * half / cells;
  const place = (v: number) => {
    const at = (v + half) / side - 0.5;
    const low = Math.max(0, Math.min(cells - 2, Math.floor(at)));
    return { low, share: at - low };
  };
  const [column, row] = [place(x), place(y)];
  const value = (r: number, c: number) => values[r * cells + c]!;
  const along = (r: number) =>
    value(r, column.low) * (1 - column.share) + value(r, column.low + 1) * column.share;
  return along(row.low) * (1 - row.share) + along(row.low + 1) * row.share;
}
