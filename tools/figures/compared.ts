/**
 * Figures 1, 6, 7 and 16: the algorithms beside each other.
 *
 * @module
 */
import * as Plot from "@observablehq/plot";
import { seriesColor } from "../../lib/report/palette.ts";
import type { Figure, Panel } from "../../lib/report/plot.ts";
import { type Estimate, pointMarks } from "../../lib/report/plot_values.ts";
import {
  estimateOf,
  intervalNote,
  mean,
  officialLines,
  type Runs,
  scoreAxis,
  seedsText,
} from "./runs.ts";

/** The policies that figures 1, 6, 7 and 16 compare: run, actor and name. */
export const compared = [
  ["base", "srpo", "SRPO"],
  ["base", "awr", "AWR"],
  ["base", "idql", "IDQL of SRPO's models"],
  ["iql", "iql", "IQL"],
  ["td3-bc", "td3-bc", "TD3+BC"],
  ["idql", "idql", "IDQL"],
  ["diffusion-ql", "diffusion-ql", "Diffusion-QL"],
] as const;

/** Figure 1: score against FLOPs and time per action. */
export function figure1(runs: Runs): Figure | null {
  const rows = compared.flatMap(([run, policy, name]) => {
    const scores = runs.scores(run, policy).get(null);
    const results = runs.results(run);
    const flops = results?.action_flops[policy];
    const time = results?.action_latency_ms[policy];
    if (scores === undefined || !flops || time === undefined) return [];
    return [{ name, values: [...scores.values()], seeds: [...scores.keys()], flops, time }];
  });
  if (rows.length === 0) return null;
  const panel = (label: string, x: (row: typeof rows[number]) => number): Panel => {
    const estimates = rows.map((row) => estimateOf(x(row), row.values, row.name));
    const places = estimates.map(({ x }) => Number(x));
    return {
      x: {
        label,
        type: "log",
        domain: [Math.min(...places) / 1.5, Math.max(...places) * 30],
        ticks: 5,
        tickFormat: "~s",
      },
      y: scoreAxis(estimates, false),
      marks: pointMarks(estimates, seriesColor(0, 1)),
    };
  };
  return {
    title: "Figure 1 on maze2d-umaze: score against the cost of an action",
    notes: [`${intervalNote}; ${seedsText(rows.flatMap(({ seeds }) => seeds))}`],
    legend: [],
    panels: [
      panel("FLOPs per action", ({ flops }) => flops),
      panel("milliseconds per action", ({ time }) => time),
    ],
    columns: 2,
    size: [470, 300],
  };
}

/** Figure 7: seconds of training per seed, and milliseconds per action. */
export function figure7(runs: Runs): Figure | null {
  const official = officialSeconds(runs.folder);
  const trained = [
    ...[
      ["base", "SRPO"],
      ["iql", "IQL"],
      ["td3-bc", "TD3+BC"],
      ["idql", "IDQL"],
      ["diffusion-ql", "Diffusion-QL"],
    ].flatMap(([run, name]) => {
      const results = runs.results(run!);
      if (results === null) return [];
      const stages = Object.values(results.stages);
      // Stages from the cache have no time.
      if (stages.some(({ made, steps }) => made < steps)) return [];
      const seconds = stages.reduce((sum, stage) => sum + stage.seconds, 0);
      return [{ name: name!, seconds: seconds / results.seeds.length }];
    }),
    ...official,
  ];
  const acting = compared.flatMap(([run, policy, name]) => {
    const time = runs.results(run)?.action_latency_ms[policy];
    return time === undefined ? [] : [{ name, time }];
  });
  if (trained.length + acting.length === 0) return null;
  const panel = (label: string, rows: readonly Estimate[]): Panel => {
    const values = rows.map(({ y }) => y);
    return {
      x: {
        label,
        type: "log",
        domain: [Math.min(...values) / 2, Math.max(...values) * 3],
        ticks: 5,
        tickFormat: "~s",
      },
      y: { label: null, type: "band", domain: rows.map(({ x }) => x), axis: null },
      marks: [
        Plot.ruleY(rows, {
          y: "x",
          x1: () => Math.min(...values) / 2,
          x2: "y",
          strokeOpacity: 0.4,
        }),
        Plot.dot(rows, { x: "y", y: "x", r: 4, fill: seriesColor(0, 1) }),
        Plot.text(rows, { x: "y", y: "x", text: "x", dx: 8, textAnchor: "start" }),
      ],
    };
  };
  return {
    title: "Figure 7 on maze2d-umaze: time to train and to act",
    notes: ["quick budgets; training per seed, with the seeds of a run trained together"],
    legend: [],
    panels: [
      panel("seconds of training", trained.map(({ name, seconds }) => estimateOf(name, [seconds]))),
      panel("milliseconds per action", acting.map(({ name, time }) => estimateOf(name, [time]))),
    ],
    columns: 2,
    size: [430, 280],
  };
}

