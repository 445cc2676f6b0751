import { assertAlmostEquals, assertEquals, assertLess, assertNotEquals } from "@std/assert";
import { drawToy, eightGaussians, toyNames } from "../../lib/data/toy.ts";
import official from "../fixtures/toy/moments.json" with { type: "json" };

const count = 100_000;

for (const name of toyNames) {
  Deno.test(`drawToy(): ${name} has the moments and the histogram of the official generator`, () => {
    const { mean, covariance, fourth, counts } = official.densities[name];
    const drawn = drawToy(name, count, 5);
    const bins = counts.length;
    const side = -2 * official.edge / bins;
    const own = counts.map((row) => row.map(() => 0));
    const sums = [0, 0, 0, 0, 0, 0, 0, 0];
    for (let i = 0; i < count; i++) {
      const [x, y] = [drawn[2 * i]!, drawn[2 * i + 1]!];
      [x, y, x * x, x * y, y * y, x ** 4, x * x * y * y, y ** 4].forEach((v, k) => sums[k]! += v);
      const column = own[Math.floor((x - official.edge) / side)];
      const row = Math.floor((y - official.edge) / side);
      if (column !== undefined && row >= 0 && row < bins) column[row]!++;
    }
    const [x, y, xx, xy, yy, ...fourths] = sums.map((sum) => sum / count) as [
      number,
      number,
      number,
      number,
      number,
      number,
      number,
      number,
    ];
    // Five standard errors of a mean over 100,000 points: no more than 0.016 sqrt(E v^2).
    const close = (value: number, expected: number, square: number) =>
      assertAlmostEquals(value, expected, 0.02 * Math.sqrt(square));
    close(x, mean[0]!, xx);
    close(y, mean[1]!, yy);
    close(xx - x * x, covariance[0]!, fourth[0]!);
    close(xy - x * y, covariance[1]!, fourth[1]!);
    close(yy - y * y, covariance[2]!, fourth[2]!);
    fourths.forEach((value, k) => assertAlmostEquals(value / fourth[k]! - 1, 0, 0.04));
    // Total variation of the histograms. Sampling noise alone gives about 0.4 sqrt(bins / count).
    let distance = 0;
    let filled = 0;
    counts.forEach((row, i) =>
      row.forEach((expected, j) => {
        distance += Math.abs(own[i]![j]! / count - expected / official.count) / 2;
        if (expected > 0) filled++;
      })
    );
    assertLess(distance, 0.5 * Math.sqrt(filled / count));
  });
}

Deno.test("drawToy(): a seed repeats its points, another seed and more points do not change them", () => {
  const first = drawToy("rings", 50, 1);
  assertEquals(drawToy("rings", 80, 1).slice(0, 100), first);
  assertNotEquals(drawToy("rings", 50, 2), first);
});

Deno.test("eightGaussians: neighboring centers are 2.165 apart", () => {
  const [a, b] = eightGaussians.centers as [readonly [number, number], readonly [number, number]];
  assertAlmostEquals(Math.hypot(a[0] - b[0], a[1] - b[1]), 2.1648, 1e-4);
});
