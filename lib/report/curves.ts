/**
 * Training curves: one small panel per metric over the steps of its stage. The variants of a sweep,
 * and runs that are compared, share the panels.
 *
 * @module
 */
import * as Plot from "@observablehq/plot";
import { seriesColor } from "./palette.ts";
import type { Figure, Panel } from "./plot.ts";

/** The metrics of one seed and variant at one step, as in a row of `metrics.jsonl`. */
export interface Measurement {
  /** Stage of the run. */
  readonly stage: string;
  /** Completed steps of the stage. */
  readonly step: number;
  /** Random seed. */
  readonly seed: number;
  /** Name of the sweep's variant, or null. */
  readonly variant: string | null;
  /** Metrics by name. */
  readonly metrics: Readonly<Record<string, number>>;
  /** The episodes of an evaluation; null for losses. */
  readonly episodes: readonly unknown[] | null;
}

/** One metric over the steps of a stage. */
export interface Curve {
  /** Stage and metric, for example `critic: q_loss`. */
  readonly name: string;
  /** Variant of a sweep, or name of a run that is compared with others. */
  readonly series?: string;
  /** Seeds, in the order of the values. */
  readonly seeds: readonly number[];
  /** Steps of the measurements, in increasing order. */
  readonly steps: readonly number[];
  /** For each step, one value per seed. */
  readonly values: readonly (readonly number[])[];
}

/** Largest number of points drawn per curve; longer curves are averaged down to it. */
const resolution = 300;
/** Evaluation metrics that get a panel. */
const drawnFigures: readonly string[] = ["mean_return", "score"];
/** A positive quantity that spans more than this factor gets a logarithmic axis. */
const logarithmicSpan = 200;

/**
 * Extracts the curves from the metrics rows of one run, or of several seeds trained separately.
 * Returns one curve per metric and variant, in order of first appearance. Steps that some seeds
 * lack are omitted.
 *
 * @param of Name of the run, if its curves are drawn beside those of other runs.
 */
export function curvesOf(runs: readonly (readonly Measurement[])[], of?: string): Curve[] {
  const curves = new Map<string, Pick<Curve, "name" | "series"> & { steps: Steps }>();
  runs.forEach((rows, run) => {
    for (const { stage, step, seed, variant, metrics, episodes } of rows) {
      const series = [of, variant ?? undefined].filter((each) => each !== undefined).join(" ");
      for (const [metric, value] of Object.entries(metrics)) {
        if (episodes !== null && !drawnFigures.includes(metric)) continue;
        const name = `${stage}: ${metric}`;
        const key = `${name} ${series}`;
        const curve = curves.get(key) ??
          { name, ...(series !== "" && { series }), steps: new Map() };
        curves.set(key, curve);
        const numbers = curve.steps.get(step) ?? new Map();
        curve.steps.set(step, numbers);
        numbers.set(`${run} ${seed}`, value);
      }
    }
  });
  return [...curves.values()].map(({ steps, ...curve }) => {
    const replicas = [...new Set([...steps.values()].flatMap((numbers) => [...numbers.keys()]))];
    const whole = [...steps].filter(([, numbers]) => numbers.size === replicas.length)
      .sort(([a], [b]) => a - b);
    return {
      ...curve,
      seeds: replicas.map((replica) => Number(replica.split(" ")[1])),
      steps: whole.map(([step]) => step),
      values: whole.map(([, numbers]) => replicas.map((replica) => numbers.get(replica)!)),
    };
  });
}

/** Values of a metric by step, and within a step by run and seed. */
type Steps = Map<number, Map<string, number>>;

/**
 * Returns the figure of curves. The line is the mean over the seeds; the band spans the smallest to
 * the largest value. Curves with the same name share a panel.
 */
export function curvesFigure(title: string, curves: readonly Curve[]): Figure {
  const names = [...new Set(curves.map(({ name }) => name))];
  const series = [...new Set(curves.flatMap(({ series }) => series === undefined ? [] : [series]))];
  const color = (name: string | undefined) =>
    name === undefined ? seriesColor(0, 1) : seriesColor(series.indexOf(name), series.length);
  return {
    title,
    notes: [seedsNote(curves)],
    legend: series.map((name) => ({ name, color: color(name) })),
    panels: names.map((name) => panel(curves.filter((curve) => curve.name === name), color)),
    columns: 3,
  };
}

/** Says over which seeds the curves are. */
function seedsNote(curves: readonly Curve[]): string {
  const lists = [...new Set(curves.map(({ seeds }) => seeds.join(", ")))];
  const most = Math.max(1, ...curves.map(({ seeds }) => seeds.length));
  const named = `${most === 1 ? "seed" : "seeds"} ${lists.join(" or ") || "none"}`;
  return most === 1 ? named : `mean over ${named}; the band spans minimum to maximum`;
}

/** Formats a number of steps as `500`, `20K` or `1.5M`. */
const { format: stepText } = new Intl.NumberFormat("en-US", {
  notation: "compact",
  maximumFractionDigits: 1,
});

function panel(
  curves: readonly Curve[],
  color: (series: string | undefined) => string,
): Panel {
  const drawn = curves.map((curve) => ({ ...curve, ...averagedDown(curve) }));
  // A sweep may have more values than a call can have arguments.
  const all = drawn.flatMap(({ values }) => values.flat());
  const low = all.reduce((a, b) => Math.min(a, b), Infinity);
  const high = all.reduce((a, b) => Math.max(a, b), -Infinity);
  const last = Math.max(...drawn.map(({ steps }) => steps.at(-1) ?? 1));
  const flat = low === high ? Math.abs(low) || 1 : 0; // margin around a constant curve
  return {
    x: { label: "step", domain: [0, last], ticks: 4, tickFormat: stepText },
    y: low > 0 && high / low > logarithmicSpan
      ? { label: curves[0]!.name, type: "log", domain: [low, high], ticks: 4, tickFormat: "~g" }
      : { label: curves[0]!.name, domain: [low - flat, high + flat], nice: true, ticks: 4 },
    marks: drawn.flatMap(({ series, seeds, steps, values }) => {
      const rows = steps.map((step, i) => ({
        step,
        mean: mean(values[i]!),
        low: Math.min(...values[i]!),
        high: Math.max(...values[i]!),
      }));
      const stroke = color(series);
      return [
        ...(seeds.length > 1
          ? [Plot.areaY(rows, { x: "step", y1: "low", y2: "high", fill: stroke, fillOpacity: 0.2 })]
          : []),
        // A line through a single point would be invisible.
        rows.length === 1
          ? Plot.dot(rows, { x: "step", y: "mean", r: 3, fill: stroke })
          : Plot.lineY(rows, { x: "step", y: "mean", stroke, strokeWidth: 1.5 }),
      ];
    }),
  };
}

/** Averages neighboring points, per seed, so that at most `resolution` points remain. */
function averagedDown({ steps, values }: Curve): Pick<Curve, "steps" | "values"> {
  const size = Math.ceil(steps.length / resolution);
  if (size <= 1) return { steps, values };
  const starts = Array.from({ length: Math.ceil(steps.length / size) }, (_, i) => i * size);
  return {
    steps: starts.map((start) => mean(steps.slice(start, start + size))),
    values: starts.map((start) => {
      const run = values.slice(start, start + size);
      return run[0]!.map((_, seed) => mean(run.map((replicas) => replicas[seed]!)));
    }),
  };
}

function mean(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0) / numbers.length;
}
