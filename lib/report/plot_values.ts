/**
 * Marks of measured values in a panel: points with intervals, and bars with intervals.
 *
 * @module
 */
import * as Plot from "@observablehq/plot";
import type { Panel } from "./plot.ts";

/** A value with its interval, for example of a score over seeds. */
export interface Estimate {
  /** Place on the horizontal axis: a number, or the name of a group. */
  readonly x: number | string;
  /** The value. */
  readonly y: number;
  /** Ends of the interval; null if there is none. */
  readonly interval: readonly [low: number, high: number] | null;
  /** Single values, drawn as small dots, for example one per seed. */
  readonly values?: readonly number[];
  /** Text beside the point. */
  readonly label?: string;
}

/**
 * Draws estimates of one series over a numeric axis as points with intervals.
 *
 * @param color CSS color of the series.
 * @param join Whether a line joins the points, in order of x.
 */
export function pointMarks(
  estimates: readonly Estimate[],
  color: string,
  { join = false }: { readonly join?: boolean } = {},
): Plot.Markish[] {
  const labeled = estimates.filter(({ label }) => label !== undefined);
  const sorted = estimates.toSorted((a, b) => Number(a.x) - Number(b.x));
  return [
    ...(join ? [Plot.line(sorted, { x: "x", y: "y", stroke: color, strokeWidth: 1.5 })] : []),
    Plot.ruleX(intervalRows(estimates), {
      x: "x",
      y1: "low",
      y2: "high",
      stroke: color,
      strokeWidth: 1.5,
    }),
    Plot.dot(estimates, { x: "x", y: "y", r: 4, fill: color }),
    Plot.dot(singleRows(estimates), { x: "x", y: "dot", ...single }),
    Plot.text(labeled, { x: "x", y: "y", text: "label", dx: 8, textAnchor: "start" }),
  ];
}

/**
 * Draws estimates of one series as bars from zero with intervals. Their `x` are the groups of the
 * panel, see {@linkcode groupedAxes}.
 *
 * @param series Name of the series, its place in a group.
 * @param color CSS color of the series.
 */
export function barMarks(
  estimates: readonly Estimate[],
  series: string,
  color: string,
): Plot.Markish[] {
  const at = { fx: "x", x: () => series } as const;
  return [
    Plot.barY(estimates, { ...at, y: "y", fill: color, fillOpacity: 0.45 }),
    Plot.ruleX(intervalRows(estimates), {
      ...at,
      y1: "low",
      y2: "high",
      stroke: color,
      strokeWidth: 1.5,
    }),
    Plot.dot(estimates, { ...at, y: "y", r: 4, fill: color }),
    Plot.dot(singleRows(estimates), { ...at, y: "dot", ...single }),
  ];
}

/**
 * Returns the horizontal axes of a panel of bars: groups, and in each group one place per series.
 *
 * @param text Formats the name of a group for the axis.
 */
export function groupedAxes(
  groups: readonly string[],
  series: readonly string[],
  { text = String }: { readonly text?: (group: string) => string } = {},
): Pick<Panel, "x" | "groups"> {
  return {
    groups: { label: null, domain: groups, padding: 0.2, tickFormat: text },
    x: { label: null, type: "band", axis: null, domain: series, padding: 0.1 },
  };
}

const single = { r: 1.8, fill: "var(--ink)", fillOpacity: 0.6 };

function intervalRows(estimates: readonly Estimate[]) {
  return estimates.flatMap(({ x, interval }) =>
    interval === null ? [] : [{ x, low: interval[0], high: interval[1] }]
  );
}

function singleRows(estimates: readonly Estimate[]) {
  return estimates.flatMap(({ x, values = [] }) => values.map((dot) => ({ x, dot })));
}
