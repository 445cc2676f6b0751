/**
 * Statistics over seeds: mean, standard deviation, and the interquartile mean with a bootstrap
 * confidence interval. Agarwal et al., "Deep Reinforcement Learning at the Edge of the Statistical
 * Precipice" (2021), recommend the interquartile mean for few runs: it is less sensitive to
 * outliers than the mean and more statistically efficient than the median.
 *
 * @module
 */
import { distributionOf } from "../data/summary.ts";
import { RandomStream } from "../envs/random.ts";

/** Number of bootstrap resamples. */
export const bootstrapResamples = 2000;

/** Confidence level of the bootstrap interval. */
const confidence = 0.95;

/** Statistics of the values of several seeds. */
export interface SeedStatistics {
  /** One value per seed. */
  readonly values: readonly number[];
  /** Mean. */
  readonly mean: number;
  /** Population standard deviation (divides by n). */
  readonly std: number;
  /** Mean of the middle half, see {@linkcode interquartileMean}. */
  readonly interquartileMean: number;
  /** 95 % confidence interval of the interquartile mean; null for a single seed. */
  readonly interval: readonly [low: number, high: number] | null;
}

/** Returns the statistics of one or more values. */
export function statisticsOf(values: readonly number[]): SeedStatistics {
  const distribution = distributionOf(values);
  if (distribution === null) {
    throw new Error("statisticsOf: needs at least one value, got none");
  }
  const { mean, std } = distribution;
  return {
    values,
    mean,
    std,
    interquartileMean: interquartileMean(values),
    interval: values.length > 1 ? bootstrapInterval(values, interquartileMean) : null,
  };
}

/**
 * Returns the mean of the middle half. A quarter of the values, rounded down, is dropped at each
 * end.
 */
export function interquartileMean(values: readonly number[]): number {
  const cut = Math.floor(values.length / 4);
  const middle = values.toSorted((a, b) => a - b).slice(cut, values.length - cut);
  return middle.reduce((sum, value) => sum + value, 0) / middle.length;
}

/**
 * Returns the 95 % percentile bootstrap interval of a statistic. Each resample draws
 * `values.length` values with replacement. The random numbers are seeded, so the result is
 * deterministic.
 */
export function bootstrapInterval(
  values: readonly number[],
  statistic: (values: readonly number[]) => number,
): [low: number, high: number] {
  const random = new RandomStream(0);
  return percentileInterval(() => statistic(resample(values, random)));
}

/**
 * Returns the 95 % percentile bootstrap interval of mean(a) − mean(b) for two independent samples.
 * Each resample draws from both sides. The random numbers are seeded, so the result is
 * deterministic.
 */
export function bootstrapDifference(
  a: readonly number[],
  b: readonly number[],
): [low: number, high: number] {
  const random = new RandomStream(0);
  return percentileInterval(() =>
    distributionOf(resample(a, random))!.mean - distributionOf(resample(b, random))!.mean
  );
}

/**
 * Returns Spearman's rank correlation of pairs (x, y), with the 95 % percentile bootstrap interval
 * over resampled pairs. Equal values share the mean of their ranks. The random numbers are seeded,
 * so the result is deterministic. Resamples in which all x or all y are equal are drawn again.
 *
 * @param pairs Three or more, not all with the same x or the same y.
 */
export function rankCorrelation(
  pairs: readonly (readonly [x: number, y: number])[],
): { readonly correlation: number; readonly interval: readonly [low: number, high: number] } {
  const correlation = spearman(pairs);
  if (pairs.length < 3 || Number.isNaN(correlation)) {
    throw new Error("rankCorrelation: needs three or more pairs, with different x and different y");
  }
  const random = new RandomStream(0);
  const interval = percentileInterval(() => {
    for (;;) {
      const drawn = spearman(pairs.map(() => random.choice(pairs)));
      if (!Number.isNaN(drawn)) return drawn;
    }
  });
  return { correlation, interval };
}

/** Pearson's correlation of the ranks; NaN if all x or all y are equal. */
function spearman(pairs: readonly (readonly [x: number, y: number])[]): number {
  const x = ranksOf(pairs.map(([value]) => value));
  const y = ranksOf(pairs.map(([, value]) => value));
  const middle = (pairs.length + 1) / 2;
  let [xy, xx, yy] = [0, 0, 0];
  x.forEach((rank, i) => {
    xy += (rank - middle) * (y[i]! - middle);
    xx += (rank - middle) ** 2;
    yy += (y[i]! - middle) ** 2;
  });
  return xy / Math.sqrt(xx * yy);
}

/** Ranks from 1; equal values share the mean of theirs. */
function ranksOf(values: readonly number[]): number[] {
  return values.map((value) => {
    const below = values.filter((other) => other < value).length;
    const equal = values.filter((other) => other === value).length;
    return below + (equal + 1) / 2;
  });
}

function resample(values: readonly number[], random: RandomStream): number[] {
  return values.map(() => random.choice(values));
}

function percentileInterval(draw: () => number): [low: number, high: number] {
  const found = Array.from({ length: bootstrapResamples }, draw).sort((a, b) => a - b);
  const quantile = (share: number) => {
    const place = share * (found.length - 1);
    const below = found[Math.floor(place)]!;
    return below + (place % 1) * (found[Math.ceil(place)]! - below);
  };
  return [quantile((1 - confidence) / 2), quantile((1 + confidence) / 2)];
}
