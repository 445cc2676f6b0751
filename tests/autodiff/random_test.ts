/**
 * The counter-based generator: Threefry's published words, the same words on the GPU, and the
 * distribution of the numbers. All draws have fixed seeds. A correct generator exceeds the limit of
 * a test statistic with a probability of 1e-4.
 */
import { assert, assertEquals } from "@std/assert";
import randomSource from "../../shaders/random.wgsl" with { type: "text" };
import { Engine } from "../../lib/autodiff/engine.ts";
import { Graph } from "../../lib/autodiff/graph.ts";
import { fourierFeatures } from "../../lib/autodiff/ops/fourier_features.ts";
import { noising } from "../../lib/autodiff/ops/noising.ts";
import { dropout } from "../../lib/autodiff/ops/dropout.ts";
import { ParameterSet } from "../../lib/autodiff/parameters.ts";
import { normal, threefry, uniform } from "../../lib/autodiff/random.ts";
import { readTensor } from "../../lib/autodiff/compile.ts";
import type { Tensor } from "../../lib/autodiff/tensor.ts";
import { Gpu } from "../../lib/gpu/device.ts";
import { KernelCache } from "../../lib/gpu/kernel.ts";
import { Program } from "../../lib/gpu/program.ts";

type Pair = readonly [number, number];

// Random123's kat_vectors for threefry2x32 with 20 rounds: counter, key, result.
const known: readonly { counter: Pair; key: Pair; words: Pair }[] = [
  { counter: [0, 0], key: [0, 0], words: [0x6b200159, 0x99ba4efe] },
  {
    counter: [0xffffffff, 0xffffffff],
    key: [0xffffffff, 0xffffffff],
    words: [0x1cb996fc, 0xbb002be7],
  },
  {
    counter: [0x243f6a88, 0x85a308d3],
    key: [0x13198a2e, 0x03707344],
    words: [0xc4923a9c, 0x483df7a0],
  },
];

Deno.test("threefry() returns the published words", () => {
  for (const { counter, key, words } of known) assertEquals(threefry(key, counter), [...words]);
});

/** Writes the two words of each job. */
const wordsKernel = `${randomSource}
struct Job {
  key0: u32,
  key1: u32,
  counter0: u32,
  counter1: u32,
  out: u32,
}

@group(0) @binding(0) var<storage, read> worklist: array<vec2u>;
@group(0) @binding(1) var<storage, read> jobs: array<Job>;
@group(0) @binding(3) var<storage, read_write> activations: array<vec2u>;

@compute @workgroup_size(1)
fn main(@builtin(workgroup_id) group: vec3u) {
  let job = jobs[worklist[group.x].x];
  activations[job.out] = threefry(vec2u(job.key0, job.key1), vec2u(job.counter0, job.counter1));
}
`;

Deno.test("threefry() is bit-identical on the GPU", async () => {
  const arbitrary = Array.from({ length: 500 }, (_, i) => {
    const words = [...threefry([i, 1], [2, 3]), ...threefry([i, 4], [5, 6])];
    return { key: [words[0]!, words[1]!] as Pair, counter: [words[2]!, words[3]!] as Pair };
  });
  const cases = [...known, ...arbitrary];
  const gpu = await Gpu.open();
  try {
    const program = await Program.create(gpu, new KernelCache(gpu), {
      dispatches: [{
        kernel: { name: "words", source: wordsKernel },
        jobs: cases.map(({ key, counter }, out) => ({
          fields: {
            key0: key[0],
            key1: key[1],
            counter0: counter[0],
            counter1: counter[1],
            out,
          },
          tiles: 1,
        })),
      }],
      arenas: { activations: cases.length * 8 },
      shared: {},
      metrics: 0,
      scalars: [],
    });
    await program.submit(0, 1);
    const floats = await program.read("activations", 0, cases.length * 2);
    const words = new Uint32Array(floats.buffer, floats.byteOffset, floats.length);
    cases.forEach(({ key, counter }, i) =>
      assertEquals([...words.subarray(2 * i, 2 * i + 2)], threefry(key, counter))
    );
    known.forEach(({ words: expected }, i) =>
      assertEquals([...words.subarray(2 * i, 2 * i + 2)], [...expected])
    );
    program.destroy();
  } finally {
    gpu.close();
  }
});

