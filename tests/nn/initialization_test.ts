import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { glorot, orthogonal } from "../../lib/nn/initialization.ts";
import { mlpShapes } from "../../lib/nn/mlp.ts";

const shapes = mlpShapes({ inputs: [5, 2], hidden: [40, 40], outputs: 3 });
const gain = Math.SQRT2;

Deno.test("orthogonal(): rows or columns, whichever are fewer, are orthogonal and of length gain", () => {
  const values = orthogonal(0, gain)(shapes, 7, 0);
  for (const { name, rows, segments, vector } of shapes) {
    const found = values.get(name)!;
    if (vector) {
      assertEquals(found, new Float32Array(segments[0]!), name);
      continue;
    }
    const columns = segments.reduce((total, width) => total + width, 0);
    const [count, length] = rows < columns ? [rows, columns] : [columns, rows];
    const at = (vector: number, entry: number) =>
      found[rows < columns ? vector * columns + entry : entry * columns + vector]!;
    for (let i = 0; i < count; i++) {
      for (let j = 0; j <= i; j++) {
        let product = 0;
        for (let k = 0; k < length; k++) product += at(i, k) * at(j, k);
        assert(
          Math.abs(product - (i === j ? gain ** 2 : 0)) < 1e-6,
          `${name} ${i} ${j}: ${product}`,
        );
      }
    }
  }
});

Deno.test("orthogonal(): a seed's networks start the same each time, and different from each other", () => {
  const first = orthogonal(0, gain)(shapes, 7, 0);
  assertEquals(orthogonal(0, gain)(shapes, 7, 0), first);
  assertEquals(orthogonal(1, gain)(shapes, 7, 0), orthogonal(0, gain)(shapes, 7, 1));
  for (const other of [orthogonal(0, gain)(shapes, 7, 1), orthogonal(0, gain)(shapes, 8, 0)]) {
    assertNotEquals(other.get("0.weight"), first.get("0.weight"));
  }
});

Deno.test("orthogonal(): no direction or sign is preferred", () => {
  // Entries of a row of n entries that is uniform on the sphere have mean 0 and mean square 1/n.
  const one = mlpShapes({ inputs: [4], hidden: [], outputs: 4 });
  const seeds = 400;
  const sums = new Float64Array(16);
  const squares = new Float64Array(16);
  for (let seed = 0; seed < seeds; seed++) {
    orthogonal(0, 1)(one, seed, 0).get("0.weight")!.forEach((value, i) => {
      sums[i]! += value / seeds;
      squares[i]! += value ** 2 / seeds;
    });
  }
  // Four standard deviations of the means over the seeds.
  assert(sums.every((mean) => Math.abs(mean) < 4 * 0.5 / Math.sqrt(seeds)), sums.join());
  assert(
    squares.every((mean) => Math.abs(mean - 0.25) < 4 * 0.25 / Math.sqrt(seeds)),
    squares.join(),
  );
});

Deno.test("glorot(): uniform in ±√(6 / (inputs + outputs)); LeCun's normal with variance 1 / inputs, cut off at two standard deviations", () => {
  const large = mlpShapes({ inputs: [40, 60], hidden: [200], outputs: 50 });
  const values = glorot(0, (name) => name === "2.weight")(large, 7, 0);
  const of = (name: string) => {
    const numbers = values.get(name)!;
    const squares = numbers.reduce((sum, x) => sum + x * x, 0) / numbers.length;
    const mean = numbers.reduce((sum, x) => sum + x, 0) / numbers.length;
    return { mean, squares, largest: Math.max(...numbers.map(Math.abs)) };
  };
  const near = (found: number, expected: number, limit: number) =>
    assert(Math.abs(found - expected) < limit, `${found}, expected ${expected} ± ${limit}`);

  const bound = Math.sqrt(6 / 300);
  const uniform = of("0.weight");
  // Five standard deviations of the means of 20,000 and of 10,000 numbers.
  near(uniform.mean, 0, 5 * bound / Math.sqrt(3 * 20_000));
  near(uniform.squares, bound ** 2 / 3, 5 * bound ** 2 * Math.sqrt(4 / 45 / 20_000));
  assert(uniform.largest <= bound && uniform.largest > 0.999 * bound, `${uniform.largest}`);

  const lecun = of("2.weight");
  near(lecun.mean, 0, 5 * Math.sqrt(1 / 200 / 10_000));
  near(lecun.squares, 1 / 200, 5 / 200 * Math.sqrt(2 / 10_000));
  // The numbers that are cut off at 2 have the standard deviation 0.8796.
  const limit = 2 / 0.8796 / Math.sqrt(200);
  assert(lecun.largest < limit * 1.0001 && lecun.largest > 0.99 * limit, `${lecun.largest}`);

  assertEquals(values.get("0.bias"), new Float32Array(200));
  assertEquals(glorot(1)(large, 7, 0), glorot(0)(large, 7, 1));
  assertNotEquals(glorot(0)(large, 8, 0).get("0.weight"), values.get("0.weight"));
});
