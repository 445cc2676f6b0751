import { assertEquals, assertNotEquals, assertRejects } from "@std/assert";
import { join } from "node:path";
import { srpo } from "../../lib/algorithms/srpo/algorithm.ts";
import { Engine } from "../../lib/autodiff/engine.ts";
import { ReplayBuffer } from "../../lib/data/replay_buffer.ts";
import { shapeRewards } from "../../lib/data/rewards.ts";
import { findTask } from "../../lib/data/catalog.ts";
import type { OfflineDataset } from "../../lib/data/offline_dataset.ts";
import { UserError } from "../../lib/errors.ts";
import { RunDirectory } from "../../lib/runs/directory.ts";
import { readMetrics } from "../../lib/runs/metrics.ts";
import { readCheckpoint } from "../../lib/runs/checkpoint.ts";
import { trainAlgorithm } from "../../lib/runs/train_algorithm.ts";
import { trainInMemory } from "../../lib/runs/train_in_memory.ts";
import { openTrained } from "../../lib/runs/trained.ts";
import { imitation } from "../algorithms/own_algorithm.ts";

const ignore = (["read", "write"] as const).some((name) =>
  Deno.permissions.querySync({ name }).state !== "granted"
);

/** Data of a maze's sizes: smooth, seeded numbers. */
function waves(): OfflineDataset {
  const rows = 100;
  const wave = (count: number, pace: number) =>
    Float32Array.from({ length: count }, (_, i) => 0.9 * Math.sin(pace * i * i));
  return {
    sources: [{ path: "waves.hdf5", firstRow: 0, task: null }],
    rows,
    observationSize: 4,
    actionSize: 2,
    observations: wave(rows * 4, 0.37),
    actions: wave(rows * 2, 0.11),
    rewards: wave(rows, 0.53),
    terminals: new Float32Array(rows),
    timeouts: new Float32Array(rows),
    hasTimeouts: true,
    transitions: Uint32Array.from({ length: rows - 1 }, (_, i) => i),
  };
}

Deno.test({
  name: "trainAlgorithm() writes a run directory and returns the trained run of each seed",
  ignore,
  fn: async () => {
    const root = Deno.makeTempDirSync();
    using engine = await Engine.open();
    const data = waves();
    const shared = {
      algorithm: imitation,
      task: findTask("maze2d-umaze-v1"),
      hyperparameters: imitation.hyperparameters.valuesFor("maze2d", "quick"),
    };
    const observation = Float64Array.of(0.5, -0.2, 0.1, 0.3);
    const act = (
      trained: ReturnType<typeof openTrained>,
    ) => [...trained.load().policy.act(observation, []) as Float64Array];
    try {
      const directory = join(root, "run");
      const trained = await trainAlgorithm(engine, { ...shared, data, directory, seeds: [7, 3] });
      assertEquals(trained.map(({ task, ways }) => [task, ways]), [
        ["maze2d-umaze-v1", ["imitator"]],
        ["maze2d-umaze-v1", ["imitator"]],
      ]);
      const { seeds, stages, data: recorded } = new RunDirectory(directory).readConfig();
      assertEquals({ seeds, stages }, { seeds: [7, 3], stages: ["values", "control"] });
      assertEquals([recorded.file, recorded.rows], ["waves.hdf5", 100]);
      const known = new Map([[imitation.name, imitation]]);
      const second = openTrained(join(directory, "seed-3"), known);
      assertEquals(act(second), act(trained[1]!));
      assertEquals(readMetrics(join(directory, "metrics.jsonl")).length, 2 * (20 + 31));

      // The rewards of the data are those that are trained on.
      const alone = join(root, "alone");
      const [same] = await trainAlgorithm(engine, {
        ...shared,
        data,
        directory: alone,
        seeds: [3],
      });
      assertEquals(act(same!), act(trained[1]!));
      const doubled = { ...data, rewards: data.rewards.map((reward) => 2 * reward) };
      const other = join(root, "doubled");
      await trainAlgorithm(engine, { ...shared, data: doubled, directory: other, seeds: [3] });
      const lastLoss = (path: string) =>
        readMetrics(join(path, "metrics.jsonl")).findLast(({ stage }) => stage === "values");
      assertNotEquals(lastLoss(other)!.metrics, lastLoss(alone)!.metrics);

      // What cannot be trained leaves no folder.
      for (const seeds of [[], [1, 1], [1, 1 + 2 ** 32], [-1], [0.5]]) {
        const refused = join(root, "refused");
        await assertRejects(
          () => trainAlgorithm(engine, { ...shared, data, directory: refused, seeds }),
          UserError,
          `expected one or more distinct seeds, integers from 0 to 2^32 - 1, got [${seeds}]`,
        );
        await assertRejects(() => Deno.stat(refused), Deno.errors.NotFound);
      }
      await assertRejects(
        () => trainAlgorithm(engine, { ...shared, data, directory: alone }),
        UserError,
        "already holds a run",
      );
    } finally {
      Deno.removeSync(root, { recursive: true });
    }
  },
});

Deno.test({
  name:
    "trainInMemory() trains the same bits as trainAlgorithm(), also if networks are read in between",
  ignore,
  fn: async () => {
    const root = Deno.makeTempDirSync();
    using engine = await Engine.open();
    const data = waves();
    const task = findTask("maze2d-umaze-v1");
    const hyperparameters = srpo.hyperparameters.valuesFor(task, "quick", {
      ...{ criticSteps: 5, criticWidth: 8, criticBatchSize: 16 },
      ...{ behaviorSteps: 4, behaviorWidth: 8, behaviorBatchSize: 16 },
      ...{ policySteps: 3, policyWidth: 8, policyBatchSize: 16 },
    });
    try {
      const directory = join(root, "run");
      const run = { algorithm: srpo, hyperparameters };
      await trainAlgorithm(engine, { ...run, task, data, directory, seeds: [7] });

      const rewards = shapeRewards(data, srpo.rewardRule(hyperparameters));
      const buffer = new ReplayBuffer(engine.gpu, data, rewards);
      const stagesRead: string[][] = [];
      const steps = new Map<string, number>();
      const found = await trainInMemory({ ...run, engine, buffer, seed: 7 }, {
        onStep: (stage, step) => steps.set(stage, step),
        shouldStop: () => false,
        between: async (_, read) => void stagesRead.push(Object.keys(await read())),
      });
      assertEquals(steps, new Map([["critic", 5], ["behavior", 4], ["policy", 3]]));
      assertEquals(stagesRead.at(0), ["critic"]);
      assertEquals(stagesRead.at(-1), ["critic", "behavior", "policy"]);
      const folder = new RunDirectory(directory);
      for (const { name } of srpo.stages) {
        const { file: { tensors } } = readCheckpoint(folder.checkpoint(name));
        const trained = [...tensors].filter(([tensor]) => !tensor.startsWith("adam."));
        assertEquals(new Map(found![name]!.tensors), new Map(trained));
      }

      const stopped = await trainInMemory({ ...run, engine, buffer, seed: 7 }, {
        onStep: () => {},
        shouldStop: () => true,
        between: () => Promise.resolve(),
      });
      assertEquals(stopped, null);
      buffer.destroy();
    } finally {
      Deno.removeSync(root, { recursive: true });
    }
  },
});
