import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { srpo } from "../../lib/algorithms/srpo/algorithm.ts";
import type { HyperparameterValues } from "../../lib/algorithms/hyperparameters.ts";
import { statisticsOf } from "../../lib/report/statistics.ts";
import { sweepPicture, type SweepPoint } from "../../lib/report/sweep.ts";

function point(values: number[], more: HyperparameterValues = {}): SweepPoint {
  return {
    at: { beta: 0.1, weighting: "sigma2", subtractBaseline: true, ...more },
    ...statisticsOf(values),
  };
}

/** Returns the centres of the large dots, which mark the means. */
function means(svg: string): [x: number, y: number][] {
  return [...svg.matchAll(/<circle cx="([\d.]+)" cy="([\d.]+)" r="4"/g)]
    .map((match) => [Number(match[1]), Number(match[2])]);
}

Deno.test("sweepPicture(): draws the score over β on a logarithmic axis", () => {
  const svg = sweepPicture("t", "D4RL score", srpo.sweeps, [
    point([100, 100], { beta: 1 }),
    point([0, 0], { beta: 0.01 }),
    point([40, 60], { beta: 0.1 }),
  ]);
  const [a, b, c] = means(svg) as [[number, number], [number, number], [number, number]];
  assertEquals([a[1], b[1], c[1]], [92 + 260, 92 + 130, 92]);
  assertEquals(b[0] - a[0], c[0] - b[0]);
  for (const text of ["0.01", "0.1", "1", "β", "D4RL score", "mean of 2 seeds"]) {
    assertStringIncludes(svg, text);
  }
  // The standard deviation of 40 and 60 is 10, a tenth of the plot height.
  assertStringIncludes(svg, `L${b[0]} ${b[1] - 26}`);
});

Deno.test("sweepPicture(): names the series of a sweep over several hyperparameters", () => {
  const svg = sweepPicture(
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

Deno.test("sweepPicture(): draws weightings as groups of bars from zero", () => {
  const svg = sweepPicture("t", "D4RL score", srpo.sweeps, [
    point([100], { weighting: "sigma2" }),
    point([50], { weighting: "fixed_time" }),
  ]);
  const heights = [...svg.matchAll(/height="([\d.]+)" fill="#/g)].map((match) => Number(match[1]));
  assertEquals(heights.slice(1), [260, 130]); // after the background
  assertStringIncludes(svg, "ω = σ²");
  assertStringIncludes(svg, "ω = δ");
  const baselines = sweepPicture("t", "D4RL score", srpo.sweeps, [
    point([1]),
    point([2], { subtractBaseline: false }),
  ]);
  assertStringIncludes(baselines, "ε not subtracted");
});

Deno.test("sweepPicture(): draws a single variant and equal values", () => {
  for (const points of [[point([0])], [point([3]), point([3], { beta: 0 })]]) {
    const svg = sweepPicture("t", "return", srpo.sweeps, points);
    assert(!/NaN|Infinity|undefined/.test(svg), svg);
  }
});
