/**
 * Figures 8, 14 and 15: ablations of the policy stage.
 *
 * @module
 */
import * as Plot from "@observablehq/plot";
import { join } from "node:path";
import { defaultAlgorithm } from "../../lib/algorithms/registry.ts";
import { seriesColor } from "../../lib/report/palette.ts";
import type { Figure } from "../../lib/report/plot.ts";
import { barMarks, groupedAxes } from "../../lib/report/plot_values.ts";
import { sweepFigure, type SweepPoint } from "../../lib/report/sweep.ts";
import { RunDirectory } from "../../lib/runs/directory.ts";
import { estimateOf, intervalNote, type Runs, scoreAxis, seedsText } from "./runs.ts";

/** Figures 8 and 15: the sweeps of ω(t), of the baseline and of β. */
export function sweep(runs: Runs, name: string, title: string): Figure | null {
  const results = runs.results(name);
  if (results === null) return null;
  const points = results.statistics.flatMap((found): SweepPoint[] => {
    if (found.variant === null) return [];
    const folder = join(runs.folder, name, `seed-${found.seeds[0]}-${found.variant}`);
    const { hyperparameters } = new RunDirectory(folder).readConfig();
    return [{ ...found, at: hyperparameters as SweepPoint["at"] }];
  });
  if (points.length === 0) return null;
  return sweepFigure(title, "D4RL score", defaultAlgorithm.sweeps, points);
}

/** Figure 14: the depth of the policy, and β with and without the norm. */
export function figure14(runs: Runs): Figure | null {
  const groups = new Map<string, Map<number, number>>();
  const add = (name: string, run: string, variant: string | null = null) => {
    const found = runs.scores(run, "srpo").get(variant);
    if (found !== undefined) groups.set(name, found);
  };
  add("4 layers, β_norm", "baseline", "baseline-true"); // the default, with as many episodes
  add("2 layers, β_norm", "layers");
  for (const [variant, seeds] of runs.scores("plain-beta", "srpo")) {
    groups.set(`4 layers, ${variant?.replace("beta-", "β = ")}`, seeds);
  }
  return groups.size < 2
    ? null
    : bars("Figure 14 on maze2d-umaze: layers of the policy, and β_norm", groups);
}

/** A figure of bars, one per group of scores; null if there are none. */
function bars(title: string, groups: ReadonlyMap<string, ReadonlyMap<number, number>>) {
  if (groups.size === 0) return null;
  const estimates = [...groups].map(([name, seeds]) => estimateOf(name, [...seeds.values()]));
  const seeds = [...groups.values()].flatMap((each) => [...each.keys()]);
  return {
    title,
    notes: [`${intervalNote}; ${seedsText(seeds)}`],
    legend: [],
    panels: [{
      ...groupedAxes([...groups.keys()], [""]),
      y: scoreAxis(estimates, true),
      marks: [
        Plot.ruleY([0], { stroke: "var(--rule)" }),
        ...barMarks(estimates, "", seriesColor(0, 1)),
      ],
    }],
    columns: 1,
    size: [Math.max(480, 110 * groups.size), 320],
  } satisfies Figure;
}
