/** Trains TD3+BC runs with tiny networks. */
import { assert, assertAlmostEquals, assertEquals, assertNotEquals } from "@std/assert";
import { join } from "node:path";
import { td3Bc } from "../../../lib/algorithms/td3-bc/algorithm.ts";
import { Engine } from "../../../lib/autodiff/engine.ts";
import { normal } from "../../../lib/autodiff/random.ts";
import { observationMoments } from "../../../lib/data/moments.ts";
import { type BufferedData, ReplayBuffer } from "../../../lib/data/replay_buffer.ts";
import { evaluateHere } from "../../../lib/envs/evaluate_here.ts";
import { evaluationSeeds } from "../../../lib/envs/seeds.ts";
import { Mlp } from "../../../lib/nn/host/mlp.ts";
import { RunDirectory } from "../../../lib/runs/directory.ts";
import { readMetrics } from "../../../lib/runs/metrics.ts";
import { variantsOf } from "../../../lib/runs/replicas.ts";
import { decode } from "../../../lib/runs/safetensors.ts";
import { openTrained } from "../../../lib/runs/trained.ts";
import type { TrainingRun } from "../../../lib/runs/run.ts";
import { trainStages } from "../../../lib/runs/training_run.ts";
import { runIn } from "../../runs/tiny_run.ts";

const ignore = ["read", "write"].some((name) =>
  Deno.permissions.querySync({ name: name as "read" }).state !== "granted"
);
const { hyperparameters: table } = td3Bc;
const h = table.valuesFor("maze2d", "quick", { steps: 31, batchSize: 8, width: 8 });

const rows = 200;
const numbers = (stream: number, columns: number) =>
  Float32Array.from(normal(1, stream, 0, rows * columns));
/** Data with the sizes of a maze, whose observation entries have different scales. */
const data: BufferedData = {
  rows,
  observationSize: 4,
  actionSize: 2,
  observations: numbers(1, 4).map((x, i) => 10 ** (i % 4 - 2) * x + i % 4),
  actions: numbers(2, 2).map(Math.tanh),
  terminals: Float32Array.from({ length: rows }, (_, i) => Number(i % 50 === 49)),
  transitions: Uint32Array.from({ length: rows - 1 }, (_, i) => i).filter((i) => i % 50 !== 49),
};

Deno.test("td3-bc's hyperparameters match the official code in every family; quick changes steps and width", () => {
  const official = {
    rewardRule: "none",
    alpha: 2.5,
    discount: 0.99,
    targetRate: 0.005,
    targetNoise: 0.2,
    targetNoiseClip: 0.5,
    actorDelay: 2,
    steps: 1e6,
    batchSize: 256,
    learningRate: 3e-4,
    width: 256,
    layers: 2,
  };
  for (const family of ["locomotion", "antmaze", "maze2d"] as const) {
    assertEquals(table.valuesFor(family, "paper"), official);
    assertEquals(table.valuesFor(family, "quick"), { ...official, steps: 20_000, width: 64 });
  }
});

Deno.test({
  name: "td3Bc: trains, resumes bit-identically, sweeps, and plays in an environment",
  ignore,
  fn: async (t) => {
    const root = Deno.makeTempDirSync();
    using engine = await Engine.open();
    const buffer = new ReplayBuffer(engine.gpu, data, numbers(3, 1));
    const train = (name: string, more: Partial<TrainingRun> = {}) =>
      trainStages(runIn(join(root, name), { engine, buffer }, {
        algorithm: td3Bc,
        hyperparameters: h,
        stages: ["agent"],
        provenance: {
          task: "maze2d-umaze-v1",
          algorithm: "td3-bc",
          data_sha256: "00",
          version: "0",
        },
        ...more,
      }));
    const checkpointOf = (name: string) => new RunDirectory(join(root, name)).checkpoint("agent");
    const tensorsOf = (name: string) =>
      decode(Deno.readFileSync(checkpointOf(name)), checkpointOf(name)).tensors;
    try {
      await train("whole");

      await t.step("is bit-identical after resuming at an odd step", async () => {
        await train("stopped", { hyperparameters: { ...h, steps: 7 } });
        assertNotEquals(tensorsOf("stopped"), tensorsOf("whole"));
        await train("stopped", { resume: true });
        assertEquals(tensorsOf("stopped"), tensorsOf("whole"));
      });

      await t.step("updates the actor and the targets in every second step", () => {
        const steps = readMetrics(join(root, "whole", "metrics.jsonl"))
          .flatMap(({ step, metrics }) => "loss_actor" in metrics ? [step] : []);
        assertEquals(steps, Array.from({ length: 15 }, (_, i) => 2 * i + 2));
        const tensors = tensorsOf("whole");
        for (const name of ["critic.q1.0.weight", "actor.net.0.weight"]) {
          const [part, ...rest] = name.split(".");
          const target = tensors.get([`${part}_target`, ...rest].join("."))!;
          assertNotEquals(tensors.get(name)!.data, target.data);
        }
      });

      await t.step(
        "trains seeds and alphas bit-identically to training each separately",
        async () => {
          const variants = variantsOf(td3Bc, h, { alphas: [1, 4] });
          await train("sweep", { seeds: [3, 7], variants });
          await train("alone", { seeds: [7], hyperparameters: { ...h, alpha: 4 } });
          assertEquals(tensorsOf("sweep/seed-7-alpha-4"), tensorsOf("alone"));
          assertNotEquals(tensorsOf("sweep/seed-7-alpha-1"), tensorsOf("alone"));
        },
      );

      await t.step("stores the state normalization in its files", async () => {
        const run = new RunDirectory(join(root, "whole"));
        await run.writeConfig({
          version: "0",
          algorithm: td3Bc.name,
          task: "maze2d-umaze-v1",
          seeds: [3],
          stages: ["agent"],
          data: { file: "data.hdf5", sha256: "00", rows },
          adapter: {},
          hyperparameters: { ...h },
        });
        const network = new Mlp({ source: "", tensors: tensorsOf("whole") }, "actor.net", "tanh");
        const { mean, deviation } = observationMoments(data);
        const observation = Float64Array.of(0.5, -0.2, 3, 11);
        const normalized = Float32Array.from(
          observation,
          (o, i) => (o - mean[i]!) / (deviation[i]! + 1e-3),
        );
        const expected = [...network.forward(normalized, 1)];
        const act = (path: string, way: string | null = null) => [
          ...openTrained(path).load(way).policy.act(observation, []),
        ];
        const ways: [string, number[]][] = [
          ["the run", act(run.path, "td3-bc")],
          ["its policy.safetensors", act(run.policy)],
          ["its checkpoint", act(run.checkpoint("agent"))],
        ];
        for (const [from, actions] of ways) {
          actions.forEach((a, i) => assertAlmostEquals(a, expected[i]!, 1e-5, from));
        }
        const { policy } = openTrained(run.path).load(null);
        const episodes = await evaluateHere(policy, "maze2d-umaze-v1", evaluationSeeds(0, 1));
        assert(episodes[0]!.length > 0);
      });
    } finally {
      buffer.destroy();
      Deno.removeSync(root, { recursive: true });
    }
  },
});
