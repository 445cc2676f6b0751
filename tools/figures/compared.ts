/**
 * Figures 1, 6, 7 and 16: the algorithms beside each other.
 *
 * @module
 */
import * as Plot from "@observablehq/plot";
import { join } from "node:path";
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
  ["base", "idql", "IDQL, SRPO's models"],
  ["iql", "iql", "IQL"],
  ["td3-bc", "td3-bc", "TD3+BC"],
  ["idql", "idql", "IDQL"],
  ["diffusion-ql", "diffusion-ql", "Diffusion-QL"],
] as const;

const [ownProgram, officialProgram] = ["this program", "official code (PyTorch)"] as const;

/** A policy's scores, one per seed, and the cost of its action. */
interface Acting {
  readonly name: string;
  readonly scores: ReadonlyMap<number, number>;
  readonly flops: number;
  /** Milliseconds. */
  readonly time: number;
}

/** Milliseconds of processor time per action, by run and policy. */
export type ActionTimes = Readonly<Record<string, Readonly<Record<string, number>>>>;

/** Reads what `tools/action_times.ts` wrote; null if it has not run. */
function actionTimes({ folder }: Runs): ActionTimes | null {
  try {
    return JSON.parse(Deno.readTextFileSync(join(folder, "action_times.json")));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

/** Figure 1: score against FLOPs and time per action, with the official code's. */
export function figure1(runs: Runs): Figure | null {
  const times = actionTimes(runs);
  const own = compared.flatMap(([run, policy, name]): Acting[] => {
    const scores = runs.scores(run, policy).get(null);
    const flops = runs.results(run)?.action_flops[policy];
    const time = times?.[run]?.[policy];
    return scores === undefined || !flops || time === undefined
      ? []
      : [{ name, scores, flops, time }];
  });
  if (own.length === 0) return null;
  const official = officialActing(runs);
  const programs = official.length > 0
    ? [[ownProgram, own], [officialProgram, official]] as const
    : [[ownProgram, own]] as const;
  const panel = (
    label: string,
    tickFormat: string,
    series: readonly (readonly Acting[])[],
    x: (row: Acting) => number,
  ): Panel => {
    const estimates = series.map((rows) =>
      rows.map((row) => estimateOf(x(row), [...row.scores.values()], row.name))
    );
    const places = series.flat().map(x);
    return {
      x: {
        label,
        type: "log",
        domain: [Math.min(...places) / 40, Math.max(...places) * 1000],
        ticks: 5,
        tickFormat,
      },
      y: scoreAxis(estimates.flat(), false),
      marks: estimates.flatMap((each, i) => [
        ...pointMarks(each.map(unlabelled), seriesColor(i, 2)),
        ...each.map((point) => nameMark(point, estimates.flat())),
      ]),
    };
  };
  return {
    title: "Figure 1 on maze2d-umaze: score against the cost of an action",
    notes: [
      intervalNote,
      ...programs.map(([name, rows]) =>
        `${name}: ${seedsText(rows.flatMap(({ scores }) => [...scores.keys()]))}`
      ),
    ],
    legend: programs.map(([name], i) => ({ name, color: seriesColor(i, 2) })),
    panels: [
      panel("FLOPs per action", "~s", [own], ({ flops }) => flops),
      panel("processor milliseconds per action", "~g", [own, official], ({ time }) => time),
    ],
    columns: 2,
    size: [470, 300],
  };
}

function unlabelled({ label: _, ...estimate }: Estimate): Estimate {
  return estimate;
}

/** Writes a point's name on its right, or on its left if another point is close on the right. */
function nameMark({ x, y, label }: Estimate, all: readonly Estimate[]): Plot.Markish {
  const left = all.some((other) =>
    other.x > x && Number(other.x) < 10 * Number(x) && Math.abs(other.y - y) < 8
  );
  return Plot.text([{ x, y, label }], {
    x: "x",
    y: "y",
    text: "label",
    dx: left ? -8 : 8,
    textAnchor: left ? "end" : "start",
  });
}

/** The official code's deterministic policies, whose actions take the FLOPs of this program's. */
function officialActing(runs: Runs): Acting[] {
  const results = runs.results("base");
  if (results === null) return [];
  const lines = officialLines(runs.folder).filter(({ task }) => task === results.task);
  return [["srpo", "srpo", "SRPO"], ["srpo/awr", "awr", "AWR"]].flatMap(
    ([algorithm, policy, name]) => {
      const rows = lines.filter((line) => line.algorithm === algorithm);
      const times = rows.flatMap(({ action_ms }) => action_ms ?? []);
      const flops = results.action_flops[policy!];
      if (times.length === 0 || !flops) return [];
      const scores = new Map(rows.map(({ seed, score }) => [seed, score]));
      return [{ name: name!, scores, flops, time: mean(times) }];
    },
  );
}

/** Figure 7: milliseconds per training step, with the official code's, and per action. */
export function figure7(runs: Runs): Figure | null {
  const programs = [ownProgram, officialProgram];
  const trained = [
    ["base", "SRPO"],
    ["iql", "IQL"],
    ["td3-bc", "TD3+BC"],
    ["idql", "IDQL"],
    ["diffusion-ql", "Diffusion-QL"],
  ].flatMap(([run, name]) => {
    const results = runs.results(run!);
    if (results === null) return [];
    const { seeds } = results;
    const stages = Object.entries(results.stages);
    return stages.filter(([, { made }]) => made > 0).map(([stage, { made, seconds }]) => ({
      name: stages.length > 1 ? `${name}, ${stage}` : name!,
      time: (1000 * seconds) / made / seeds.length,
    }));
  });
  const official = officialLines(runs.folder).filter(({ algorithm }) => algorithm === "srpo");
  const stages = Object.keys(official[0]?.seconds ?? {});
  const published = stages.map((stage) => ({
    name: `SRPO, ${stage}`,
    time: mean(official.map(({ seconds, steps }) => (1000 * seconds![stage]!) / steps![stage]!)),
  }));
  const acting = compared.flatMap(([run, policy, name]) => {
    const time = runs.results(run)?.action_latency_ms[policy];
    return time === undefined ? [] : [{ name, time }];
  });
  if (trained.length + acting.length === 0) return null;
  const panel = (label: string, series: readonly (readonly Timed[])[]): Panel => {
    const all = series.flat();
    const low = Math.min(...all.map(({ time }) => time)) / 5; // room for the names
    const high = Math.max(...all.map(({ time }) => time)) * 2;
    const names = [...new Set(all.map(({ name }) => name))];
    return {
      x: { label, type: "log", domain: [low, high], ticks: 5, tickFormat: "~g" },
      y: { label: null, type: "band", domain: names, axis: null },
      marks: [
        Plot.ruleY(names, { strokeOpacity: 0.15 }),
        Plot.text(names, { x: low, y: (name) => name, text: (name) => name, ...atLeft }),
        ...series.map((rows, i) =>
          Plot.dot(rows, {
            x: "time",
            y: "name",
            r: 4,
            fill: seriesColor(i, programs.length),
          })
        ),
      ],
    };
  };
  return {
    title: "Figure 7 on maze2d-umaze: time to train and to act",
    notes: ["width 64, minibatches of 256 rows, logarithmic axes"],
    legend: programs.slice(0, published.length > 0 ? 2 : 1).map((name, i) => ({
      name,
      color: seriesColor(i, programs.length),
    })),
    panels: [
      panel("milliseconds per training step and seed", [trained, published]),
      panel("milliseconds per action", [acting]),
    ],
    columns: 2,
    size: [430, 300],
  };
}

/** A name with a time in milliseconds. */
interface Timed {
  readonly name: string;
  readonly time: number;
}

/** Places a text above the line that it names, at the left edge. */
const atLeft = { dx: 6, dy: -8, textAnchor: "start" } as const;

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