/** Draws a stream's numbers at some steps on the GPU: `[steps][replica]`. */
async function drawn(
  engine: Engine,
  seeds: readonly number[],
  steps: readonly number[],
  record: (graph: Graph) => Tensor,
): Promise<Float32Array[][]> {
  const graph = new Graph({ seeds });
  const tensor = record(graph);
  const program = await engine.compile(graph, [tensor]);
  const found: Float32Array[][] = [];
  for (const step of steps) {
    const [, values] = await Promise.all([program.submit(step, 1), readTensor(program, tensor)]);
    const size = values.length / seeds.length;
    found.push(seeds.map((_, r) => values.subarray(r * size, (r + 1) * size)));
  }
  program.destroy();
  return found;
}

const rows = 20_000;
const columns = 5;
/** Number of rows if many draws are compared. */
const fewRows = 4_000;
const uniformFrom = (stream: number, rows: number) => (graph: Graph) => {
  const shapes = [{ name: "W", rows: 1, segments: [4], vector: true }];
  const W = new ParameterSet(graph, shapes, graph.replicas).get("W");
  const times = { stream, rows: rows * columns, range: () => [0, 1] as const };
  return fourierFeatures(graph, times, W).t;
};
const normalFrom = (stream: number, rows: number) => (graph: Graph) => {
  const zero = graph.constant(rows, columns, 0);
  return noising(graph, zero, graph.constant(rows, 1, 1), { stream }).z;
};
const keptFrom = (stream: number, rows: number) => (graph: Graph) =>
  dropout(graph, graph.constant(rows, columns, 0.9), { rate: 0.1, keep: { stream } });

/** A standard normal variable exceeds this absolute value with a probability of 1e-4. */
const rare = 3.89;

/** Returns the deviation of the mean of f from its expectation, in standard errors. */
function deviation(
  values: ArrayLike<number>,
  f: (value: number) => number,
  mean: number,
  variance: number,
): number {
  let total = 0;
  for (let i = 0; i < values.length; i++) total += f(values[i]!);
  return Math.abs(total / values.length - mean) / Math.sqrt(variance / values.length);
}

/** Returns the Kolmogorov–Smirnov statistic times √n. */
function distance(values: Float32Array, cumulative: (value: number) => number): number {
  const sorted = values.toSorted();
  let largest = 0;
  sorted.forEach((value, i) => {
    const p = cumulative(value);
    largest = Math.max(largest, Math.abs(p - i / sorted.length), (i + 1) / sorted.length - p);
  });
  return largest * Math.sqrt(sorted.length);
}

/** Exceeded with a probability of 1e-4: 2 exp(−2 x²) = 1e-4. */
const rareDistance = 2.225;

/** Returns Φ(x), accurate to 1e-7 (Abramowitz and Stegun 7.1.26). */
function normalCumulative(x: number): number {
  const z = Math.abs(x) / Math.SQRT2;
  const t = 1 / (1 + 0.3275911 * z);
  const series = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 +
            t * (-1.453152027 + t * 1.061405429))));
  const tail = (series * Math.exp(-z * z)) / 2;
  return x > 0 ? 1 - tail : tail;
}

/**
 * Returns the absolute correlation times √n. Without the absolute value, it is standard normal if a
 * and b are independent.
 */
function correlation(a: Float32Array, b: Float32Array): number {
  const mean = (values: Float32Array) => values.reduce((t, v) => t + v, 0) / values.length;
  const [ma, mb] = [mean(a), mean(b)];
  let [ab, aa, bb] = [0, 0, 0];
  a.forEach((value, i) => {
    ab += (value - ma) * (b[i]! - mb);
    aa += (value - ma) ** 2;
    bb += (b[i]! - mb) ** 2;
  });
  return Math.abs(ab / Math.sqrt(aa * bb)) * Math.sqrt(a.length);
}

