import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertNotEquals,
  assertThrows,
} from "@std/assert";
import { UserError } from "../../lib/errors.ts";
import { RandomStream } from "../../lib/envs/random.ts";

const draw = (seed: number, count: number) => {
  const stream = new RandomStream(seed);
  return Array.from({ length: count }, () => stream.uniform(0, 1));
};

Deno.test("RandomStream: equal seeds give equal numbers, different seeds different numbers", () => {
  assertEquals(draw(7, 100), draw(7, 100));
  // Neighboring seeds, and seeds that differ only in their high word.
  const first = [0, 1, 2, 2 ** 32, 2 ** 33, Number.MAX_SAFE_INTEGER].map((seed) =>
    draw(seed, 1)[0]
  );
  assertEquals(new Set(first).size, first.length);
  assertNotEquals(draw(0, 3), draw(1, 3));
});

Deno.test("RandomStream.uniform(): has the mean, variance and bounds of the uniform distribution", () => {
  const stream = new RandomStream(1);
  const count = 100_000;
  const numbers = Array.from({ length: count }, () => stream.uniform(-1, 3));
  assert(numbers.every((number) => number >= -1 && number < 3));
  const mean = numbers.reduce((sum, number) => sum + number) / count;
  const variance = numbers.reduce((sum, number) => sum + (number - mean) ** 2, 0) / count;
  // Five standard errors: 1.155 / √count, and 1.193 / √count for the variance.
  assertAlmostEquals(mean, 1, 5 * 1.155 / Math.sqrt(count));
  assertAlmostEquals(variance, 4 / 3, 5 * 1.193 / Math.sqrt(count));
});

Deno.test("RandomStream.normal(): has the mean, variance and fourth moment of the normal distribution", () => {
  const stream = new RandomStream(2);
  const count = 100_000;
  const numbers = Array.from({ length: count }, () => stream.normal());
  const moment = (power: number) =>
    numbers.reduce((sum, number) => sum + number ** power, 0) / count;
  // Five standard errors: the variances of x, x², x⁴ are 1, 2, 96.
  assertAlmostEquals(moment(1), 0, 5 / Math.sqrt(count));
  assertAlmostEquals(moment(2), 1, 5 * Math.sqrt(2 / count));
  assertAlmostEquals(moment(4), 3, 5 * Math.sqrt(96 / count));
});

Deno.test("RandomStream.choice(): is uniform, and rejects an empty list", () => {
  const stream = new RandomStream(3);
  const counts = [0, 0, 0, 0, 0, 0, 0];
  for (let i = 0; i < 70_000; i++) counts[stream.choice([0, 1, 2, 3, 4, 5, 6])]!++;
  // Five standard deviations of a binomial count.
  for (const count of counts) assertAlmostEquals(count, 10_000, 5 * Math.sqrt(70_000 * 6 / 49));
  assertThrows(() => stream.choice([]), RangeError, "nothing to choose from");
});

Deno.test("RandomStream: rejects seeds that are not integers of 53 bits", () => {
  for (const seed of [-1, 0.5, NaN, Infinity, 2 ** 53]) {
    assertThrows(() => new RandomStream(seed), UserError, `got ${seed}`);
  }
});
