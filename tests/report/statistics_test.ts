import { assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import {
  bootstrapDifference,
  bootstrapInterval,
  interquartileMean,
  rankCorrelation,
  statisticsOf,
} from "../../lib/report/statistics.ts";

const mean = (values: readonly number[]) =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

Deno.test("interquartileMean(): drops a quarter at each end, rounded down", () => {
  assertEquals(interquartileMean([7]), 7);
  assertEquals(interquartileMean([1, 2, 6]), 3); // a quarter is 0.75 values, rounded down to 0
  assertEquals(interquartileMean([10, 3, 1, 2]), 2.5); // 2 and 3 remain
  assertEquals(interquartileMean([500, 0, 40, 10, 30, 20]), 25); // 10, 20, 30, 40
  assertEquals(interquartileMean([8, 1, 2, 3, 4, 5, 6, -90]), 3.5); // 2, 3, 4, 5
});

Deno.test("statisticsOf(): returns mean, standard deviation and interquartile mean of the seeds", () => {
  const found = statisticsOf([1, 2, 3, 10]);
  assertEquals(found.values, [1, 2, 3, 10]);
  assertEquals(found.mean, 4);
  assertAlmostEquals(found.std, Math.sqrt((9 + 4 + 1 + 36) / 4), 1e-12);
  assertEquals(found.interquartileMean, 2.5);
});

Deno.test("statisticsOf(): returns no interval for a single seed", () => {
  assertEquals(statisticsOf([42]).interval, null);
});

Deno.test("bootstrapInterval(): matches the quantiles of the binomial distribution", () => {
  // The mean of ten draws from five zeros and five ones is Binomial(10, 1/2) / 10:
  // P(X ≤ 1) = 11/1024 = 0.011, P(X ≤ 2) = 56/1024 = 0.055, so its 2.5 % quantile is 2.
  assertEquals(bootstrapInterval([0, 1, 0, 1, 0, 1, 0, 1, 0, 1], mean), [0.2, 0.8]);
  // With two values, a resample contains only one of them with probability 1/4 each.
  assertEquals(bootstrapInterval([3, 5], mean), [3, 5]);
});

Deno.test("bootstrapInterval(): is deterministic, and a point for equal values", () => {
  const values = [57.1, 43.2, 61, 12.9, 55.5, 49.3];
  const once = bootstrapInterval(values, interquartileMean);
  assertEquals(bootstrapInterval(values, interquartileMean), once);
  assertEquals(statisticsOf(values).interval, once);
  assertEquals(bootstrapInterval([2, 2, 2], interquartileMean), [2, 2]);
});

Deno.test("bootstrapDifference(): is shifted by the difference of the means and spans both sides", () => {
  // A point against one draw's mean of zeros and ones: the interval of Binomial(10, 1/2) / 10.
  const coins = [0, 1, 0, 1, 0, 1, 0, 1, 0, 1];
  const [low, high] = bootstrapDifference([5, 5, 5], coins);
  assertAlmostEquals(low, 4.2, 1e-12);
  assertAlmostEquals(high, 4.8, 1e-12);
  const [below, above] = bootstrapDifference(coins, coins);
  assertEquals([below < 0, above > 0], [true, true]);
  // The difference of two independent means has √2 times the deviation of one: 0.22 · 1.96.
  assertAlmostEquals(above - below, 2 * 1.96 * Math.sqrt(2 * 0.25 / 10), 0.08);
});

Deno.test("rankCorrelation(): equals scipy.stats.spearmanr, with ties", () => {
  const x = [3.1, 0.2, 5, 5, -1, 2.2, 9, 0.2];
  const y = [1, 0.5, 4, 2, 0.1, 0.5, 3, 7];
  const { correlation, interval } = rankCorrelation(x.map((value, i) => [value, y[i]!] as const));
  assertAlmostEquals(correlation, 0.5151609764133533, 1e-12);
  assertEquals(interval[0] < correlation && correlation < interval[1], true);
  const ordered = rankCorrelation([[1, 1], [2, 2], [3, 4], [4, 3]]);
  assertAlmostEquals(ordered.correlation, 0.8, 1e-12);
  assertEquals(rankCorrelation([[1, -1], [2, -2], [3, -9]]).interval, [-1, -1]);
  assertThrows(() => rankCorrelation([[1, 2], [1, 3], [1, 4]]), Error, "different x");
});