Deno.test("fourierFeatures() draws uniform times, bit-identical to the host's", async () => {
  using engine = await Engine.open();
  const [[values]] = await drawn(engine, [7], [3], uniformFrom(91, rows)) as [[Float32Array]];
  assertEquals(values, Float32Array.from(uniform(7, 91, 3, rows * columns)));
  assert(values.every((u) => u >= 0 && u < 1));
  assert(distance(values, (u) => u) < rareDistance);
  assert(deviation(values, (u) => u, 1 / 2, 1 / 12) < rare, "mean");
  assert(deviation(values, (u) => (u - 0.5) ** 2, 1 / 12, 1 / 180) < rare, "variance");
  // Checks the lowest bit too: an odd multiple of 2⁻²⁴.
  assert(deviation(values, (u) => (u * 2 ** 24) % 2, 1 / 2, 1 / 4) < rare, "lowest bit");
});

Deno.test("noising() draws standard normal numbers that match the host's up to rounding", async () => {
  using engine = await Engine.open();
  const [[values]] = await drawn(engine, [7], [3], normalFrom(92, rows)) as [[Float32Array]];
  const width = 8;
  const host = normal(7, 92, 3, rows * width).filter((_, i) => i % width < columns);
  values.forEach((value, i) => assert(Math.abs(value - host[i]!) < 5e-5, `${value}, ${host[i]}`));
  assert(distance(values, normalCumulative) < rareDistance);
  // Means and variances of the powers: 0 and 1, 1 and 2, 0 and 15, 3 and 96.
  [[0, 1], [1, 2], [0, 15], [3, 96]].forEach(([mean, variance], i) =>
    assert(deviation(values, (z) => z ** (i + 1), mean!, variance!) < rare, `moment ${i + 1}`)
  );
  const beyond = 2 * (1 - normalCumulative(3));
  assert(
    deviation(values, (z) => Number(Math.abs(z) > 3), beyond, beyond * (1 - beyond)) < rare,
    "tails",
  );
});

Deno.test("dropout() keeps entries with the given rate and scales them to preserve the mean", async () => {
  using engine = await Engine.open();
  const [[values]] = await drawn(engine, [7], [3], keptFrom(93, rows)) as [[Float32Array]];
  assertEquals(new Set(values), new Set([0, Math.fround(Math.fround(0.9) * Math.fround(1 / 0.9))]));
  assert(deviation(values, (y) => Number(y > 0), 0.9, 0.09) < rare);
});

for (
  const [name, from] of [["uniform", uniformFrom], ["normal", normalFrom], [
    "keep",
    keptFrom,
  ]] as const
) {
  Deno.test(`${name} numbers: streams, seeds, steps and neighboring entries are independent`, async () => {
    using engine = await Engine.open();
    const one = await drawn(engine, [0, 1, 2], [0, 1, 1000], from(94, fewRows));
    const other = await drawn(engine, [0, 1, 2], [0, 1, 1000], from(95, fewRows));
    const all = [...one.flat(), ...other.flat()];
    all.forEach((a, i) =>
      all.slice(i + 1).forEach((b, j) =>
        assert(correlation(a, b) < 4.4, `draws ${i} and ${i + 1 + j}`)
      )
    );
    for (const lag of [1, 2, 3, 4, columns]) {
      const [a, b] = [all[0]!.subarray(lag), all[0]!.subarray(0, -lag)];
      assert(correlation(a, b) < 4.4, `lag ${lag}`);
    }
    // The numbers of a step do not depend on the steps before it.
    const [[again]] = await drawn(engine, [1], [1000], from(94, fewRows)) as [[Float32Array]];
    assertEquals(again, one[2]![1]!);
  });
}
