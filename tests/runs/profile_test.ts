import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "node:path";
import { Engine } from "../../lib/autodiff/engine.ts";
import { writeInput } from "../../lib/autodiff/compile.ts";
import { Graph } from "../../lib/autodiff/graph.ts";
import { linear } from "../../lib/autodiff/ops/linear.ts";
import { meanSquaredError } from "../../lib/autodiff/ops/squared_error.ts";
import { ParameterSet } from "../../lib/autodiff/parameters.ts";
import { TrainingStep } from "../../lib/autodiff/training_step.ts";
import { constant, minimize } from "../../lib/optim/adam.ts";
import { profileStage } from "../../lib/runs/profile.ts";

const writable = Deno.permissions.querySync({ name: "write" }).state === "granted" &&
  Deno.permissions.querySync({ name: "read" }).state === "granted";

/** Compiles a program that fits a linear layer of 12 inputs and 8 outputs to a batch of 40 rows. */
async function layer(engine: Engine) {
  const graph = new Graph({ seeds: [0, 1] });
  const x = graph.input(40, 12);
  const y = graph.input(40, 8);
  const parameters = new ParameterSet(graph, [
    { name: "weight", rows: 8, segments: [12], vector: false },
    { name: "bias", rows: 1, segments: [8], vector: true },
  ], 2);
  const [weight, bias] = [parameters.get("weight"), parameters.get("bias")];
  const loss = meanSquaredError(graph, "loss", linear(graph, x, { weight, bias }), y);
  minimize(graph, loss, parameters, { learningRate: constant(0.05) });
  const program = await engine.compile(graph);
  for (const tensor of [x, y]) {
    const numbers = new Float32Array(tensor.replicas * tensor.rows * tensor.columns);
    writeInput(program, tensor, numbers.map((_, i) => Math.sin(i)));
  }
  return { graph, program, parameters };
}

Deno.test("Program.profile() changes nothing and returns the work of every dispatch", async () => {
  using engine = await Engine.open();
  const { program } = await layer(engine);
  const { program: twin } = await layer(engine);
  const before = await program.submit(0, 5);
  assertEquals(before, await twin.submit(0, 5));
  const dispatches = program.timed ? await program.profile(5, 3) : program.dispatches;
  // If the replays changed the weights, the next losses would differ.
  assertEquals(await program.submit(5, 5), await twin.submit(5, 5));

  assertEquals(dispatches.map(({ kernel }) => kernel), program.kernelNames);
  const flops = dispatches.reduce((total, { work }) => total + work!.flops, 0);
  // Two networks, each with the layer and the gradient of its weight.
  assertEquals(flops, 2 * 2 * (2 * 40 * 12 * 8));
  const forward = dispatches.find(({ work }) => work!.operations.includes("linear"))!;
  assertEquals(forward.jobs, 2);
  // The batch, the weights, the biases and the result, four bytes per number.
  assertEquals(forward.work!.bytes, 2 * 4 * (40 * 12 + 12 * 8 + 8 + 40 * 8));
  if (program.timed) {
    const times = dispatches as Awaited<ReturnType<typeof program.profile>>;
    assert(times.every(({ seconds, start }) => seconds > 0 && start >= 0));
    times.slice(1).forEach(({ start }, i) => assert(start >= times[i]!.start));
  }
  program.destroy();
  twin.destroy();
});

Deno.test("Program.bytes matches the planned arenas plus a small overhead", async () => {
  using engine = await Engine.open();
  const { program, parameters } = await layer(engine);
  // It includes weights, their two moments and their gradient, for two networks.
  assert(program.arenaBytes("parameters") >= 3 * 2 * parameters.whole.columns * 4);
  const arenas = ["parameters", "activations", "metrics"].reduce(
    (total, arena) => total + program.arenaBytes(arena),
    0,
  );
  assertEquals(arenas, program.plannedBytes);
  const bare = program.bytes;
  await program.submit(0, 3);
  // The first chunk allocates the readback buffer, which then counts.
  assertEquals(program.bytes, bare + 2 * 4 * 512);
  program.destroy();
});

Deno.test({
  name: "profileStage() writes a table and a Chrome trace with one event per dispatch",
  ignore: !writable,
  fn: async () => {
    const folder = Deno.makeTempDirSync();
    try {
      using engine = await Engine.open();
      const { graph, program } = await layer(engine);
      const step = new TrainingStep([graph], [program]);
      const { text, files } = await profileStage(engine, step, "critic", 0, folder);
      assertStringIncludes(Deno.readTextFileSync(join(folder, "profile-critic.txt")), text);
      assertStringIncludes(text, "linear parameter gradient");
      assertStringIncludes(text, engine.gpu.adapter.name);
      if (program.timed) {
        const { traceEvents } = JSON.parse(Deno.readTextFileSync(files[1]!));
        const events = traceEvents.filter(({ ph }: { ph: string }) => ph === "X");
        assertEquals(events.length, program.dispatchesPerStep);
        assert(events.every(({ ts, dur }: { ts: number; dur: number }) => ts >= 0 && dur > 0));
      }
      program.destroy();
    } finally {
      Deno.removeSync(folder, { recursive: true });
    }
  },
});
