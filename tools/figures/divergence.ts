/**
 * Figure 13: a critic that diverges.
 *
 * @module
 */
import * as Plot from "@observablehq/plot";
import { seriesColor } from "../../lib/report/palette.ts";
import type { Figure } from "../../lib/report/plot.ts";
import type { MetricsRow } from "../../lib/runs/metrics.ts";
import { type Runs, seedsText } from "./runs.ts";

/** Steps between drawn points. */
const drawnEvery = 20;

/** Figure 13: the mean of Q during training, with the bound that the rewards set. */
export function figure13(runs: Runs): Figure | null {
  const bound = 1 / (1 - 0.99); // rewards of at most 1, γ = 0.99
  const lines = [["target-0.005", "target rate 0.005"], ["target-1", "target rate 1"]]
    .flatMap(([run, name]) => {
      const rows = runs.metrics(run!).filter(({ metrics, step }) =>
        "q_mean" in metrics && (step === 1 || step % drawnEvery === 0)
      );
      return rows.length === 0 ? [] : [{ name: name!, seeds: Map.groupBy(rows, (r) => r.seed) }];
    });
  if (lines.length === 0) return null;
  const magnitude = ({ metrics }: MetricsRow) => Math.max(1e-2, Math.abs(metrics["q_mean"]!));
  const all = lines.flatMap(({ seeds }) => [...seeds.values()].flat().map(magnitude));
  const color = (i: number) => seriesColor(i, lines.length);
  return {
    title: "Figure 13 on maze2d-umaze: a critic that stays within its bound, and one that does not",
    notes: [
      `mean |Q| of a minibatch with expectile 0.99; one line for each of the ${
        seedsText(lines.flatMap(({ seeds }) => [...seeds.keys()]))
      }`,
      "dashed: the largest value that rewards of at most 1 allow, 1/(1 − γ) = 100",
    ],
    legend: lines.map(({ name }, i) => ({ name, color: color(i) })),
    panels: [{
      x: {
        label: "step",
        domain: [
          0,
          Math.max(
            ...lines.flatMap(({ seeds }) => [...seeds.values()].flat())
              .map(({ step }) => step),
          ),
        ],
        ticks: 5,
      },
      y: {
        label: "mean |Q|",
        type: "log",
        domain: [Math.min(...all), Math.max(bound * 2, ...all)],
        ticks: 5,
        tickFormat: "~g",
      },
      marks: [
        Plot.ruleY([bound], { stroke: "var(--ink)", strokeDasharray: "4 4" }),
        ...lines.flatMap(({ seeds }, i) =>
          [...seeds.values()].map((rows) =>
            Plot.lineY(rows, { x: "step", y: magnitude, stroke: color(i), strokeWidth: 1.5 })
          )
        ),
      ],
    }],
    columns: 1,
    size: [620, 320],
  };
}