/** Returns the seconds that the official SRPO code trained a seed, averaged over its seeds. */
export function officialSeconds(folder: string): { name: string; seconds: number }[] {
  const lines = officialLines(folder).filter(({ algorithm, seconds }) =>
    algorithm === "srpo" && seconds !== undefined
  );
  if (lines.length === 0) return [];
  const totals = lines.map(({ seconds }) => Object.values(seconds!).reduce((a, b) => a + b, 0));
  return [{ name: "SRPO, official (PyTorch)", seconds: mean(totals) }];
}

/** Figures 6 and 16: score over the share of the training steps. */
export function figure16(runs: Runs): Figure | null {
  // The baseline's run evaluates the default policy during training.
  const lines = [
    ["baseline", "baseline-true", "SRPO"],
    ["iql", null, "IQL"],
    ["td3-bc", null, "TD3+BC"],
    ["idql", null, "IDQL"],
    ["diffusion-ql", null, "Diffusion-QL"],
  ].flatMap(([run, variant, name]) => {
    const rows = runs.metrics(run!).filter((row) =>
      row.episodes !== null && row.variant === variant && "score" in row.metrics
    );
    const last = rows.at(-1)?.stage;
    const total = Math.max(...rows.map(({ step }) => step));
    const steps = Map.groupBy(rows.filter(({ stage }) => stage === last), ({ step }) => step);
    const points = [...steps].map(([step, each]) => {
      const values = each.map(({ metrics }) => metrics["score"]!);
      const center = mean(values);
      const std = Math.sqrt(mean(values.map((value) => (value - center) ** 2)));
      return { share: (100 * step) / total, mean: center, low: center - std, high: center + std };
    }).sort((a, b) => a.share - b.share);
    const seeds = rows.map(({ seed }) => seed);
    return points.length < 2 ? [] : [{ name: name!, points, seeds }];
  });
  if (lines.length === 0) return null;
  const color = (i: number) => seriesColor(i, lines.length);
  const all = lines.flatMap(({ points }) => points.flatMap(({ low, high }) => [low, high]));
  return {
    title: "Figures 6 and 16 on maze2d-umaze: score during training",
    notes: [`mean ± standard deviation over ${seedsText(lines.flatMap(({ seeds }) => seeds))}`],
    legend: lines.map(({ name }, i) => ({ name, color: color(i) })),
    panels: [{
      x: { label: "training steps (%)", domain: [0, 100], ticks: 5 },
      y: {
        label: "D4RL score",
        domain: [Math.min(...all), Math.max(...all)],
        nice: true,
        ticks: 6,
      },
      marks: lines.flatMap(({ points }, i) => [
        Plot.areaY(points, {
          x: "share",
          y1: "low",
          y2: "high",
          fill: color(i),
          fillOpacity: 0.15,
        }),
        Plot.lineY(points, { x: "share", y: "mean", stroke: color(i), strokeWidth: 2 }),
      ]),
    }],
    columns: 1,
    size: [620, 340],
  };
}
