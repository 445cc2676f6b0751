/** Training runs of Diffusion-QL with tiny networks. */
import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { join } from "node:path";
import { diffusionQl } from "../../../lib/algorithms/diffusion-ql/algorithm.ts";
import { readTensor } from "../../../lib/autodiff/compile.ts";
import { Engine } from "../../../lib/autodiff/engine.ts";
import { Graph } from "../../../lib/autodiff/graph.ts";
import { normal } from "../../../lib/autodiff/random.ts";
import { ReplayBuffer } from "../../../lib/data/replay_buffer.ts";
import { evaluateHere } from "../../../lib/envs/evaluate_here.ts";
import { RandomStream } from "../../../lib/envs/random.ts";
import { evaluationSeeds } from "../../../lib/envs/seeds.ts";
import { RunDirectory } from "../../../lib/runs/directory.ts";
import { variantsOf } from "../../../lib/runs/replicas.ts";
import { decode } from "../../../lib/runs/safetensors.ts";
import { openTrained } from "../../../lib/runs/trained.ts";
import type { TrainingRun } from "../../../lib/runs/run.ts";
import { trainStages } from "../../../lib/runs/training_run.ts";
import { runIn } from "../../runs/tiny_run.ts";

const ignore = ["read", "write"].some((name) =>
  Deno.permissions.querySync({ name: name as "read" }).state !== "granted"
);
const stage = diffusionQl.stages[0]!;
const h = diffusionQl.hyperparameters.valuesFor("maze2d", "quick", {
  steps: 17,
  batchSize: 8,
  width: 8,
  diffusionSteps: 3,
  averageFrom: 4,
  learningRate: 0.01,
});

/** Random data with Maze2d's state and action sizes. */
function bufferOn(engine: Engine): ReplayBuffer {
  const rows = 200;
  const numbers = (stream: number, count: number) => Float32Array.from(normal(1, stream, 0, count));
  return new ReplayBuffer(engine.gpu, {
    rows,
    observationSize: 4,
    actionSize: 2,
    observations: numbers(1, rows * 4),
    actions: numbers(2, rows * 2).map(Math.tanh),
    terminals: Float32Array.from({ length: rows }, (_, i) => Number(i % 50 === 49)),
    transitions: Uint32Array.from({ length: rows - 1 }, (_, i) => i),
  }, numbers(3, rows));
}

Deno.test({
  name: "diffusionQl: trains, resumes bit-identically, sweeps etas and acts in the maze",
  ignore,
  fn: async (t) => {
    const root = Deno.makeTempDirSync();
    using engine = await Engine.open();
    const buffer = bufferOn(engine);
    const train = (name: string, more: Partial<TrainingRun> = {}) =>
      trainStages(runIn(join(root, name), { engine, buffer }, {
        algorithm: diffusionQl,
        hyperparameters: h,
        stages: [stage.name],
        ...more,
      }));
    const tensorsOf = (name: string) => {
      const file = new RunDirectory(join(root, name)).checkpoint(stage.name);
      return decode(Deno.readFileSync(file), file).tensors;
    };
    try {
      await train("whole");
      const whole = tensorsOf("whole");

      await t.step(
        "a run resumed from step 7 is bit-identical to an uninterrupted one",
        async () => {
          await train("parts", { hyperparameters: { ...h, steps: 7 } });
          assertNotEquals(tensorsOf("parts"), whole);
          await train("parts", { resume: true });
          assertEquals(tensorsOf("parts"), whole);
        },
      );

      await t.step(
        "the averaged actor is constant until its first update, then follows the actor",
        async () => {
          const weight = (name: string, of: string) =>
            tensorsOf(name).get(`${of}.model.final_layer.weight`)!.data;
          await train("before", { hyperparameters: { ...h, steps: 5 } });
          await train("after", { hyperparameters: { ...h, steps: 6 } });
          await train("later", { hyperparameters: { ...h, steps: 10 } });
          await train("start", { hyperparameters: { ...h, steps: 1 } });
          assertNotEquals(weight("before", "actor"), weight("start", "actor"));
          assertEquals(weight("before", "ema_model"), weight("start", "ema_model"));
          assertNotEquals(weight("after", "ema_model"), weight("start", "ema_model"));
          assertEquals(weight("later", "ema_model"), weight("after", "ema_model"));
          assertNotEquals(weight("whole", "ema_model"), weight("after", "ema_model"));
        },
      );

      await t.step(
        "each seed and eta of a sweep is bit-identical to training it separately",
        async () => {
          const variants = variantsOf(diffusionQl, h, { etas: [0.5, 4] });
          await train("sweep", { seeds: [3, 7], variants });
          await train("alone", { seeds: [7], hyperparameters: { ...h, eta: 4 } });
          assertEquals(tensorsOf("sweep/seed-7-eta-4"), tensorsOf("alone"));
          assertNotEquals(tensorsOf("sweep/seed-7-eta-0.5"), tensorsOf("alone"));
        },
      );

      await t.step("the run acts with the trained networks", async () => {
        await new RunDirectory(join(root, "whole")).writeConfig({
          version: "0",
          algorithm: diffusionQl.name,
          task: "maze2d-umaze-v1",
          seeds: [3],
          stages: [stage.name],
          data: { file: "data.hdf5", sha256: "00ff", rows: 200 },
          adapter: {},
          hyperparameters: { ...h },
        });
        const { policy, way } = openTrained(join(root, "whole")).load(null, { candidates: 4 });
        assertEquals(way, "diffusion-ql");
        const actor = diffusionQl.actors[0]!;
        const direct = actor.act({ agent: { source: "run", tensors: whole } }, { candidates: 4 });
        const observation = Float64Array.of(0.5, -0.2, 0.1, 0.3);
        const act = (each: typeof policy) => [...each.act(observation, [new RandomStream(2)])];
        assertEquals(act(policy), act(direct));
        const episodes = await evaluateHere(policy, "maze2d-umaze-v1", evaluationSeeds(0, 1));
        assert(episodes[0]!.length > 0);
      });
    } finally {
      buffer.destroy();
      Deno.removeSync(root, { recursive: true });
    }
  },
});

Deno.test("diffusionQl: times from 0 to T − 1 and the two Q-networks are drawn with equal probability", async () => {
  using engine = await Engine.open();
  const buffer = bufferOn(engine);
  const graph = new Graph({ seeds: [1, 2] });
  const { tensors } = await stage.describe(graph, buffer, { ...h, batchSize: 60 }, [h, h]);
  const [time, head] = [tensors["time"]!, tensors["head"]!];
  const program = await engine.compile(graph, [time, head]);
  const counts = { time: [0, 0, 0], head: [0, 0] };
  let differ = 0;
  const steps = 60;
  for (let step = 0; step < steps; step++) {
    await program.submit(step, 1);
    for (const t of await readTensor(program, time)) counts.time[t]!++;
    const heads = await readTensor(program, head);
    for (const i of heads) counts.head[i]!++;
    if (heads[0] !== heads[1]) differ++;
  }
  program.destroy();
  buffer.destroy();
  for (const found of [counts.time, counts.head]) {
    const total = found.reduce((a, b) => a + b);
    assertEquals(total, found === counts.time ? 2 * 60 * steps : 2 * steps);
    const p = 1 / found.length;
    for (const count of found) {
      assert(Math.abs(count / total - p) < 4 * Math.sqrt(p * (1 - p) / total), `${found}`);
    }
  }
  assert(differ > steps / 4, `the coins of two seeds differ in ${differ} of ${steps} steps`);
});
