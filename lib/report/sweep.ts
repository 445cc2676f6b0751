/**
 * The chart of a sweep. It shows the results of the variants as lines over a swept number (the
 * paper's Figure 15 for β) or, if no number is swept, as groups of bars (its Figure 8).
 *
 * @module
 */
// @ts-types="@types/d3-scale"
import { scaleLinear, scaleLog } from "d3-scale";
import type { Sweepable } from "../algorithms/algorithm.ts";
import type { HyperparameterValues } from "../algorithms/hyperparameters.ts";
import { axes, type Axis, type Box, legendEntry, seriesColor } from "./axes.ts";
import type { SeedStatistics } from "./statistics.ts";
import { element, label, picture, polyline } from "./svg.ts";

/** One variant and its results. */
export interface SweepPoint extends Pick<SeedStatistics, "values" | "mean" | "std"> {
  /** Values of the sweepable hyperparameters, by name. */
  readonly at: HyperparameterValues;
}

const plane = { left: 72, width: 460, height: 260 };
const legendHeight = 18;

/**
 * Draws a sweep as one SVG document: the mean over the seeds ± one standard deviation, and one dot
 * per seed.
 *
 * @param quantity What the values are, for the axis.
 * @param sweeps The sweepable hyperparameters.
 * @param points At least one variant.
 */
export function sweepPicture(
  title: string,
  quantity: string,
  sweeps: readonly Sweepable[],
  points: readonly SweepPoint[],
): string {
  const swept = sweeps.filter(({ hyperparameter }) =>
    distinct(points.map(({ at }) => at[hyperparameter])).length > 1
  );
  const along = swept.find(({ hyperparameter }) =>
    points.every(({ at }) => typeof at[hyperparameter] === "number")
  );
  // Hyperparameters that are not on the axis distinguish the series. Of a single variant the last
  // list names it.
  const grouped = along ?? swept[0] ?? sweeps[sweeps.length - 1]!;
  const textOf = (sweep: Sweepable, { at }: SweepPoint) => sweep.text(at[sweep.hyperparameter]!);
  const groupOf = (point: SweepPoint) => textOf(grouped, point);
  const seriesOf = (point: SweepPoint) =>
    swept.filter((sweep) => sweep !== grouped).map((sweep) => textOf(sweep, point)).join(", ");
  const series = distinct(points.map(seriesOf));
  const named = series.length > 1 ? series : [];
  const box: Box = { ...plane, top: 92 + named.length * legendHeight };
  const y = valueAxis(points, quantity, box, along ? [] : [0]);
  const of = (name: string) => points.filter((point) => seriesOf(point) === name);
  const parts = along
    ? overNumbers(along, series.map(of), y, box)
    : inGroups(distinct(points.map(groupOf)), series.map(of), groupOf, y, box);
  const seeds = Math.max(...points.map(({ values }) => values.length));
  const note = seeds === 1
    ? "1 seed"
    : `mean of ${seeds} seeds ± standard deviation; one dot per seed`;
  return picture(
    plane.left + plane.width + 40,
    box.top + box.height + 60,
    label(20, 28, title, "start", { "font-size": 16, "font-weight": "bold" }),
    label(20, 48, note, "start", { fill: "#666" }),
    ...named.map((name, i) =>
      legendEntry(20, 66 + i * legendHeight, name, seriesColor(i, series.length))
    ),
    ...parts,
  );
}

function overNumbers(
  { hyperparameter, symbol }: Sweepable,
  series: readonly (readonly SweepPoint[])[],
  y: Axis,
  box: Box,
): string[] {
  const numberOf = ({ at }: SweepPoint) => Number(at[hyperparameter]);
  const numbers = distinct(series.flat().map(numberOf)).sort((a, b) => a - b);
  const margin = 24;
  const range = [box.left + margin, box.left + box.width - margin];
  const domain = [numbers[0]!, numbers.at(-1)!];
  const scale = numbers[0]! > 0 ? scaleLog(domain, range) : scaleLinear(domain, range);
  const marks = series.flatMap((points, i) => {
    const color = seriesColor(i, series.length);
    const sorted = points.toSorted((a, b) => numberOf(a) - numberOf(b));
    const line = sorted.flatMap((point) => [scale(numberOf(point)), y.scale(point.mean)]);
    return [
      element("path", { d: polyline(line), fill: "none", stroke: color, "stroke-width": 1.5 }),
      ...sorted.map((point) => spread(scale(numberOf(point)), point, y, color)),
    ];
  });
  const bottom = box.top + box.height;
  const ticks = numbers.map((number) =>
    label(scale(number), bottom + 17, String(number), "middle", tick)
  );
  return [...marks, ...ticks, axes(box, { scale, name: symbol, ticks: 0 }, y, "")];
}

function inGroups(
  groups: readonly string[],
  series: readonly (readonly SweepPoint[])[],
  groupOf: (point: SweepPoint) => string,
  y: Axis,
  box: Box,
): string[] {
  const scale = scaleLinear([0, groups.length], [box.left, box.left + box.width]);
  const width = (0.7 * box.width) / groups.length / series.length;
  const zero = y.scale(0);
  const marks = series.flatMap((points, i) => {
    const color = seriesColor(i, series.length);
    return points.map((point) => {
      const center = scale(groups.indexOf(groupOf(point)) + 0.5) +
        (i - (series.length - 1) / 2) * width;
      const top = y.scale(point.mean);
      return element(
        "g",
        {},
        element("rect", {
          x: center - 0.45 * width,
          y: Math.min(top, zero),
          width: 0.9 * width,
          height: Math.abs(top - zero),
          fill: color,
          "fill-opacity": 0.35,
        }),
        spread(center, point, y, color),
      );
    });
  });
  const bottom = box.top + box.height;
  const names = groups.map((group, i) => label(scale(i + 0.5), bottom + 17, group, "middle", tick));
  return [...marks, ...names, axes(box, { scale, name: "", ticks: 0 }, y, "")];
}

const tick = { "font-size": 11 };

/** Draws the mean ± standard deviation as a bar with a dot, and a small dot per seed. */
function spread(x: number, { values, mean, std }: SweepPoint, y: Axis, color: string): string {
  const whisker = polyline([x, y.scale(mean - std), x, y.scale(mean + std)]);
  return element(
    "g",
    {},
    element("path", { d: whisker, stroke: color, "stroke-width": 1.5 }),
    element("circle", { cx: x, cy: y.scale(mean), r: 4, fill: color }),
    ...(values.length > 1 ? values : []).map((value) =>
      element("circle", { cx: x, cy: y.scale(value), r: 1.8, fill: "#222", "fill-opacity": 0.6 })
    ),
  );
}

/** Returns the value axis. It also includes the values `shown`, because bars need zero. */
function valueAxis(
  points: readonly SweepPoint[],
  name: string,
  box: Box,
  shown: readonly number[],
): Axis {
  const all = points.flatMap(({ values, mean, std }) => [...values, mean - std, mean + std]);
  const [low, high] = [Math.min(...shown, ...all), Math.max(...shown, ...all)];
  const flat = low === high ? 1 : 0; // margin around values that are all equal
  const range = [box.top + box.height, box.top];
  return { scale: scaleLinear([low - flat, high + flat], range).nice(), name, ticks: 6 };
}

function distinct<T>(values: readonly T[]): T[] {
  return [...new Set(values)];
}
