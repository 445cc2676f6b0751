import { assertAlmostEquals, assertEquals } from "@std/assert";
import { bootstrapInterval, interquartileMean, statisticsOf } from "../../lib/report/statistics.ts";

const mean = (values: readonly number[]) =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

Deno.test("interquartileMean() leaves out a quarter at either end, rounded down", () => {
  assertEquals(interquartileMean([7]), 7);
  assertEquals(interquartileMean([1, 2, 6]), 3); // three quarters of a value: none
  assertEquals(interquartileMean([10, 3, 1, 2]), 2.5); // 2 and 3 are left
  assertEquals(interquartileMean([500, 0, 40, 10, 30, 20]), 25); // 10, 20, 30, 40
  assertEquals(interquartileMean([8, 1, 2, 3, 4, 5, 6, -90]), 3.5); // 2, 3, 4, 5
});

Deno.test("statisticsOf() gives mean, deviation and interquartile mean of the seeds", () => {
  const found = statisticsOf([1, 2, 3, 10]);
  assertEquals(found.values, [1, 2, 3, 10]);
  assertEquals(found.mean, 4);
  assertAlmostEquals(found.std, Math.sqrt((9 + 4 + 1 + 36) / 4), 1e-12);
  assertEquals(found.interquartileMean, 2.5);
});

Deno.test("statisticsOf() has no interval for a single seed", () => {
  assertEquals(statisticsOf([42]).interval, null);
});

Deno.test("bootstrapInterval() finds the quantiles of the binomial distribution", () => {
  // The mean of ten draws from five zeros and five ones is a Binomial(10, 1/2) over ten:
  // P(X ≤ 1) = 11/1024 = 0.011, P(X ≤ 2) = 56/1024 = 0.055, so its 2.5 % quantile is 2.
  assertEquals(bootstrapInterval([0, 1, 0, 1, 0, 1, 0, 1, 0, 1], mean), [0.2, 0.8]);
  // Of two values either one alone comes with probability 1/4.
  assertEquals(bootstrapInterval([3, 5], mean), [3, 5]);
});

Deno.test("bootstrapInterval() is the same each time, and a point for equal values", () => {
  const values = [57.1, 43.2, 61, 12.9, 55.5, 49.3];
  const once = bootstrapInterval(values, interquartileMean);
  assertEquals(bootstrapInterval(values, interquartileMean), once);
  assertEquals(statisticsOf(values).interval, once);
  assertEquals(bootstrapInterval([2, 2, 2], interquartileMean), [2, 2]);
});
