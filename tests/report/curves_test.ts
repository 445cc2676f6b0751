import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { type Curve, curvesFigure, curvesOf } from "../../lib/report/curves.ts";
import { figureSvg } from "../../lib/report/figure_svg.ts";
import type { MetricsRow } from "../../lib/runs/metrics.ts";

const row = (
  stage: string,
  step: number,
  metrics: MetricsRow["metrics"],
  seed = 0,
  variant: string | null = null,
): MetricsRow => ({ time: "", stage, step, seed, variant, metrics, episodes: null });

Deno.test("curvesOf(): returns one curve per stage and metric, in order", () => {
  const rows = [
    row("critic", 10, { q_loss: 1, v_loss: 2 }),
    row("critic", 20, { q_loss: 0.5 }),
    row("policy", 5, { q_loss: 7 }),
  ];
  assertEquals(curvesOf([rows]), [
    { name: "critic: q_loss", seeds: [0], steps: [10, 20], values: [[1], [0.5]] },
    { name: "critic: v_loss", seeds: [0], steps: [10], values: [[2]] },
    { name: "policy: q_loss", seeds: [0], steps: [5], values: [[7]] },
  ]);
});

Deno.test("curvesOf(): merges the seeds of one run or of several runs", () => {
  const together = [[
    row("critic", 1, { loss: 1 }, 4),
    row("critic", 1, { loss: 2 }, 9),
    // In a run that went on after it stopped, the seeds' rows come in any order.
    row("critic", 2, { loss: 4 }, 9),
    row("critic", 2, { loss: 3 }, 4),
  ]];
  const apart = [
    [row("critic", 1, { loss: 1 }), row("critic", 2, { loss: 3 })],
    [row("critic", 1, { loss: 2 }), row("critic", 2, { loss: 4 }), row("critic", 3, { loss: 9 })],
  ];
  const expected = { name: "critic: loss", steps: [1, 2], values: [[1, 2], [3, 4]] };
  assertEquals(curvesOf(together), [{ ...expected, seeds: [4, 9] }]);
  assertEquals(curvesOf(apart), [{ ...expected, seeds: [0, 0] }]);
});

function draw(curves: readonly Curve[]): string {
  return figureSvg(curvesFigure("t", curves));
}

/** Returns the points of the picture's lines, relative to the top left of their panels. */
function lines(svg: string): [x: number, y: number][][] {
  return [...svg.matchAll(/aria-label="line"[^>]*>\s*<path d="([^"]*)"/g)].map(([, path]) =>
    [...path!.matchAll(/[ML](-?[\d.]+),(-?[\d.]+)/g)].map((m) => [Number(m[1]), Number(m[2])])
  );
}

/** Left, right, top and bottom of a panel's plot area. */
const area = { left: 52, right: 330, top: 24, bottom: 194 };

Deno.test("curvesFigure(): draws the mean over the seeds and names them", () => {
  const svg = draw([{
    name: "critic: loss",
    seeds: [3, 4, 8],
    steps: [0, 10],
    values: [[10, 0, 2], [0, 10, 2]],
  }]);
  const y = area.bottom - 0.4 * (area.bottom - area.top); // mean 4 on an axis from 0 to 10
  assertEquals(lines(svg), [[[area.left, y], [area.right, y]]]);
  assertStringIncludes(svg, "mean over seeds 3, 4, 8");
  for (const label of [">critic: loss<", ">step<"]) assertStringIncludes(svg, label);
});

Deno.test("curvesFigure(): averages long curves down to at most 300 points", () => {
  const steps = Array.from({ length: 10_000 }, (_, i) => i);
  const svg = draw([{ name: "l", seeds: [0], steps, values: steps.map((i) => [i % 2]) }]);
  const [points] = lines(svg);
  assert(points!.length <= 300 && points!.length > 250);
  assert(svg.length < 30_000);
});

Deno.test("curvesFigure(): uses a logarithmic axis for positive values over many decades", () => {
  const picture = (last: number) =>
    draw([{ name: "l", seeds: [0], steps: [0, 1, 2], values: [[100], [1], [last]] }]);
  const heights = lines(picture(0.01))[0]!.map(([, y]) => y);
  assertEquals(heights, [area.top, (area.top + area.bottom) / 2, area.bottom]);
  assertStringIncludes(picture(0.01), ">0.01</text>");
  const [, linear] = lines(picture(-0.01))[0]!.map(([, y]) => y);
  assertEquals(linear, area.bottom - (11 / 110) * (area.bottom - area.top)); // −10 to 100
});

Deno.test("curvesFigure(): draws constant curves, single points and no curves", () => {
  for (
    const [curves, seeds] of [
      [[], "seed none"],
      [[{ name: "a", seeds: [5], steps: [5], values: [[0]] }], "seed 5"],
      [[{ name: "a", seeds: [5], steps: [1, 2], values: [[3], [3]] }], "seed 5"],
    ] as const
  ) {
    const svg = draw(curves);
    assert(!/NaN|Infinity|undefined/.test(svg), svg);
    assertStringIncludes(svg, `>${seeds}<`);
  }
  const [point] = [[{ name: "a", seeds: [5], steps: [5], values: [[0]] }]];
  assertStringIncludes(draw(point!), "<circle");
});

Deno.test("curvesOf(): returns one curve per variant of a sweep", () => {
  const rows = [
    row("critic", 1, { loss: 1 }, 0),
    row("critic", 1, { loss: 2 }, 1),
    row("policy", 1, { loss: 10 }, 0, "a"),
    row("policy", 1, { loss: 11 }, 0, "b"),
    row("policy", 1, { loss: 20 }, 1, "a"),
    row("policy", 1, { loss: 21 }, 1, "b"),
  ];
  assertEquals(curvesOf([rows]), [
    { name: "critic: loss", seeds: [0, 1], steps: [1], values: [[1, 2]] },
    { name: "policy: loss", series: "a", seeds: [0, 1], steps: [1], values: [[10, 20]] },
    { name: "policy: loss", series: "b", seeds: [0, 1], steps: [1], values: [[11, 21]] },
  ]);
});

Deno.test("curvesOf(): names the curves of a run that is compared, and its variants", () => {
  const rows = [row("critic", 1, { loss: 1 }), row("policy", 1, { loss: 1 }, 0, "a")];
  assertEquals(curvesOf([rows], "IQL").map(({ series }) => series), ["IQL", "IQL a"]);
});

Deno.test("curvesFigure(): draws variants in one panel, each with its color and name", () => {
  const curves = ["beta-0.1", "beta-0.2"].map((series, i) => ({
    name: "policy: loss",
    series,
    seeds: [0],
    steps: [0, 1],
    values: [[0], [i]],
  }));
  const svg = draw(curves);
  assertEquals(svg.match(/policy: loss/g)!.length, 1);
  for (const name of ["beta-0.1", "beta-0.2"]) assertStringIncludes(svg, `>${name}<`);
  const colors = ["series-0", "series-1"].map((name) => `var(--${name})`);
  const used = [...svg.matchAll(/<g [^>]*aria-label="line"[^>]*>/g)].map(([line]) =>
    line.match(/stroke="([^"]*)"/)?.[1]
  );
  assertEquals(used, colors);
  for (const color of colors) assertStringIncludes(svg, `<rect fill="${color}"`);
});
