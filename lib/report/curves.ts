/**
 * Training curves: one small panel per metric over the steps of its stage. A sweep has one line per
 * variant.
 *
 * @module
 */
// @ts-types="@types/d3-scale"
import { scaleLinear, scaleLog } from "d3-scale";
import { axes, type Box, legendEntry, seriesColor } from "./axes.ts";
import { element, label, picture, polyline } from "./svg.ts";

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
  /** Variant, in the policy stage of a sweep. */
  readonly variant?: string;
  /** Steps of the measurements, in increasing order. */
  readonly steps: readonly number[];
  /** For each step, one value per seed. */
  readonly values: readonly (readonly number[])[];
}

/** Largest number of points drawn per curve; longer curves are averaged down to it. */
const resolution = 300;
/** Evaluation metrics that get a panel. */
const drawnFigures: readonly string[] = ["mean_return", "score"];
/** Panels per row. */
const perRow = 3;
/** A positive quantity that spans more than this factor gets a logarithmic axis. */
const logarithmicSpan = 200;

const plane = { width: 260, height: 150 };
const cell = { width: plane.width + 90, height: plane.height + 90 };
const lineColor = "#1f6fd0";
/** Legend entries per row. */
const legendColumns = 3;
/** Height of a legend row in pixels. */
const legendHeight = 18;

/**
 * Extracts the curves from the metrics rows of one run, or of several seeds trained separately.
 * Returns one curve per metric and variant, in order of first appearance. Steps that some seeds
 * lack are omitted.
 */
export function curvesOf(runs: readonly (readonly Measurement[])[]): Curve[] {
  const curves = new Map<string, Pick<Curve, "name" | "variant"> & { steps: Steps }>();
  runs.forEach((rows, run) => {
    for (const { stage, step, seed, variant, metrics, episodes } of rows) {
      for (const [metric, value] of Object.entries(metrics)) {
        if (episodes !== null && !drawnFigures.includes(metric)) continue;
        const name = `${stage}: ${metric}`;
        const key = `${name} ${variant}`;
        const curve = curves.get(key) ??
          { name, ...(variant !== null && { variant }), steps: new Map() };
        curves.set(key, curve);
        const numbers = curve.steps.get(step) ?? new Map();
        curve.steps.set(step, numbers);
        numbers.set(`${run} ${seed}`, value);
      }
    }
  });
  return [...curves.values()].map(({ steps, ...curve }) => {
    const seeds = [...new Set([...steps.values()].flatMap((numbers) => [...numbers.keys()]))];
    const whole = [...steps].filter(([, numbers]) => numbers.size === seeds.length)
      .sort(([a], [b]) => a - b);
    return {
      ...curve,
      steps: whole.map(([step]) => step),
      values: whole.map(([, numbers]) => seeds.map((seed) => numbers.get(seed)!)),
    };
  });
}

/** Values of a metric by step, and within a step by run and seed. */
type Steps = Map<number, Map<string, number>>;

/**
 * Draws curves as one SVG document. The line is the mean over the seeds; the band spans the
 * smallest to the largest value. Curves with the same name share a panel.
 */
export function curvesPicture(title: string, curves: readonly Curve[]): string {
  const seeds = Math.max(1, ...curves.map(({ values }) => values[0]?.length ?? 1));
  const note = seeds === 1 ? "1 seed" : `mean of ${seeds} seeds; the band spans minimum to maximum`;
  const names = [...new Set(curves.map(({ name }) => name))];
  const variants = [
    ...new Set(curves.flatMap(({ variant }) => variant === undefined ? [] : [variant])),
  ];
  const color = (variant: string | undefined) =>
    variant === undefined ? lineColor : seriesColor(variants.indexOf(variant), variants.length);
  const columns = Math.max(1, Math.min(perRow, names.length));
  const width = Math.max(480, columns * cell.width + 20);
  const top = 60 + Math.ceil(variants.length / legendColumns) * legendHeight;
  const legendCell = (width - 40) / legendColumns;
  return picture(
    width,
    Math.ceil(names.length / perRow) * cell.height + top,
    label(20, 28, title, "start", { "font-size": 16, "font-weight": "bold" }),
    label(20, 48, note, "start", { fill: "#666" }),
    ...variants.map((variant, i) =>
      legendEntry(
        20 + (i % legendColumns) * legendCell,
        66 + Math.floor(i / legendColumns) * legendHeight,
        variant,
        color(variant),
      )
    ),
    ...names.map((name, i) =>
      panel(
        curves.filter((curve) => curve.name === name),
        color,
        {
          left: (i % perRow) * cell.width + 72,
          top: Math.floor(i / perRow) * cell.height + top + 32,
          ...plane,
        },
      )
    ),
  );
}

function panel(
  curves: readonly Curve[],
  color: (variant: string | undefined) => string,
  box: Box,
): string {
  const drawn = curves.map((curve) => ({ ...curve, ...averagedDown(curve) }));
  const all = drawn.flatMap(({ values }) => values.flat());
  const [low, high] = [Math.min(...all), Math.max(...all)];
  const last = Math.max(...drawn.map(({ steps }) => steps.at(-1) ?? 1));
  const x = scaleLinear([0, last], [box.left, box.left + box.width]);
  const range = [box.top + box.height, box.top];
  const flat = low === high ? Math.abs(low) || 1 : 0; // margin around a constant curve
  const y = low > 0 && high / low > logarithmicSpan
    ? { scale: scaleLog([low, high], range), name: "", ticks: 4, format: "~g" }
    : { scale: scaleLinear([low - flat, high + flat], range).nice(), name: "", ticks: 4 };
  const lines = drawn.flatMap(({ variant, steps, values }) => {
    const along = (pick: (replicas: readonly number[]) => number) =>
      steps.flatMap((step, i) => [x(step), y.scale(pick(values[i]!))]);
    const upper = along((replicas) => Math.max(...replicas));
    const lower = along((replicas) => Math.min(...replicas));
    const band = [...upper];
    for (let i = lower.length - 2; i >= 0; i -= 2) band.push(lower[i]!, lower[i + 1]!);
    return [
      element("path", { d: polyline(band), fill: color(variant), "fill-opacity": 0.2 }),
      element("path", {
        d: polyline(along(mean)),
        fill: "none",
        stroke: color(variant),
        "stroke-width": 1.5,
        "stroke-linejoin": "round",
      }),
      // A line through a single point would be invisible.
      ...(steps.length === 1
        ? [element("circle", {
          cx: x(steps[0]!),
          cy: y.scale(mean(values[0]!)),
          r: 3,
          fill: color(variant),
        })]
        : []),
    ];
  });
  const { name } = curves[0]!;
  return element("g", {}, ...lines, axes(box, { scale: x, name: "step", ticks: 4 }, y, name));
}

/** Averages neighbouring points, per seed, so that at most `resolution` points remain. */
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
