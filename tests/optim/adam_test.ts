/**
 * Compares Adam merged into the kernels that compute gradients with Adam in its own dispatch.
 * `tests/autodiff/pytorch_ops_test.ts` compares the latter with PyTorch, and `tests/parity_test.ts`
 * compares whole stages.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { Engine } from "../../lib/autodiff/engine.ts";
import { gradients } from "../../lib/autodiff/gradients.ts";
import { Graph } from "../../lib/autodiff/graph.ts";
import { add } from "../../lib/autodiff/ops/entrywise.ts";
import { meanSquaredError } from "../../lib/autodiff/ops/squared_error.ts";
import { ParameterSet } from "../../lib/autodiff/parameters.ts";
import { uniform } from "../../lib/autodiff/random.ts";
import { writeInput } from "../../lib/autodiff/compile.ts";
import {
  type MatmulVariant,
  matmulVariants,
  portableTarget,
  targetOf,
} from "../../lib/gpu/target.ts";
import { mlp, mlpShapes } from "../../lib/nn/mlp.ts";
import { adam, constant, minimize } from "../../lib/optim/adam.ts";

const rows = 37;
const replicas = 2;
const sizes = { inputs: [14], hidden: [70, 33], outputs: 3 };
const options = { learningRate: constant(1e-2), weightDecay: 1e-2 };

/** Returns parameters, moments and targets after four steps, and the kernels of a step. */
async function trained(engine: Engine, inProducts: boolean) {
  const graph = new Graph({ seeds: [0, 1] });
  const shapes = mlpShapes(sizes);
  const parameters = new ParameterSet(graph, shapes, replicas);
  const target = { parameters: new ParameterSet(graph, shapes, replicas), rate: constant(0.1) };
  const x = graph.input(rows, 14);
  const goal = graph.input(rows, sizes.outputs);
  const loss = meanSquaredError(graph, "loss", mlp(graph, parameters, x), goal);
  const optimizer = inProducts ? minimize(graph, loss, parameters, { ...options, target }) : adam(
    graph,
    parameters,
    parameters.gather(gradients(graph, loss, parameters.tensors)),
    { ...options, target },
  );
  const program = await engine.compile(graph);
  let stream = 0;
  const numbers = (count: number) =>
    Float32Array.from(uniform(7, stream++, 0, count), (u) => u - 0.5);
  for (let replica = 0; replica < replicas; replica++) {
    for (const family of [parameters, target.parameters]) {
      const values = shapes.map(({ name, rows, segments }) => {
        const columns = segments.reduce((total, width) => total + width, 0);
        return [name, numbers(rows * columns)] as const;
      });
      family.write(program, replica, new Map(values));
    }
  }
  for (const input of [x, goal]) {
    writeInput(program, input, numbers(replicas * input.rows * input.columns));
  }
  const kernels = program.kernelNames;
  await program.submit(0, 4);
  const storages = [
    parameters.storage,
    optimizer.mean,
    optimizer.square,
    target.parameters.storage,
  ];
  const values = [];
  for (const storage of storages) {
    const read = await parameters.read(program, storage);
    values.push(read.flatMap((replica) => [...replica.values()].flatMap((array) => [...array])));
  }
  program.destroy();
  return { kernels, values };
}

Deno.test("minimize() takes the same step in the kernels of the gradients as in a separate dispatch", async (t) => {
  for (const variant of matmulVariants) {
    using engine = await Engine.open(portableTarget);
    const ignore = variant === "subgroups" && !engine.gpu.adapter.subgroups;
    await t.step({ name: variant, ignore, fn: () => compare(variant) });
  }
});

