import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { curvesOf, curvesPicture } from "../../lib/report/curves.ts";
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
    { name: "critic: q_loss", steps: [10, 20], values: [[1], [0.5]] },
    { name: "critic: v_loss", steps: [10], values: [[2]] },
    { name: "policy: q_loss", steps: [5], values: [[7]] },
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
  const expected = [{ name: "critic: loss", steps: [1, 2], values: [[1, 2], [3, 4]] }];
  assertEquals(curvesOf(together), expected);
  assertEquals(curvesOf(apart), expected);
});

/** Returns the points of the first panel's line, which is the second path, after the band. */
function line(svg: string): [x: number, y: number][] {
  const path = [...svg.matchAll(/<path d="([^"]*)"/g)][1]![1]!;
  return [...path.matchAll(/[ML](-?[\d.]+) (-?[\d.]+)/g)].map((m) => [Number(m[1]), Number(m[2])]);
}

Deno.test("curvesPicture(): draws the mean over the seeds", () => {
  const at = (values: number[]) =>
    curvesPicture("t", [{ name: "critic: loss", steps: [0, 10], values: [values, [0, 10, 2]] }]);
  const [first, last] = line(at([10, 0, 2]));
  assertEquals(first, [72, 92 + 150 * 0.6]); // mean 4 on an axis from 0 to 10
  assertEquals(last, [72 + 260, 92 + 150 * 0.6]);
  assertStringIncludes(at([10, 0, 2]), "mean of 3 seeds");
});

Deno.test("curvesPicture(): averages long curves down to at most 300 points", () => {
  const steps = Array.from({ length: 10_000 }, (_, i) => i);
  const values = steps.map((i) => [i % 2]);
  const svg = curvesPicture("t", [{ name: "critic: loss", steps, values }]);
  const points = line(svg);
  assert(points.length <= 300 && points.length > 250);
  assert(svg.length < 30_000);
});

Deno.test("curvesPicture(): uses a logarithmic axis for positive values over many decades", () => {
  const picture = (last: number) =>
    curvesPicture("t", [{ name: "l", steps: [0, 1, 2], values: [[100], [1], [last]] }]);
  const logarithmic = line(picture(0.01)).map(([, y]) => y);
  assertEquals(logarithmic, [92, 92 + 75, 92 + 150]);
  assertStringIncludes(picture(0.01), ">0.01</text>");
  const linear = line(picture(-0.01)).map(([, y]) => y);
  assert(linear[1]! > 92 + 120);
});

Deno.test("curvesPicture(): draws constant curves, single points and no curves", () => {
  for (
    const curves of [
      [],
      [{ name: "a", steps: [5], values: [[0]] }],
      [{ name: "a", steps: [1, 2], values: [[3], [3]] }],
    ]
  ) {
    const svg = curvesPicture("t", curves);
    assert(!/NaN|Infinity|undefined/.test(svg), svg);
    assertStringIncludes(svg, "1 seed");
  }
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
    { name: "critic: loss", steps: [1], values: [[1, 2]] },
    { name: "policy: loss", variant: "a", steps: [1], values: [[10, 20]] },
    { name: "policy: loss", variant: "b", steps: [1], values: [[11, 21]] },
  ]);
});

Deno.test("curvesPicture(): draws variants in one panel, each with its colour and name", () => {
  const curves = ["beta-0.1", "beta-0.2"].map((variant, i) => ({
    name: "policy: loss",
    variant,
    steps: [0, 1],
    values: [[0], [i]],
  }));
  const svg = curvesPicture("t", curves);
  assertEquals(svg.match(/policy: loss/g)!.length, 1);
  assertStringIncludes(svg, ">beta-0.1<");
  assertStringIncludes(svg, ">beta-0.2<");
  const colors = [...svg.matchAll(/fill="none" stroke="(#\w+)" stroke-width="1.5"/g)];
  assertEquals(new Set(colors.map((match) => match[1])).size, 2);
});
