/**
 * The chart of a sweep. It shows the results of the variants as lines over a swept number (the
 * paper's Figure 15 for β) or, if no number is swept, as groups of bars (its Figure 8).
 *
 * @module
 */
import * as Plot from "@observablehq/plot";
import type { Sweepable } from "../algorithms/algorithm.ts";
import type { HyperparameterValues } from "../algorithms/hyperparameters.ts";
import { seriesColor } from "./palette.ts";
import type { Figure, Panel, PanelAxis } from "./plot.ts";
import { barMarks, type Estimate, groupedAxes, pointMarks } from "./plot_values.ts";
import type { SeedStatistics } from "./statistics.ts";

/** One variant and its results. */
export interface SweepPoint extends Pick<SeedStatistics, "values" | "mean" | "std"> {
  /** Values of the sweepable hyperparameters, by name. */
  readonly at: HyperparameterValues;
  /** Seeds, in the order of the values. */
  readonly seeds: readonly number[];
}

const height = 340;
const smallestWidth = 580;
/** Pixels per group of bars, for its name. */
const groupWidth = 122;

/**
 * Returns the figure of a sweep: the mean over the seeds ± one standard deviation, and one dot per
 * seed.
 *
 * @param quantity What the values are, for the axis.
 * @param sweeps The sweepable hyperparameters.
 * @param points At least one variant.
 */
export function sweepFigure(
  title: string,
  quantity: string,
  sweeps: readonly Sweepable[],
  points: readonly SweepPoint[],
): Figure {
  const swept = sweeps.filter(({ hyperparameter }) =>
    distinct(points.map(({ at }) => at[hyperparameter])).length > 1
  );
  // Lists that apply only to some variants name those variants and have no axis of their own.
  const everywhere = swept.filter(({ only }) =>
    only === undefined || points.every(({ at }) => only.holds(at))
  );
  const partial = swept.filter((sweep) => !everywhere.includes(sweep));
  const along = everywhere.find(({ hyperparameter }) =>
    points.every(({ at }) => typeof at[hyperparameter] === "number")
  );
  // Hyperparameters that are not on the axis distinguish the series. Of a single variant the last
  // list names it.
  const named = everywhere.find((sweep) => sweep !== along);
  const grouped = along ?? everywhere[0] ?? sweeps[sweeps.length - 1]!;
  const textOf = (sweep: Sweepable, { at }: SweepPoint) =>
    [sweep, ...sweep === named ? partial.filter(({ only }) => only!.holds(at)) : []]
      .map(({ hyperparameter, text }) => text(at[hyperparameter]!)).join(", ");
  const seriesOf = (point: SweepPoint) =>
    everywhere.filter((sweep) => sweep !== grouped).map((sweep) => textOf(sweep, point)).join(", ");
  const series = distinct(points.map(seriesOf));
  const of = (name: string) => points.filter((point) => seriesOf(point) === name);
  const seeds = points.reduce((a, b) => b.seeds.length > a.seeds.length ? b : a).seeds;
  const y = valueAxis(points, quantity, along ? [] : [0]);
  return {
    title,
    notes: [
      seeds.length === 1
        ? `seed ${seeds.join()}`
        : `mean over seeds ${seeds.join(", ")} ± standard deviation; one dot per seed`,
    ],
    legend: series.length > 1
      ? series.map((name, i) => ({ name, color: seriesColor(i, series.length) }))
      : [],
    panels: [
      along
        ? overNumbers(along, series.map(of), y)
        : inGroups(series, series.map(of), (point) => textOf(grouped, point), y),
    ],
    columns: 1,
    size: [
      along ? smallestWidth : Math.max(
        smallestWidth,
        groupWidth * distinct(points.map((point) => textOf(grouped, point))).length,
      ),
      height,
    ],
  };
}

function overNumbers(
  { hyperparameter, symbol }: Sweepable,
  series: readonly (readonly SweepPoint[])[],
  y: PanelAxis,
): Panel {
  const numberOf = ({ at }: SweepPoint) => Number(at[hyperparameter]);
  const numbers = distinct(series.flat().map(numberOf)).sort((a, b) => a - b);
  return {
    x: {
      label: symbol,
      type: numbers[0]! > 0 ? "log" : "linear",
      ticks: numbers,
      tickFormat: String,
      inset: 24,
    },
    y,
    marks: series.flatMap((points, i) =>
      pointMarks(
        points.map((point) => estimate(numberOf(point), point)),
        seriesColor(i, series.length),
        { join: true },
      )
    ),
  };
}

function inGroups(
  names: readonly string[],
  series: readonly (readonly SweepPoint[])[],
  groupOf: (point: SweepPoint) => string,
  y: PanelAxis,
): Panel {
  return {
    ...groupedAxes(distinct(series.flat().map(groupOf)), names),
    y,
    marks: [
      Plot.ruleY([0], { stroke: "var(--rule)" }),
      ...series.flatMap((points, i) =>
        barMarks(
          points.map((point) => estimate(groupOf(point), point)),
          names[i]!,
          seriesColor(i, series.length),
        )
      ),
    ],
  };
}

function estimate(x: Estimate["x"], { mean, std, values }: SweepPoint): Estimate {
  return {
    x,
    y: mean,
    interval: [mean - std, mean + std],
    values: values.length > 1 ? values : [],
  };
}

/** Returns the value axis. It also includes the values `shown`, because bars need zero. */
function valueAxis(
  points: readonly SweepPoint[],
  label: string,
  shown: readonly number[],
): PanelAxis {
  const all = points.flatMap(({ values, mean, std }) => [...values, mean - std, mean + std]);
  const [low, high] = [Math.min(...shown, ...all), Math.max(...shown, ...all)];
  const flat = low === high ? 1 : 0; // margin around values that are all equal
  return { label, domain: [low - flat, high + flat], nice: true, ticks: 6 };
}

function distinct<T>(values: readonly T[]): T[] {
  return [...new Set(values)];
}
