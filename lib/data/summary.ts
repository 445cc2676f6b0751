/**
 * Summary statistics of a data set: episodes, returns, rewards.
 *
 * @module
 */
import type { OfflineDataset } from "./dataset.ts";

/** Summary statistics of a list of values. */
export interface Distribution {
  /** Number of values. */
  readonly count: number;
  /** Mean. */
  readonly mean: number;
  /** Population standard deviation. */
  readonly std: number;
  /** Smallest value. */
  readonly min: number;
  /** First quartile, linearly interpolated. */
  readonly q25: number;
  /** Median, linearly interpolated. */
  readonly median: number;
  /** Third quartile, linearly interpolated. */
  readonly q75: number;
  /** Largest value. */
  readonly max: number;
}

/** One episode of a data set. */
export interface Episode {
  /** First row. */
  readonly begin: number;
  /** Row after the last one. */
  readonly end: number;
  /** How the episode ends; `cut` if the data end first. */
  readonly ending: "terminal" | "timeout" | "cut";
  /** Sum of the rewards. */
  readonly return: number;
}

/** Returns the episodes of a data set. They end at a terminal, at a timeout, or with the data. */
export function episodesOf(dataset: OfflineDataset): Episode[] {
  const { rewards, terminals, timeouts, rows } = dataset;
  const episodes: Episode[] = [];
  let begin = 0;
  let sum = 0;
  for (let row = 0; row < rows; row++) {
    sum += rewards[row]!;
    const flagged = terminals[row] !== 0 || timeouts[row] !== 0;
    if (!flagged && row < rows - 1) continue;
    const ending = terminals[row] !== 0 ? "terminal" : flagged ? "timeout" : "cut";
    episodes.push({ begin, end: row + 1, ending, return: sum });
    begin = row + 1;
    sum = 0;
  }
  return episodes;
}

/** Returns the distribution of `values`, or null if there are none. */
export function distributionOf(values: ArrayLike<number>): Distribution | null {
  const sorted = Float64Array.from(values).sort();
  const count = sorted.length;
  if (count === 0) return null;
  const mean = sorted.reduce((sum, value) => sum + value, 0) / count;
  const variance = sorted.reduce((sum, value) => sum + (value - mean) ** 2, 0) / count;
  const quantile = (share: number) => {
    const place = share * (count - 1);
    const below = sorted[Math.floor(place)]!;
    return below + (place % 1) * (sorted[Math.ceil(place)]! - below);
  };
  return {
    count,
    mean,
    std: Math.sqrt(variance),
    min: sorted[0]!,
    q25: quantile(0.25),
    median: quantile(0.5),
    q75: quantile(0.75),
    max: sorted[count - 1]!,
  };
}

/** One bin of a histogram. */
export interface Bin {
  /** Lower end of the bin, inclusive. */
  readonly from: number;
  /** Upper end of the bin, exclusive except in the last bin. */
  readonly to: number;
  /** Number of values in the bin. */
  readonly count: number;
}

/** Sorts `values` into `bins` bins of equal width, or a single bin if all values are equal. */
export function histogramOf(values: readonly number[], bins: number): Bin[] {
  const min = values.reduce((least, value) => Math.min(least, value), Infinity);
  const max = values.reduce((most, value) => Math.max(most, value), -Infinity);
  if (!Number.isFinite(max - min)) return [];
  if (min === max) return [{ from: min, to: max, count: values.length }];
  const width = (max - min) / bins;
  const counts = new Array<number>(bins).fill(0);
  for (const value of values) {
    const bin = Math.min(bins - 1, Math.floor((value - min) / width));
    counts[bin] = counts[bin]! + 1;
  }
  return counts.map((count, bin) => ({
    from: min + bin * width,
    to: bin === bins - 1 ? max : min + (bin + 1) * width,
    count,
  }));
}
