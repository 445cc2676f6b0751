/** Training runs of IDQL on a small synthetic data set. */
import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { join } from "node:path";
import { idql } from "../../../lib/algorithms/idql/algorithm.ts";
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
const { hyperparameters: table } = idql;
const h = table.valuesFor("maze2d", "quick", {
  steps: 12,
  batchSize: 8,
  width: 8,
  behaviorWidth: 8,
  fourierFrequencies: 3,
  embeddingWidth: 8,
  diffusionSteps: 3,
});
const stage = idql.stages[0]!;

/** Random data with Maze2d's state and action sizes. Some actions are at their limits. */
function bufferOn(engine: Engine): ReplayBuffer {
  const rows = 200;
  const numbers = (stream: number, count: number) => Float32Array.from(normal(1, stream, 0, count));
  return new ReplayBuffer(engine.gpu, {
    rows,
    observationSize: 4,
    actionSize: 2,
    observations: numbers(1, rows * 4),
    actions: numbers(2, rows * 2).map((x) => Math.max(-1, Math.min(1, x))),
    terminals: Float32Array.from({ length: rows }, (_, i) => Number(i % 50 === 49)),
    transitions: Uint32Array.from({ length: rows - 1 }, (_, i) => i),
  }, numbers(3, rows));
}

Deno.test("idql: paper hyperparameters match the official code; quick changes only budget, widths and blocks", () => {
  const published = {
    rewardRule: "episode_return_range",
    steps: 3e6,
    batchSize: 512,
    learningRate: 3e-4,
    discount: 0.99,
    expectile: 0.7,
    targetRate: 0.005,
    width: 256,
    layers: 2,
    diffusionSteps: 5,
    averageRate: 0.001,
    behaviorWeightDecay: 1e-4,
    behaviorDropout: 0.1,
    behaviorWidth: 256,
    behaviorBlocks: 3,
    fourierFrequencies: 64,
    embeddingWidth: 256,
  };
  const quick = { steps: 10_000, batchSize: 256, width: 64, behaviorWidth: 64, behaviorBlocks: 2 };
  const families = {
    locomotion: {},
    antmaze: { expectile: 0.9, rewardRule: "minus_one" },
    maze2d: { expectile: 0.9, rewardRule: "none" },
  } as const;
  for (const [name, own] of Object.entries(families)) {
    const family = name as keyof typeof families;
    assertEquals<unknown>(table.valuesFor(family, "paper"), { ...published, ...own });
    assertEquals<unknown>(table.valuesFor(family, "quick"), { ...published, ...own, ...quick });
  }
  assertEquals(idql.actors[0]!.options["candidates"]!.fallback, 64);
});

