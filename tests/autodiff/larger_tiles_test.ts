/** Dispatches with many results use larger tiles, which give the same bits. */
import { assertEquals } from "@std/assert";
import { compile, readTensor, writeInput } from "../../lib/autodiff/compile.ts";
import { gradients } from "../../lib/autodiff/gradients.ts";
import { Graph } from "../../lib/autodiff/graph.ts";
import { linear } from "../../lib/autodiff/ops/linear.ts";
import { ParameterSet } from "../../lib/autodiff/parameters.ts";
import { uniform } from "../../lib/autodiff/random.ts";
import { schedule } from "../../lib/autodiff/schedule.ts";
import type { Tensor } from "../../lib/autodiff/tensor.ts";
import { Gpu } from "../../lib/gpu/device.ts";
import { KernelCache } from "../../lib/gpu/kernel.ts";
import {
  largerTilesOf,
  shapeClasses,
  type Target,
  targetOf,
  type TileName,
  tileOf,
} from "../../lib/gpu/target.ts";

const tiled = targetOf("tiled");
const small = tiled.tiles.NT.medium;
const larger = largerTilesOf(small, "NT");

/** Records y = x Wᵀ + b of two networks per seed that share x, and the gradient of x. */
function layer(seeds: number, rows: number, inputs: number, outputs: number) {
  const graph = new Graph({ seeds: Array.from({ length: seeds }, (_, seed) => seed) });
  const x = graph.input(rows, inputs);
  const upstream = graph.input(rows, outputs, 2 * seeds);
  const parameters = new ParameterSet(graph, [
    { name: "weight", rows: outputs, segments: [inputs], vector: false },
    { name: "bias", rows: 1, segments: [outputs], vector: true },
  ], 2 * seeds);
  const weight = parameters.get("weight");
  const y = linear(graph, x, { weight, bias: parameters.get("bias") });
  const [dx] = gradients(graph, { tensor: y, upstream }, [x]) as [Tensor];
  return { graph, x, upstream, parameters, y, dx };
}

Deno.test("products through workgroup memory give the same bits with every tile", async () => {
  const gpu = await Gpu.open();
  try {
    const kernels = new KernelCache(gpu);
    const bitsOf = async (tile: TileName) => {
      const all = () => Object.fromEntries(shapeClasses.map((shape) => [shape, tile]));
      const target = { ...tiled, tiles: { ...tiled.tiles, NT: all(), NN: all() } } as Target;
      const { graph, x, upstream, parameters, y, dx } = layer(2, 70, 37, 150);
      const program = await compile(gpu, kernels, target, graph, [y, dx]);
      const numbers = (step: number, count: number) =>
        Float32Array.from(uniform(0, 0, step, count), (u) => u - 0.5);
      writeInput(program, x, numbers(0, 2 * 70 * 37));
      writeInput(program, upstream, numbers(1, 4 * 70 * 150));
      for (let n = 0; n < 4; n++) {
        const values = new Map([["weight", numbers(2 + n, 150 * 37)], [
          "bias",
          numbers(6 + n, 150),
        ]]);
        parameters.write(program, n, values);
      }
      const [, ...results] = await Promise.all([
        program.submit(0, 1),
        readTensor(program, y),
        readTensor(program, dx),
      ]);
      program.destroy();
      return results.map((values) => new Uint32Array(values.buffer));
    };
    const expected = await bitsOf(small);
    for (const { tile } of larger) assertEquals(await bitsOf(tile), expected, tile);
  } finally {
    gpu.close();
  }
});

Deno.test("dispatches with many results use larger tiles, except for weight gradients", () => {
  const tilesOf = (seeds: number) => {
    const { graph, parameters, y, upstream } = layer(seeds, 256, 256, 256);
    gradients(graph, { tensor: y, upstream }, [parameters.get("weight")]);
    return schedule(graph.operations, tiled).map(({ kernel }) => [
      kernel.directives!.find((directive) => ["NT", "NN", "TN"].includes(directive)),
      kernel.tile,
    ]);
  };
  const of = (name: TileName) => tileOf(name)!;
  const [first, second] = larger.map(({ tile }) => of(tile));
  // NT has 2 × 2¹⁶ results per seed, NN has 2¹⁶.
  const few = [["NT", of(small)], ["NN", of(small)], ["TN", of(small)]];
  assertEquals(tilesOf(7).toSorted(), few.toSorted());
  const some = [["NT", first], ["NN", of(small)], ["TN", of(small)]];
  assertEquals(tilesOf(8).toSorted(), some.toSorted());
  const many = [["NT", second], ["NN", first], ["TN", of(small)]];
  assertEquals(tilesOf(20).toSorted(), many.toSorted());
});
