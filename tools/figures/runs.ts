/**
 * What the figures of the documentation share: finished runs, the official code's scores, and
 * estimates over seeds.
 *
 * @module
 */
import { join } from "node:path";
import type { PanelAxis } from "../../lib/report/plot.ts";
import type { Estimate } from "../../lib/report/plot_values.ts";
import { bootstrapInterval } from "../../lib/report/statistics.ts";
import { RunDirectory } from "../../lib/runs/directory.ts";
import { type MetricsRow, readMetrics } from "../../lib/runs/metrics.ts";
import { readResults, type Results } from "../../lib/runs/results.ts";

/** What an interval of a picture is. */
export const intervalNote =
  "mean over the seeds with its 95 % bootstrap interval; one dot per seed";

/** The finished runs of a folder. */
export class Runs {
  readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
  }

  /** Returns the results of a run; null if it is not finished. */
  results(name: string): Results | null {
    const results = readResults(join(this.folder, name, "results.json"));
    return results?.finished ? results : null;
  }

  /** Returns the metrics of a finished run; empty if it is not finished. */
  metrics(name: string): MetricsRow[] {
    if (this.results(name) === null) return [];
    return readMetrics(new RunDirectory(join(this.folder, name)).metrics);
  }

  /**
   * Returns the last scores of an actor by variant, one per seed; empty if there are none. Runs of
   * further seeds are named `<name>-2`, `<name>-3`, ….
   */
  scores(name: string, policy: string): Map<string | null, Map<number, number>> {
    const scores = new Map<string | null, Map<number, number>>();
    for (let part = 1;; part++) {
      const results = this.results(part === 1 ? name : `${name}-${part}`);
      if (results === null) return scores;
      for (const row of results.evaluations) {
        if (row.policy !== policy || row.score === null) continue;
        const seeds = scores.get(row.variant) ?? new Map<number, number>();
        scores.set(row.variant, seeds.set(row.seed, row.score));
      }
    }
  }
}

export const mean = (values: readonly number[]) =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

export function estimateOf(
  x: string | number,
  values: readonly number[],
  label?: string,
): Estimate {
  return {
    x,
    y: mean(values),
    interval: values.length > 1 ? bootstrapInterval(values, mean) : null,
    values,
    ...(label !== undefined && { label }),
  };
}

/** Returns the value axis of scores; bars need zero on it. */
export function scoreAxis(estimates: readonly Estimate[], zero: boolean): PanelAxis {
  const all = estimates.flatMap(({ y, values = [] }) => [y, ...values]);
  const [low, high] = [Math.min(...zero ? [0] : [], ...all), Math.max(...zero ? [0] : [], ...all)];
  return { label: "D4RL score", domain: [low, high], nice: true, ticks: 6 };
}

export function seedsText(seeds: Iterable<number>): string {
  const sorted = [...new Set(seeds)].sort((a, b) => a - b);
  const ranges: [first: number, last: number][] = [];
  for (const seed of sorted) {
    const range = ranges.at(-1);
    if (range?.[1] === seed - 1) range[1] = seed;
    else ranges.push([seed, seed]);
  }
  const text = ([first, last]: [number, number]) =>
    first === last ? `${first}` : `${first}${last - first > 1 ? " to " : ", "}${last}`;
  return `seeds ${ranges.map(text).join(", ")}`;
}

/** One line of `official.jsonl`. */
export interface OfficialLine {
  readonly algorithm: string;
  readonly task: string;
  readonly seed: number;
  readonly score: number;
  readonly seconds?: Readonly<Record<string, number>>;
  readonly steps?: Readonly<Record<string, number>>;
  /** Milliseconds per action. */
  readonly action_ms?: number;
}

export function officialLines(folder: string): OfficialLine[] {
  try {
    return Deno.readTextFileSync(join(folder, "official.jsonl")).split("\n").filter(Boolean)
      .map((line) => JSON.parse(line));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}