Deno.test({
  name: "idql: trains, resumes bit-identically, sweeps expectiles and acts in an environment",
  ignore,
  fn: async (t) => {
    const root = Deno.makeTempDirSync();
    using engine = await Engine.open();
    const buffer = bufferOn(engine);
    const train = (name: string, more: Partial<TrainingRun> = {}) =>
      trainStages(runIn(join(root, name), { engine, buffer }, {
        algorithm: idql,
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
      const tensors = tensorsOf("whole");

      await t.step("a resumed run is bit-identical to an uninterrupted one", async () => {
        let requested = false;
        await train("parts", {
          interrupt: {
            get requested() {
              return requested;
            },
          },
          progress: {
            terminal: true,
            columns: () => 200,
            now: () => performance.now() * 1e6,
            write: (text: string) => {
              if (Number(/agent +([0-9]+)\//.exec(text)?.[1]) >= 3) requested = true;
            },
          },
        });
        assertNotEquals(tensorsOf("parts"), tensors);
        await train("parts", { resume: true });
        assertEquals(tensorsOf("parts"), tensors);
      });

      await t.step(
        "each expectile of a sweep is bit-identical to training it separately",
        async () => {
          const variants = variantsOf(idql, h, { expectiles: [0.6, 0.9] });
          await train("sweep", { seeds: [3, 7], variants });
          await train("alone", { seeds: [7], hyperparameters: { ...h, expectile: 0.6 } });
          assertEquals(tensorsOf("sweep/seed-7-expectile-0.6"), tensorsOf("alone"));
          const other = tensorsOf("sweep/seed-7-expectile-0.9");
          assertNotEquals(
            other.get("value.net.0.weight"),
            tensorsOf("alone").get("value.net.0.weight"),
          );
        },
      );

      await t.step(
        "the run acts with the averaged model and the T of its training",
        async () => {
          const run = new RunDirectory(join(root, "whole"));
          await run.writeConfig({
            version: "0",
            algorithm: idql.name,
            task: "maze2d-umaze-v1",
            seeds: [3],
            stages: [stage.name],
            data: { file: "data.hdf5", sha256: "00ff", rows: 200 },
            adapter: {},
            hyperparameters: { ...h },
          });
          assertEquals(tensors.get("score_model.betas")!.shape, [h.diffusionSteps]);
          const rows = 8;
          const observations = normal(1, 4, 0, 4 * rows);
          const streams = () => Array.from({ length: rows }, (_, row) => new RandomStream(row));
          const act = (policy: ReturnType<NonNullable<typeof idql.actors[0]>["act"]>) => [
            ...policy.act(observations, streams()),
          ];
          const candidates = 4;
          const { policy, way } = openTrained(run.path).load(null, { candidates });
          assertEquals(way, "idql");
          const [actor] = idql.actors;
          const actsFrom = (changed: string) => {
            const without = [...tensors].map(([name, tensor]) => {
              if (!name.startsWith(changed) || name.endsWith("betas")) {
                return [name, tensor] as const;
              }
              const data = (tensor.data as Float32Array).map((x) => x + 0.5);
              return [name, { ...tensor, data }] as const;
            });
            const agent = { source: "run", tensors: new Map(without) };
            return act(actor!.act({ agent }, { candidates }));
          };
          const action = act(policy);
          assertEquals(actsFrom("nothing"), action);
          for (const training of ["score_model.", "critic.", "value."]) {
            assertEquals(actsFrom(training), action, training);
          }
          for (const acting of ["target_score_model.", "target_critic."]) {
            assertNotEquals(actsFrom(acting), action, acting);
          }
          const episodes = await evaluateHere(policy, "maze2d-umaze-v1", evaluationSeeds(0, 1));
          assert(episodes[0]!.length > 0);
          const value = idql.value!.of({ source: "run", tensors });
          assert(value(Float32Array.from(observations), rows).every(Number.isFinite));
        },
      );
    } finally {
      buffer.destroy();
      Deno.removeSync(root, { recursive: true });
    }
  },
});

Deno.test("idql: targets start equal to their networks, times are uniform integers from 0 to T − 1", async () => {
  using engine = await Engine.open();
  const buffer = bufferOn(engine);
  const rows = 180;
  const graph = new Graph({ seeds: [0] });
  const { networks, tensors } = await stage.describe(graph, buffer, { ...h, batchSize: rows }, [h]);
  const values = (prefix: string) => {
    const network = networks.find(({ prefixes }) => prefixes.includes(prefix))!;
    const member = network.prefixes.indexOf(prefix);
    return network.initial!(network.parameters.shapes, 0, member);
  };
  for (const name of ["critic.q1.", "critic.q2.", "score_model."]) {
    assertEquals(values(`target_${name}`), values(name));
  }
  assertNotEquals(values("critic.q1."), values("critic.q2."));

  const program = await engine.compile(graph, [tensors["time"]!, tensors["action"]!]);
  await program.submit(0, 1);
  const times = await readTensor(program, tensors["time"]!);
  const action = await readTensor(program, tensors["action"]!);
  program.destroy();
  buffer.destroy();
  const counts = Map.groupBy(times, (time) => time);
  assertEquals([...counts.keys()].toSorted(), [0, 1, 2]);
  // The expected count is 60, with a standard deviation of 6.
  assert([...counts.values()].every(({ length }) => Math.abs(length - rows / 3) < 32));
  assertEquals(Math.max(...action.map(Math.abs)), Math.fround(1 - 1e-5));
});

Deno.test("idql: weight decay shrinks all parameters of the behavior model and of no other network", async () => {
  using engine = await Engine.open();
  const buffer = bufferOn(engine);
  /** Returns all networks before and after one step. */
  const stepWith = async (behaviorWeightDecay: number) => {
    const graph = new Graph({ seeds: [0] });
    const values = { ...h, behaviorWeightDecay };
    const { networks } = await stage.describe(graph, buffer, values, [values]);
    const program = await engine.compile(graph, []);
    const before = networks.map(({ prefixes, parameters, initial }) =>
      prefixes.map((_, member) => {
        const start = initial!(parameters.shapes, 0, member);
        // Biases start at 0, where weight decay has no effect.
        for (const [name, numbers] of start) {
          if (name !== "betas") start.set(name, numbers.map((x) => x + 0.25));
        }
        parameters.write(program, member, start);
        return start;
      })
    );
    await program.submit(0, 1);
    const after = await Promise.all(networks.map(({ parameters }) => parameters.read(program)));
    program.destroy();
    return { networks, before, after };
  };
  const plain = await stepWith(0);
  const decay = 10;
  const decayed = await stepWith(decay);
  buffer.destroy();
  plain.networks.forEach(({ prefixes: [prefix], optimizer }, family) => {
    const shrinks = prefix === "score_model." && optimizer !== undefined;
    // The average follows the model, so it changes slightly.
    if (prefix === "target_score_model.") return;
    plain.after[family]!.forEach((network, member) => {
      for (const [name, numbers] of network) {
        const start = plain.before[family]![member]!.get(name)!;
        const found = decayed.after[family]![member]!.get(name)!;
        numbers.forEach((x, i) => {
          const expected = shrinks ? h.learningRate * decay * start[i]! : 0;
          const difference = x - found[i]!;
          assert(
            Math.abs(difference - expected) <= 1e-6,
            `${prefix}${name}: shrunk by ${difference}, expected ${expected}`,
          );
        });
      }
    });
  });
});