async function compare(variant: MatmulVariant): Promise<void> {
  using engine = await Engine.open(targetOf(variant));
  const fused = await trained(engine, true);
  const apart = await trained(engine, false);
  assertEquals(apart.kernels.filter((kernel) => kernel === "adam").length, 1);
  assertEquals(fused.kernels.length, apart.kernels.length - 1);
  assert(!fused.kernels.includes("adam"));
  // A compiler may fuse a multiplication and an addition in one kernel and not in the other.
  fused.values.forEach((values, i) => {
    const worst = Math.max(...values.map((value, k) => Math.abs(value - apart.values[i]![k]!)));
    assert(worst <= 1e-6, `storage ${i} differs by ${worst}`);
    assert(values.some((value) => value !== 0));
  });
}

Deno.test("minimize() uses a separate Adam dispatch if a gradient is a sum", async () => {
  using engine = await Engine.open();
  const graph = new Graph({ seeds: [0] });
  const parameters = new ParameterSet(
    graph,
    mlpShapes({ inputs: [4], hidden: [8], outputs: 4 }),
    1,
  );
  const once = mlp(graph, parameters, graph.input(8, 4));
  const twice = mlp(graph, parameters, once);
  const loss = meanSquaredError(graph, "loss", add(graph, once, twice), graph.input(8, 4));
  minimize(graph, loss, parameters, options);
  const program = await engine.compile(graph);
  const kernels = program.kernelNames;
  program.destroy();
  assertEquals(kernels.at(-1), "adam");
});

Deno.test("minimize() clips the norm over all networks and parameters of a seed, separately for each seed", async () => {
  using engine = await Engine.open();
  const clipNorm = 0.1;
  // Rows of 64 columns have padding between them.
  const shapes = mlpShapes({ inputs: [64], hidden: [64, 6], outputs: 3 });
  const graph = new Graph({ seeds: [0, 1] });
  const parameters = new ParameterSet(graph, shapes, 4);
  const x = graph.input(rows, 64);
  const goal = graph.input(rows, 3, 4);
  const loss = meanSquaredError(graph, "loss", mlp(graph, parameters, x), goal);
  const optimizer = minimize(graph, loss, parameters, { learningRate: constant(0.01), clipNorm });
  const program = await engine.compile(graph);
  assertEquals(program.kernelNames.slice(-2), ["squared sums", "adam"]);
  // The padding between the rows of a gradient has arbitrary contents.
  const floats = program.arenaBytes("activations") / 4;
  program.write("activations", 0, new Float32Array(floats).fill(1e3));
  let stream = 0;
  const numbers = (count: number, scale: number) =>
    Float32Array.from(uniform(9, stream++, 0, count), (u) => scale * (u - 0.5));
  // The second seed has small networks and goals. Its gradient is small and stays unclipped.
  const scales = [1, 1, 0.1, 0.1];
  for (const [replica, scale] of scales.entries()) {
    const values = shapes.map(({ name, rows, segments }) =>
      [name, numbers(rows * segments[0]!, 0.5 * scale)] as const
    );
    parameters.write(program, replica, new Map(values));
  }
  writeInput(program, x, numbers(2 * rows * 64, 1));
  const goals = scales.flatMap((scale) => [...numbers(rows * 3, 0.5 * scale)]);
  writeInput(program, goal, Float32Array.from(goals));
  await program.submit(0, 1);
  const [gradients, means] = await Promise.all(
    [optimizer.gradient.storage, optimizer.mean].map((storage) =>
      parameters.read(program, storage)
    ),
  );
  program.destroy();
  const flat = (networks: typeof means) =>
    networks!.flatMap((network) => [...network.values()].flatMap((values) => [...values]));
  const norms = [0, 1].map((seed) => {
    const gradient = flat(gradients!.slice(2 * seed, 2 * seed + 2));
    const norm = Math.hypot(...gradient);
    const scale = Math.min(1, clipNorm / (norm + 1e-6));
    const mean = flat(means!.slice(2 * seed, 2 * seed + 2));
    const worst = Math.max(...mean.map((value, i) => Math.abs(value - 0.1 * scale * gradient[i]!)));
    assert(worst < 1e-8, `seed ${seed}: off by ${worst}`);
    return norm;
  });
  assert(norms[0]! > 2 * clipNorm && norms[1]! < clipNorm, `norms ${norms}`);
});
