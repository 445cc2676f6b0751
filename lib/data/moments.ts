/**
 * Means and standard deviations of observations, for algorithms that normalize states.
 *
 * @module
 */
import type { OfflineDataset } from "./offline_dataset.ts";

/** Mean and standard deviation of each column. */
export interface ColumnMoments {
  /** `[columns]`. */
  readonly mean: Float64Array;
  /** `[columns]`; the population standard deviation. */
  readonly deviation: Float64Array;
}

/** Returns the moments of the observations s of all transitions (s, a, r, s'), in float64. */
export function observationMoments(
  { observations, observationSize: columns, transitions }: Pick<
    OfflineDataset,
    "observations" | "observationSize" | "transitions"
  >,
): ColumnMoments {
  const meanOf = (term: (value: number, column: number) => number) => {
    const sums = new Float64Array(columns);
    for (const row of transitions) {
      for (let i = 0; i < columns; i++) sums[i]! += term(observations[row * columns + i]!, i);
    }
    return sums.map((sum) => sum / transitions.length);
  };
  const mean = meanOf((value) => value);
  const variance = meanOf((value, i) => (value - mean[i]!) ** 2);
  return { mean, deviation: variance.map(Math.sqrt) };
}
