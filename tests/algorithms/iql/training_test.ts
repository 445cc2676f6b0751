/** Trains IQL runs on a small synthetic data set. */
import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { join } from "node:path";
import { iql } from "../../../lib/algorithms/iql/algorithm.ts";
import { Engine } from "../../../lib/autodiff/engine.ts";
import { Graph } from "../../../lib/autodiff/graph.ts";
import { normal } from "../../../lib/autodiff/random.ts";
import { readTensor } from "../../../lib/autodiff/compile.ts";
import { ReplayBuffer } from "../../../lib/data/replay_buffer.ts";
import { evaluateHere } from "../../../lib/envs/evaluate_here.ts";
import { evaluationSeeds } from "../../../lib/envs/seeds.ts";
import { variantsOf } from "../../../lib/runs/replicas.ts";
import { RunDirectory } from "../../../lib/runs/directory.ts";
import { decode } from "../../../lib/runs/safetensors.ts";
import { openTrained } from "../../../lib/runs/trained.ts";
import type { TrainingRun } from "../../../lib/runs/run.ts";
import { trainStages } from "../../../lib/runs/training_run.ts";
import { runIn } from "../../runs/tiny_run.ts";

const ignore = ["read", "write"].some((name) =>
  Deno.permissions.querySync({ name: name as "read" }).state !== "granted"
);
const steps = 20;
const h = iql.hyperparameters.valuesFor("maze2d", "quick", {
  steps,
  batchSize: 8,
  width: 8,
  learningRate: 0.01,
});
const stage = iql.stages[0]!;

/** Returns data with the sizes of a maze, with half of the actions at their limits. */
function bufferOn(engine: Engine): ReplayBuffer {
  const rows = 200;
  const numbers = (stream: number, count: number) => Float32Array.from(normal(1, stream, 0, count));
  return new ReplayBuffer(engine.gpu, {
    rows,
    observationSize: 4,
    actionSize: 2,
    observations: numbers(1, rows * 4),
    actions: numbers(2, rows * 2).map((x) => Math.max(-1, Math.min(1, 1.5 * x))),
    terminals: Float32Array.from({ length: rows }, (_, i) => Number(i % 50 === 49)),
    transitions: Uint32Array.from({ length: rows - 1 }, (_, i) => i),
  }, numbers(3, rows));
}

/** Trains under a temporary folder. */
async function withRuns(
  body: (
    train: (name: string, more?: Partial<TrainingRun>) => ReturnType<typeof trainStages>,
    path: (name: string) => string,
  ) => Promise<void>,
): Promise<void> {
  const root = Deno.makeTempDirSync();
  using engine = await Engine.open();
  const buffer = bufferOn(engine);
  const path = (name: string) => join(root, name);
  try {
    await body(
      (name, more = {}) =>
        trainStages(runIn(path(name), { engine, buffer }, {
          algorithm: iql,
          hyperparameters: h,
          stages: [stage.name],
          ...more,
        })),
      path,
    );
  } finally {
    buffer.destroy();
    Deno.removeSync(root, { recursive: true });
  }
}

function tensorsIn(path: string) {
  const file = new RunDirectory(path).checkpoint(stage.name);
  return decode(Deno.readFileSync(file), file).tensors;
}

Deno.test({
  name: "iql: resumes an interrupted run bit-identically, and its mean policy plays in the maze",
  ignore,
  fn: () =>
    withRuns(async (train, path) => {
      await train("whole");
      let requested = false;
      const [stopped] = await train("parts", {
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
      assert(stopped!.step > 0 && stopped!.step < steps, `stopped at step ${stopped!.step}`);
      await train("parts", { resume: true });
      const tensors = tensorsIn(path("whole"));
      assertEquals(tensorsIn(path("parts")), tensors);

      await new RunDirectory(path("whole")).writeConfig({
        version: "0",
        algorithm: iql.name,
        task: "maze2d-umaze-v1",
        seeds: [3],
        stages: [stage.name],
        data: { file: "data.hdf5", sha256: "00ff", rows: 200 },
        adapter: {},
        hyperparameters: { ...h },
      });
      const { policy, way } = openTrained(path("whole")).load(null);
      assertEquals(way, "iql");
      const observation = Float64Array.of(0.5, -0.2, 0.1, 0.3);
      const direct = iql.actors[0]!.act({ agent: { source: "run", tensors } }, {});
      assertEquals(policy.act(observation, []).slice(), direct.act(observation, []).slice());
      const episodes = await evaluateHere(policy, "maze2d-umaze-v1", evaluationSeeds(0, 2));
      assert(episodes.length === 2 && episodes.every(({ length }) => length > 0));
      const value = iql.value!.of({ source: "run", tensors });
      assert(value(Float32Array.from(observation), 1).every(Number.isFinite));
    }),
});

Deno.test({
  name: "iql: trains each variant of a sweep bit-identically to training it separately",
  ignore,
  fn: () =>
    withRuns(async (train, path) => {
      const seeds = [3, 7];
      const variants = variantsOf(iql, h, { expectiles: [0.6, 0.9], temperatures: [1, 5] });
      await train("sweep", { seeds, variants });
      const alone = { ...h, expectile: 0.6, temperature: 5 };
      await train("alone", { seeds: [7], hyperparameters: alone });
      const of = (name: string) => tensorsIn(path(`sweep/seed-${name}`));
      assertEquals(of("7-expectile-0.6-temperature-5"), tensorsIn(path("alone")));
      const policies = [
        "7-expectile-0.6-temperature-5",
        "7-expectile-0.9-temperature-5",
        "7-expectile-0.6-temperature-1",
        "3-expectile-0.6-temperature-5",
      ].map((name) => of(name).get("policy.mean.net.0.weight")!.data.join());
      assertEquals(new Set(policies).size, 4);
    }),
});

Deno.test("iql: initializes orthogonal networks with target = Q, and clips actions to 1 − 1e-5", async () => {
  using engine = await Engine.open();
  const buffer = bufferOn(engine);
  const graph = new Graph({ seeds: [0] });
  const { networks, tensors } = await stage.describe(graph, buffer, h, [h]);
  const values = (prefix: string) => {
    const network = networks.find(({ prefixes }) => prefixes.includes(prefix))!;
    const member = network.prefixes.indexOf(prefix);
    return network.initial!(network.parameters.shapes, 0, member);
  };
  for (const head of ["q1.", "q2."]) {
    assertEquals(values(`target_critic.${head}`), values(`critic.${head}`));
  }
  assertNotEquals(values("critic.q1."), values("critic.q2."));
  assertEquals(values("policy.").get("log_std"), new Float32Array(2));
  const last = values("value.net.").get("4.weight")!;
  const length = Math.hypot(...last);
  assert(Math.abs(length - Math.SQRT2) < 1e-6, `length ${length}`);

  const action = tensors["action"]!;
  const program = await engine.compile(graph, [action]);
  await program.submit(0, 1);
  const largest = Math.max(...(await readTensor(program, action)).map(Math.abs));
  program.destroy();
  buffer.destroy();
  assertEquals(largest, Math.fround(1 - 1e-5));
});
