import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { srpo } from "../../lib/algorithms/srpo/algorithm.ts";
import type { HyperparameterValues } from "../../lib/algorithms/hyperparameters.ts";
import { figureSvg } from "../../lib/report/figure_svg.ts";
import { statisticsOf } from "../../lib/report/statistics.ts";
import { sweepFigure, type SweepPoint } from "../../lib/report/sweep.ts";

function point(values: number[], more: HyperparameterValues = {}): SweepPoint {
  return {
    at: { beta: 0.1, weighting: "sigma2", subtractBaseline: true, ...more },
    seeds: values.map((_, seed) => seed),
    ...statisticsOf(values),
  };
}

function draw(...figure: Parameters<typeof sweepFigure>): string {
  return figureSvg(sweepFigure(...figure));
}

/** Upper and lower edge of the plot area. */
const area = { top: 24, bottom: 298 };

/** Returns the centers of the large dots, which mark the means. */
function means(svg: string): [x: number, y: number][] {
  return [...svg.matchAll(/<circle r="4" cy="([\d.]+)" cx="([\d.]+)"/g)]
    .map((match): [number, number] => [Number(match[2]), Number(match[1])])
    .sort(([a], [b]) => a - b);
}

/** Returns the ends of the intervals. */
function rules(svg: string): string[] {
  return [...svg.matchAll(/<line y2="([\d.]+)" y1="([\d.]+)"/g)].map((m) => `${m[2]} to ${m[1]}`);
}

Deno.test("sweepFigure(): draws the score over β on a logarithmic axis", () => {
  const svg = draw("t", "D4RL score", srpo.sweeps, [
    point([100, 100], { beta: 1 }),
    point([0, 0], { beta: 0.01 }),
    point([40, 60], { beta: 0.1 }),
  ]);
  const [a, b, c] = means(svg) as [[number, number], [number, number], [number, number]];
  assertEquals([a[1], b[1], c[1]], [area.bottom, (area.top + area.bottom) / 2, area.top]);
  assertEquals(b[0] - a[0], c[0] - b[0]);
  for (const text of ["0.01", "0.1", "1", "β", "D4RL score", "mean over seeds 0, 1"]) {
    assertStringIncludes(svg, text);
  }
  // The standard deviation of 40 and 60 is 10, a tenth of the plot height.
  const std = (area.bottom - area.top) / 10;
  assert(rules(svg).includes(`${b[1] + std} to ${b[1] - std}`), rules(svg).join());
});

Deno.test("sweepFigure(): names the series of a sweep over several hyperparameters", () => {
  const svg = draw(
    "t",
    "D4RL score",
    srpo.sweeps,
    [0.1, 0.2].flatMap((beta) =>
      [true, false].map((subtractBaseline) => point([1], { beta, subtractBaseline }))
    ),
  );
  assertStringIncludes(svg, "ε subtracted");
  assertStringIncludes(svg, "ε not subtracted");
  assertEquals(means(svg).length, 4);
});

Deno.test("sweepFigure(): draws weightings as groups of bars from zero", () => {
  const svg = draw("t", "D4RL score", srpo.sweeps, [
    point([100], { weighting: "sigma2" }),
    point([50], { weighting: "fixed_time" }),
  ]);
  const drawn = svg.slice(svg.indexOf('aria-label="bar"'), svg.lastIndexOf('aria-label="rule"'));
  const bars = [...drawn.matchAll(/height="([\d.]+)"/g)].map((match) => Number(match[1]));
  assertEquals(bars, [area.bottom - area.top, (area.bottom - area.top) / 2]);
  assertStringIncludes(svg, "ω = σ²");
  assertStringIncludes(svg, "ω = δ");
  const baselines = draw("t", "D4RL score", srpo.sweeps, [
    point([1]),
    point([2], { subtractBaseline: false }),
  ]);
  assertStringIncludes(baselines, "ε not subtracted");
});

Deno.test("sweepFigure(): draws a single variant and equal values", () => {
  for (const points of [[point([0])], [point([3]), point([3], { beta: 0 })]]) {
    const svg = draw("t", "return", srpo.sweeps, points);
    assert(!/NaN|Infinity|undefined/.test(svg), svg);
  }
});

Deno.test("sweepFigure(): a list that applies to one weighting names that weighting's bars", () => {
  const points = [
    point([1], { weighting: "sigma2" }),
    ...[0.02, 0.98].map((fixedTime) => point([2], { weighting: "fixed_time", fixedTime })),
  ];
  const bars = draw("t", "D4RL score", srpo.sweeps, points);
  for (const text of ["ω = σ²", "ω = δ, t = 0.02", "ω = δ, t = 0.98"]) {
    assertStringIncludes(bars, text);
  }
  // Beside a list with an axis they are series.
  const lines = draw("t", "D4RL score", srpo.sweeps, [
    ...points,
    ...points.map((each) => ({ ...each, at: { ...each.at, beta: 10 } })),
  ]);
  assertStringIncludes(lines, "ω = δ, t = 0.98");
  assertEquals(means(lines).length, 6);
});
