/** Trains, sweeps, caches, evaluates and plays an algorithm that is not registered. */
import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { join } from "node:path";
import type { HyperparameterValues } from "../../lib/algorithms/hyperparameters.ts";
import { evaluatorOf } from "../../lib/commands/train_evaluation.ts";
import { findTask } from "../../lib/data/catalog.ts";
import { Engine } from "../../lib/autodiff/engine.ts";
import { ReplayBuffer } from "../../lib/data/replay_buffer.ts";
import { evaluateHere } from "../../lib/envs/evaluate_here.ts";
import { evaluationSeeds } from "../../lib/envs/seeds.ts";
import { RunDirectory } from "../../lib/runs/directory.ts";
import { readMetrics } from "../../lib/runs/metrics.ts";
import { variantsOf } from "../../lib/runs/replicas.ts";
import { decode } from "../../lib/runs/safetensors.ts";
import { StageCache } from "../../lib/runs/stage_cache.ts";
import { openTrained } from "../../lib/runs/trained.ts";
import type { TrainingRun } from "../../lib/runs/run.ts";
import { trainStages } from "../../lib/runs/training_run.ts";
import { runIn } from "../runs/tiny_run.ts";
import { imitation } from "./own_algorithm.ts";

const ignore = ["read", "write"].some((name) =>
  Deno.permissions.querySync({ name: name as "read" }).state !== "granted"
);
const h: HyperparameterValues = imitation.hyperparameters.valuesFor("maze2d", "quick");
const stages = imitation.stages.map(({ name }) => name);
const known = new Map([[imitation.name, imitation]]);

/** Uploads smooth, seeded data with the sizes of a maze. */
function bufferOn(engine: Engine): ReplayBuffer {
  const rows = 200;
  const wave = (count: number, pace: number) =>
    Float32Array.from({ length: count }, (_, i) => 0.9 * Math.sin(pace * i * i));
  return new ReplayBuffer(engine.gpu, {
    rows,
    observationSize: 4,
    actionSize: 2,
    observations: wave(rows * 4, 0.37),
    actions: wave(rows * 2, 0.11),
    terminals: Float32Array.from({ length: rows }, (_, i) => Number(i % 50 === 49)),
    transitions: Uint32Array.from({ length: rows - 1 }, (_, i) => i),
  }, wave(rows, 0.53));
}

interface Place {
  /** Folder of the runs. */
  readonly root: string;
  /** Trains in a folder below `root`. */
  readonly train: (
    name: string,
    more?: Partial<TrainingRun>,
  ) => ReturnType<typeof trainStages>;
  /** Returns the tensors of a stage's checkpoint in a folder below `root`. */
  readonly tensors: (folder: string, stage: string) => ReturnType<typeof decode>["tensors"];
}

function ownTest(name: string, body: (place: Place) => Promise<void>) {
  Deno.test({
    name,
    ignore,
    fn: async () => {
      const root = Deno.makeTempDirSync();
      using engine = await Engine.open();
      const buffer = bufferOn(engine);
      try {
        await body({
          root,
          train: (name, more = {}) =>
            trainStages(runIn(join(root, name), { engine, buffer }, {
              algorithm: imitation,
              hyperparameters: h,
              stages,
              ...more,
            })),
          tensors: (folder, stage) => {
            const path = new RunDirectory(join(root, folder)).checkpoint(stage);
            return decode(Deno.readFileSync(path), path).tensors;
          },
        });
      } finally {
        buffer.destroy();
        Deno.removeSync(root, { recursive: true });
      }
    },
  });
}

/** Interrupts after the progress line shows a few steps of a stage. */
function interruptedIn(stage: string): Pick<TrainingRun, "interrupt" | "progress"> {
  let requested = false;
  return {
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
        if (Number(new RegExp(`${stage} +([0-9]+)/`).exec(text)?.[1]) >= 3) requested = true;
      },
    },
  };
}

ownTest(
  "trainStages() trains a custom algorithm, and resumes it bit-identically",
  async ({ root, train, tensors }) => {
    const whole = await train("whole");
    assertEquals(whole.map(({ step }) => step), [20, 31]);
    for (const stage of stages) {
      const stopped = (await train(stage, interruptedIn(stage))).at(-1)!;
      assertEquals(stopped.stage, stage);
      assert(stopped.step > 0 && stopped.step < stopped.steps, `stopped at step ${stopped.step}`);
      await train(stage, { resume: true });
      for (const each of stages) {
        assertEquals(tensors(stage, each), tensors("whole", each), `${each}, ${stage} interrupted`);
      }
    }
    // The average follows the actor, and both have changed.
    const found = tensors("whole", "control");
    const [actor, average] = ["actor.net.2.bias", "average.net.2.bias"].map((name) =>
      found.get(name)!.data
    );
    assertNotEquals(actor, average);

    const rows = readMetrics(join(root, "whole", "metrics.jsonl"))
      .filter(({ stage }) => stage === "control");
    const stepsWith = (metric: string) =>
      rows.filter(({ metrics }) => metric in metrics).map(({ step }) => step);
    assertEquals(stepsWith("loss_judge").length, 31);
    assertEquals(stepsWith("loss_actor"), Array.from({ length: 15 }, (_, i) => 2 * i + 2));
    assertEquals(stepsWith("error_drawn"), Array.from({ length: 11 }, (_, i) => 3 * i + 1));
  },
);

