import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { orthogonal } from "../../lib/nn/initialisation.ts";
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
