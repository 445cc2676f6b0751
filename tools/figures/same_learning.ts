/**
 * The scores of this program and of the official code.
 *
 * @module
 */
import * as Plot from "@observablehq/plot";
import { seriesColor } from "../../lib/report/palette.ts";
import type { Figure } from "../../lib/report/plot.ts";
import { barMarks, groupedAxes } from "../../lib/report/plot_values.ts";
import {
  estimateOf,
  intervalNote,
  officialLines,
  type Runs,
  scoreAxis,
  seedsText,
} from "./runs.ts";

/**
 * The scores of this program and of the official code, one dot per seed.
 *
 * @param name The run's folder; `<name>-2`, `<name>-3`, … hold further seeds.
 */
export function sameLearning(runs: Runs, name: string): Figure | null {
  const task = runs.results(name)?.task;
  const official = officialLines(runs.folder).filter((line) => line.task === task);
  const sides = [["AWR", "awr", "srpo/awr"], ["SRPO", "srpo", "srpo"]].map((
    [title, policy, algorithm],
  ) => ({
    title: title!,
    ours: [...runs.scores(name, policy!).get(null) ?? []],
    official: official.filter((line) => line.algorithm === algorithm)
      .map(({ seed, score }) => [seed, score] as [number, number]),
  }));
  if (sides.some(({ ours, official }) => ours.length === 0 || official.length === 0)) return null;
  const programs = ["this program", "official code"];
  const series = programs.map((_, i) =>
    sides.map(({ title, ours, official }) =>
      estimateOf(title, [ours, official][i]!.map(([, score]) => score))
    )
  );
  return {
    title: `This program and the official code on ${task}`,
    notes: [
      intervalNote,
      ...sides.flatMap(({ title, ours, official }) => [
        `${title}, this program: ${seedsText(ours.map(([seed]) => seed))}`,
        `${title}, official code: ${seedsText(official.map(([seed]) => seed))}`,
      ]),
    ],
    legend: programs.map((name, i) => ({ name, color: seriesColor(i, programs.length) })),
    panels: [{
      ...groupedAxes(sides.map(({ title }) => title), programs),
      y: scoreAxis(series.flat(), true),
      marks: [
        Plot.ruleY([0], { stroke: "var(--rule)" }),
        ...series.flatMap((each, i) =>
          barMarks(each, programs[i]!, seriesColor(i, programs.length))
        ),
      ],
    }],
    columns: 1,
    size: [520, 320],
  };
}
