/**
 * Our engine as a contestant.
 *
 * Steps are submitted as in training: in chunks of about a quarter of a second, with the next chunk
 * submitted before the last is awaited, and with every step's metrics read back.
 *
 * @module
 */
import { Engine } from "../../lib/autodiff/engine.ts";
import { gradients } from "../../lib/autodiff/gradients.ts";
import { Graph } from "../../lib/autodiff/graph.ts";
import { writeInput } from "../../lib/autodiff/compile.ts";
import { linear } from "../../lib/autodiff/ops/linear.ts";
import { meanSquaredError } from "../../lib/autodiff/ops/squared_error.ts";
import { ParameterSet, type ParameterValues } from "../../lib/autodiff/parameters.ts";
import type { Tensor } from "../../lib/autodiff/tensor.ts";
import { adapterText } from "../../lib/gpu/device.ts";
import { computeAlone } from "../../lib/gpu/software_threads.ts";
import { maxChunk, type Program } from "../../lib/gpu/program.ts";
import { linearShapes } from "../../lib/nn/initialization.ts";
import { mlp, mlpShapes } from "../../lib/nn/mlp.ts";
import { constant, minimize } from "../../lib/optim/adam.ts";
import { layers, samples, sampleSeeds } from "../support/samples.ts";
import type { ProductTask, StepTask, Task } from "../support/tasks.ts";
import { type Ready, serve } from "../support/worker.ts";
import { sampleStage, timedStage } from "./stages.ts";

/** Seconds of work in one submission. */
const chunkSeconds = 0.25;

/** Replays a program. Each call continues after the previous one. */
export function replayed(program: Program): Ready {
  let next = 0;
  return {
    about: { dispatches: program.dispatchesPerStep, bytes: program.bytes },
    run: async (steps, expected) => {
      const chunk = Math.min(maxChunk, Math.max(1, Math.round(chunkSeconds / expected)));
      const end = next + steps;
      let last: Promise<unknown> = Promise.resolve();
      while (next < end) {
        const count = Math.min(chunk, end - next);
        const submitted = program.submit(next, count);
        next += count;
        await last;
        last = submitted;
      }
      await last;
    },
  };
}

/** The perceptron of the peers' table: 28-256-256-1, batch 256, mean squared error, Adam. */
async function perceptron(engine: Engine) {
  const graph = new Graph({ seeds: [0] });
  const x = graph.input(256, 28);
  const y = graph.input(256, 1);
  const shape = { inputs: [28], hidden: [256, 256], outputs: 1 };
  const parameters = new ParameterSet(graph, mlpShapes(shape), 1);
  const loss = meanSquaredError(graph, "loss", mlp(graph, parameters, x), y);
  minimize(graph, loss, parameters, { learningRate: constant(3e-4) });
  const program = await engine.compile(graph);
  const weights = layers(sampleSeeds.mlp, [28, 256, 256, 1]);
  parameters.write(program, 0, named(parameters, weights));
  writeInput(program, x, samples(sampleSeeds.state, 256 * 28));
  writeInput(program, y, samples(sampleSeeds.reward, 256));
  return { program, graph };
}

/** Maps values to parameter names, in parameter order. */
function named(parameters: ParameterSet, values: readonly Float32Array[]): ParameterValues {
  return new Map(parameters.shapes.map(({ name }, i) => [name, values[i]!]));
}

/** One of a linear layer's three products, alone in its program. */
async function product(engine: Engine, { form, rows, inputs, outputs }: ProductTask) {
  const graph = new Graph({ seeds: [0] });
  const x = graph.input(rows, inputs);
  const dy = graph.input(rows, outputs);
  const parameters = new ParameterSet(graph, linearShapes("0", [inputs], outputs), 1);
  const [weight, bias] = parameters.tensors as [Tensor, Tensor];
  const y = linear(graph, x, { weight, bias });
  if (form !== "forward") {
    gradients(graph, { tensor: y, upstream: dy }, [form === "input" ? x : weight]);
    // Neither gradient needs the result.
    graph.operations.shift();
  }
  const program = await engine.compile(graph);
  parameters.write(program, 0, named(parameters, layers(sampleSeeds.mlp, [inputs, outputs])));
  writeInput(program, x, samples(sampleSeeds.state, rows * inputs));
  writeInput(program, dy, samples(sampleSeeds.noise, rows * outputs));
  return program;
}

async function prepare(engine: Engine, task: Task): Promise<Ready> {
  switch (task.step) {
    case "product":
      return replayed(await product(engine, task));
    case "mlp":
      return replayed((await perceptron(engine)).program);
    default:
      return replayed(await timedStage(engine, task));
  }
}

async function losses(engine: Engine, task: StepTask, steps: number): Promise<number[]> {
  const { program, graph } = task.step === "mlp"
    ? await perceptron(engine)
    : await sampleStage(engine, task);
  const rows = await program.submit(0, steps);
  program.destroy();
  const reported = graph.metrics.filter(({ name }) => name.startsWith("loss"));
  const width = graph.metricsWidth;
  return Array.from(
    { length: steps },
    (_, step) => reported.map(({ index }) => rows[step * width + index]!),
  ).flat();
}

if (import.meta.main) {
  // As in training, where such small networks compute in one thread.
  if (Deno.args.includes("--tiny")) computeAlone();
  using engine = await Engine.open();
  await serve({
    device: `${adapterText(engine.gpu.adapter)} (matrix products: ${engine.target.matmul})`,
    prepare: (task) => prepare(engine, task),
    losses: (task, steps) => losses(engine, task as StepTask, steps),
  });
}
