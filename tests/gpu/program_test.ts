import { assertAlmostEquals, assertEquals, assertRejects } from "@std/assert";
import { writeInput } from "../../lib/autodiff/compile.ts";
import { Engine } from "../../lib/autodiff/engine.ts";
import { Graph } from "../../lib/autodiff/graph.ts";
import { linear } from "../../lib/autodiff/ops/linear.ts";
import { meanSquaredError } from "../../lib/autodiff/ops/squared_error.ts";
import { ParameterSet } from "../../lib/autodiff/parameters.ts";
import { Gpu } from "../../lib/gpu/device.ts";
import { maxChunk } from "../../lib/gpu/program.ts";
import { constant, minimize } from "../../lib/optim/adam.ts";

/** Creates a program that fits a line, y = w x + b, to y = 3 x + 1. */
async function line(engine: Engine) {
  const graph = new Graph({ seeds: [0] });
  const x = graph.input(8, 1);
  const y = graph.input(8, 1);
  const parameters = new ParameterSet(graph, [
    { name: "weight", rows: 1, segments: [1], vector: false },
    { name: "bias", rows: 1, segments: [1], vector: true },
  ], 1);
  const found = linear(graph, x, {
    weight: parameters.get("weight"),
    bias: parameters.get("bias"),
  });
  minimize(graph, meanSquaredError(graph, "loss", found, y), parameters, {
    learningRate: constant(0.05),
  });
  const program = await engine.compile(graph);
  const xs = Float32Array.from({ length: 8 }, (_, i) => i / 4 - 1);
  writeInput(program, x, xs);
  writeInput(program, y, xs.map((value) => 3 * value + 1));
  parameters.write(
    program,
    0,
    new Map([["weight", Float32Array.of(0)], ["bias", Float32Array.of(0)]]),
  );
  return { program, parameters };
}

Deno.test("Program.submit() resolves with the metrics of every step, in order", async () => {
  using engine = await Engine.open();
  const { program, parameters } = await line(engine);
  const losses: number[] = [];
  // As in training, the next chunk is submitted before the previous one is awaited.
  let pending = program.submit(0, 100);
  for (let first = 100; first < 400; first += 100) {
    const next = program.submit(first, 100);
    losses.push(...await pending);
    pending = next;
  }
  losses.push(...await pending);
  assertEquals(losses.length, 400);
  assertAlmostEquals(losses[0]!, 4.25 - 0.75, 1);
  assertEquals(losses.slice(1, 20).every((loss, i) => loss < losses[i]!), true);
  assertEquals(losses.at(-1)! < 1e-3 * losses[0]!, true);
  const [values] = await parameters.read(program);
  assertAlmostEquals(values!.get("weight")![0]!, 3, 0.05);
  assertAlmostEquals(values!.get("bias")![0]!, 1, 0.05);
  await assertRejects(
    () => program.submit(0, maxChunk + 1),
    RangeError,
    "must be from 1 to 512, got 513",
  );
  await assertRejects(() => program.submit(0, 0), RangeError);
  program.destroy();
});

Deno.test("Program.submit() is bit-identical for all chunk sizes", async () => {
  using engine = await Engine.open();
  const runs: Float32Array[] = [];
  for (const chunk of [1, 7, 50]) {
    const { program, parameters } = await line(engine);
    for (let first = 0; first < 50; first += chunk) {
      await program.submit(first, Math.min(chunk, 50 - first));
    }
    const [values] = await parameters.read(program);
    runs.push(Float32Array.of(values!.get("weight")![0]!, values!.get("bias")![0]!));
    program.destroy();
  }
  assertEquals(runs[1], runs[0]!);
  assertEquals(runs[2], runs[0]!);
});

Deno.test("Program.submit() allocates nothing per step and uploads once per chunk", async () => {
  using engine = await Engine.open();
  const { program } = await line(engine);
  const { device } = engine.gpu;
  // Two chunks are in flight at a time. From then on, each has its own staging buffer, and each row
  // of the scalars its bind group.
  await Promise.all([program.submit(0, 64), program.submit(64, 64)]);
  const counts: Record<string, number> = {};
  const count = (object: object, name: string) => {
    const original = Reflect.get(object, name) as (...args: unknown[]) => unknown;
    counts[name] = 0;
    Object.defineProperty(object, name, {
      value: (...args: unknown[]) => {
        counts[name]!++;
        return original.apply(object, args);
      },
    });
  };
  for (
    const name of [
      "createBuffer",
      "createBindGroup",
      "createBindGroupLayout",
      "createPipelineLayout",
      "createShaderModule",
      "createComputePipeline",
      "createComputePipelineAsync",
      "createCommandEncoder",
    ]
  ) count(device, name);
  for (const name of ["writeBuffer", "submit"]) count(device.queue, name);
  let pending = program.submit(128, 64);
  for (let chunk = 1; chunk < 5; chunk++) {
    const next = program.submit(128 + 64 * chunk, 64);
    await pending;
    pending = next;
  }
  await pending;
  assertEquals(counts, {
    createBuffer: 0,
    createBindGroup: 0,
    createBindGroupLayout: 0,
    createPipelineLayout: 0,
    createShaderModule: 0,
    createComputePipeline: 0,
    createComputePipelineAsync: 0,
    createCommandEncoder: 5,
    writeBuffer: 5,
    submit: 5,
  });
  program.destroy();
});

Deno.test("Program.submit() throws an error that the GPU has reported", async () => {
  using engine = await Engine.open();
  const { program } = await line(engine);
  await program.submit(0, 1);
  const { device } = engine.gpu;
  // A copy past the end of a buffer: valid JavaScript, rejected by the GPU's validation.
  const small = device.createBuffer({ size: 16, usage: GPUBufferUsage.COPY_DST });
  device.queue.writeBuffer(small, 8, new Float32Array(4));
  await assertRejects(() => program.submit(1, 1), Error, "the GPU reported an error");
  await assertRejects(() => program.submit(2, 1), Error, "the GPU reported an error");
});

Deno.test("Program.submit() throws after the device is lost", async () => {
  using engine = await Engine.open();
  const { program } = await line(engine);
  await program.submit(0, 1);
  engine.gpu.device.destroy();
  await assertRejects(() => program.submit(1, 1), Error, "device was lost");
});

Deno.test("Gpu.buffer() rejects a buffer that exceeds the binding limit, and names both", async () => {
  const gpu = await Gpu.open();
  try {
    const size = gpu.limits.maxStorageBufferBindingSize + 16;
    let message = "";
    try {
      gpu.buffer("activations", size);
    } catch (error) {
      message = (error as Error).message;
    }
    assertEquals(/^activations needs \d+ MiB .* binds at most \d+ MiB\./.test(message), true);
  } finally {
    gpu.close();
  }
});
