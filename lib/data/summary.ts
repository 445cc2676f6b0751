/**
 * What is in a data set, in numbers: episodes, returns, rewards, flags.
 *
 * @module
 */
import type { OfflineDataset } from "./dataset.ts";

/** How values are distributed. */
export interface Distribution {
  /** How many there are. */
  readonly count: number;
  /** Mean. */
  readonly mean: number;
  /** Standard deviation of the values as they are (not of a sample). */
  readonly std: number;
  /** Smallest value. */
  readonly min: number;
  /** First quartile, interpolated like the others. */
  readonly q25: number;
  /** Second quartile. */
  readonly median: number;
  /** Third quartile. */
  readonly q75: number;
  /** Largest value. */
  readonly max: number;
}

/** One episode of a data set. */
export interface Episode {
  /** Its first row. */
  readonly begin: number;
  /** The row after its last. */
  readonly end: number;
  /** How it ends; `cut` where the data end before it does. */
  readonly ending: "terminal" | "timeout" | "cut";
  /** Sum of its rewards. */
  readonly return: number;
}

/** The episodes of a data set: they end at a terminal, at a timeout, or with the data. */
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

/** The distribution of `values`; null where there are none. */
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

/** One bar of a histogram. */
export interface Bin {
  /** Smallest value that falls into it. */
  readonly from: number;
  /** Values below it fall into it; in the last bin the value itself does too. */
  readonly to: number;
  /** How many values do. */
  readonly count: number;
}

/** `values` in `bins` bins of one width; a single bin where they are all the same. */
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