ownTest(
  "trainStages() sweeps a custom algorithm over seeds and a hyperparameter",
  async ({ root, train, tensors }) => {
    const seeds = [3, 7];
    const variants = variantsOf(imitation, h, { blurs: [0.05, 0.5] });
    await train("sweep", { seeds, variants });
    await train("alone", { seeds: [7], hyperparameters: { ...h, blur: 0.5 } });
    assertEquals(tensors("sweep/seed-7", "values"), tensors("alone", "values"));
    assertEquals(tensors("sweep/seed-7-blur-0.5", "control"), tensors("alone", "control"));
    assertNotEquals(tensors("sweep/seed-7-blur-0.05", "control"), tensors("alone", "control"));
    assertNotEquals(tensors("sweep/seed-3-blur-0.5", "control"), tensors("alone", "control"));
    const policy = (folder: string) => {
      const path = new RunDirectory(join(root, folder)).policy;
      return decode(Deno.readFileSync(path), path);
    };
    const [swept, alone] = [policy("sweep/seed-7-blur-0.5"), policy("alone")];
    assertEquals(swept.tensors, alone.tensors);
    // The actor is the same. The metadata also name the variant of the sweep.
    assertEquals(swept.metadata, { ...alone.metadata, variant: "blur-0.5" });
  },
);

ownTest(
  "trainStages() takes the stages of a custom algorithm from the cache",
  async ({ root, train, tensors }) => {
    const cache = {
      entries: new StageCache(join(root, ".cache"), () => {}),
      context: { version: "1", data: "00", adapter: {} },
    };
    const made = (results: Awaited<ReturnType<typeof train>>) => results.map(({ made }) => made);
    assertEquals(made(await train("first", { cache })), [20, 31]);
    assertEquals(made(await train("second", { cache })), [0, 0]);
    assertEquals(tensors("second", "control"), tensors("first", "control"));
    const blurred = { ...h, blur: 0.3 };
    assertEquals(made(await train("third", { cache, hyperparameters: blurred })), [0, 31]);
  },
);

ownTest(
  "evaluatorOf() evaluates a custom algorithm during training",
  async ({ root, train, tensors }) => {
    const task = findTask("maze2d-umaze-v1");
    const { signal } = new AbortController();
    const evaluator = evaluatorOf(imitation, task, { every: 16, episodes: 1 }, { signal })!;
    await train("run", { evaluator, seeds: [3, 7] });
    const rows = readMetrics(join(root, "run", "metrics.jsonl"))
      .filter(({ episodes }) => episodes !== null);
    assertEquals(rows.map(({ stage, step, seed }) => [stage, step, seed]), [
      ["control", 16, 3],
      ["control", 16, 7],
      ["control", 31, 3],
      ["control", 31, 7],
    ]);
    const control = { control: { source: "run", tensors: tensors("run/seed-7", "control") } };
    const policy = imitation.actors[0]!.act(control, {});
    const [episode] = await evaluateHere(policy, task.name, evaluationSeeds(0, 1));
    assertEquals(rows.at(-1)!.metrics["mean_return"], episode!.return);
  },
);

ownTest(
  "openTrained() loads the actor of a custom algorithm and plays it",
  async ({ root, train, tensors }) => {
    await train("run");
    const directory = new RunDirectory(join(root, "run"));
    await directory.writeConfig({
      version: "0",
      algorithm: imitation.name,
      task: "maze2d-umaze-v1",
      seeds: [3],
      stages,
      data: { file: "data.hdf5", sha256: "00ff", rows: 200 },
      adapter: {},
      hyperparameters: { ...h },
    });
    const trained = openTrained(directory.path, known);
    assertEquals(trained.ways, ["imitator"]);
    const { policy } = trained.load(null);
    const control = { control: { source: "run", tensors: tensors("run", "control") } };
    const observation = Float64Array.of(0.5, -0.2, 0.1, 0.3);
    assertEquals(
      policy.act(observation, []).slice(),
      imitation.actors[0]!.act(control, {}).act(observation, []).slice(),
    );
    const episodes = await evaluateHere(policy, "maze2d-umaze-v1", evaluationSeeds(0, 2));
    assertEquals(episodes.length, 2);
    assert(episodes.every(({ length }) => length > 0));
  },
);
