/**
 * Statistics over seeds: mean and deviation, and the interquartile mean with a bootstrap interval, as
 * Agarwal et al., "Deep Reinforcement Learning at the Edge of the Statistical Precipice" (2021),
 * recommend for few runs: less led by outliers than the mean, and less wasteful than the median.
 *
 * @module
 */
import { distributionOf } from "../data/summary.ts";
import { RandomStream } from "../envs/random.ts";

/** Resamples of a bootstrap interval, as many as the authors' own library takes by default. */
export const bootstrapResamples = 2000;

/** Share of the bootstrap distribution that an interval holds. */
const confidence = 0.95;

/** What the values of several seeds say. */
export interface SeedStatistics {
  /** One value for each seed. */
  readonly values: readonly number[];
  /** Mean. */
  readonly mean: number;
  /** Standard deviation of the values as they are, not of a sample. */
  readonly std: number;
  /** Mean of the middle half, {@linkcode interquartileMean}. */
  readonly interquartileMean: number;
  /** 95 % interval of the interquartile mean; null of a single seed. */
  readonly interval: readonly [low: number, high: number] | null;
}

/** The statistics of at least one value. */
export function statisticsOf(values: readonly number[]): SeedStatistics {
  const distribution = distributionOf(values);
  if (distribution === null) {
    throw new Error("statisticsOf: at least one value is needed, got none");
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
 * Mean of the middle half: a quarter of the values, rounded down to whole ones, is left out at either
 * end.
 */
export function interquartileMean(values: readonly number[]): number {
  const cut = Math.floor(values.length / 4);
  const middle = values.toSorted((a, b) => a - b).slice(cut, values.length - cut);
  return middle.reduce((sum, value) => sum + value, 0) / middle.length;
}

/**
 * Percentile bootstrap interval (95 %) of a statistic: it is computed on resamples of the values, as
 * many with replacement as there are. The resamples are always the same ones for a number of values.
 */
export function bootstrapInterval(
  values: readonly number[],
  statistic: (values: readonly number[]) => number,
): [low: number, high: number] {
  const random = new RandomStream(0);
  const found = Array.from(
    { length: bootstrapResamples },
    () => statistic(values.map(() => random.choice(values))),
  ).sort((a, b) => a - b);
  const quantile = (share: number) => {
    const place = share * (found.length - 1);
    const below = found[Math.floor(place)]!;
    return below + (place % 1) * (found[Math.ceil(place)]! - below);
  };
  return [quantile((1 - confidence) / 2), quantile((1 + confidence) / 2)];
}
