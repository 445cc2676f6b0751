/**
 * Scores of the bandit's policies.
 *
 * @module
 */
import { type Grid, gridPoints } from "./density.ts";
import type { Method } from "./methods.ts";
import { interpolated, type Point, qOf } from "./optimum.ts";
import type { Support } from "./support.ts";

/** Means over actions. */
export interface PolicyScores {
  /** Fraction in the support of the data ({@linkcode Support}). */
  readonly inSupport: number;
  /** Mean of Q. */
  readonly q: number;
  /** Mean of the model's log-density. */
  readonly logDensity: number;
  /**
   * Mean of the best value of Q(a) + log μ(a) / β (Eq. 9) minus that of the action; null for
   * methods whose β belongs to another objective.
   */
  readonly regret: number | null;
}

/** What scores are computed from. */
export interface Judges {
  /** Log-density of the behavior model at the points of the grid. */
  readonly logMu: Float64Array;
  /** The grid. */
  readonly grid: Grid;
  /** Support of the data. */
  readonly support: Support;
}

/** Methods whose β is that of Eq. 8. */
const sharedObjective: readonly Method[] = [
  "score",
  "forwardGaussian",
  "forwardDiffusion",
  "reverseGaussian",
  "reverseVae",
];

/**
 * Returns the scores of a policy's actions.
 *
 * @param set `actions` are `[K m, 2]`: K consecutive rows per target.
 * @param targets `[m, 2]`.
 */
export function scoresOf(
  { method, inverseBeta, actions }: {
    readonly method: Method;
    readonly inverseBeta: number;
    readonly actions: Float32Array;
  },
  targets: Float32Array,
  { logMu, grid, support }: Judges,
): PolicyScores {
  const points = gridPoints(grid);
  const rows = actions.length / 2;
  const perTarget = actions.length / targets.length;
  const sums = { inSupport: 0, q: 0, logDensity: 0, regret: 0 };
  for (let row = 0; row < rows; row++) {
    const place = Math.floor(row / perTarget);
    const target: Point = [targets[2 * place]!, targets[2 * place + 1]!];
    const action: Point = [actions[2 * row]!, actions[2 * row + 1]!];
    const log = interpolated(logMu, grid, action);
    sums.inSupport += Number(support.contains(...action));
    sums.q += qOf(action, target);
    sums.logDensity += log;
    let best = qOf(action, target) + inverseBeta * log;
    const own = best;
    for (let i = 0; i < logMu.length; i++) {
      const value = qOf([points[2 * i]!, points[2 * i + 1]!], target) + inverseBeta * logMu[i]!;
      best = Math.max(best, value);
    }
    sums.regret += best - own;
  }
  return {
    inSupport: sums.inSupport / rows,
    q: sums.q / rows,
    logDensity: sums.logDensity / rows,
    regret: sharedObjective.includes(method) ? sums.regret / rows : null,
  };
}
