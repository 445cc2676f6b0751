/**
 * Tests stages that are trained at the same time: the critic here, the behavior model in a worker.
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { join } from "node:path";
import { UserError } from "../../lib/errors.ts";
import { hyperparametersFor } from "../../lib/algorithms/srpo/hyperparameters.ts";
import { readCheckpoint } from "../../lib/runs/checkpoint.ts";
import type { Evaluator } from "../../lib/runs/evaluation_queue.ts";
import type { StageResult, TrainingRun } from "../../lib/runs/run.ts";
import { sessionsInWorkers } from "../../lib/runs/stage_in_worker.ts";
import type { OpenSession } from "../../lib/runs/stage_session.ts";
import { runIn, setUp, stageNames, timelessRows, tiny } from "./tiny_run.ts";

const granted = (["read", "write"] as const)
  .every((name) => Deno.permissions.querySync({ name }).state === "granted");

const seeds = [3, 4];
const hyperparameters = hyperparametersFor("maze2d", "quick", {
  ...tiny,
  criticSteps: 500,
  behaviorSteps: 500,
});

/** What a test trains with. */
interface Setting {
  /** Folder of the runs. */
  readonly root: string;
  /** Opens sessions in workers. */
  readonly beside: OpenSession;
  /** The stages that were evaluated, in order. */
  readonly evaluated: string[];
  /** Trains a run in `root`. Stages are trained one after another unless `more` has `beside`. */
  train(name: string, more?: Partial<TrainingRun>): Promise<StageResult[]>;
}

function test(name: string, body: (setting: Setting) => Promise<void>): void {
  Deno.test({
    name,
    ignore: !granted,
    fn: async () => {
      const { trainStages } = await import("../../lib/runs/training_run.ts");
      const root = Deno.makeTempDirSync();
      const machine = await setUp();
      const { engine: { target }, data, rewards } = machine;
      const evaluated: string[] = [];
      const evaluator: Evaluator = {
        every: Infinity,
        episodes: 1,
        evaluate: (stage, _, checkpoints) => {
          evaluated.push(stage);
          return Promise.resolve(checkpoints.map(() => ({ metrics: {}, episodes: [] })));
        },
      };
      try {
        await body({
          root,
          beside: sessionsInWorkers({ algorithm: "srpo", data, rewards, target }),
          evaluated,
          train: (name, more) =>
            trainStages(
              runIn(join(root, name), machine, { hyperparameters, seeds, evaluator, ...more }),
            ),
        });
      } finally {
        machine.buffer.destroy();
        machine.engine.close();
        Deno.removeSync(root, { recursive: true });
      }
    },
  });
}

/** Asserts that two runs have the same checkpoints and metrics. */
function assertSame(root: string, run: string, expected: string): void {
  for (const seed of seeds) {
    for (const stage of stageNames) {
      const read = (run: string) =>
        Deno.readFileSync(join(root, run, `seed-${seed}`, "checkpoints", `${stage}.safetensors`));
      assertEquals(read(run), read(expected), `${run}, ${stage} of seed ${seed}`);
    }
  }
  assertEquals(timelessRows(join(root, run)), timelessRows(join(root, expected)));
}

/** Returns the step of a checkpoint of the first seed. */
function stepOf(root: string, run: string, stage: string): number {
  return readCheckpoint(join(root, run, "seed-3", "checkpoints", `${stage}.safetensors`)).step!;
}

/** A progress output that passes every line on. */
function output(onLine: (line: string) => void): TrainingRun["progress"] {
  return {
    terminal: false,
    columns: () => 200,
    now: () => performance.now() * 1e6,
    write: onLine,
  };
}

/** Interrupts a run once both stages have done three steps. */
function afterThreeSteps(): Pick<TrainingRun, "interrupt" | "progress"> {
  const done = { critic: 0, behavior: 0 };
  return {
    interrupt: {
      get requested() {
        return done.critic >= 3 && done.behavior >= 3;
      },
    },
    progress: output((line) => {
      const [, stage, step] = /^(critic|behavior) +([\d,]+)\//.exec(line) ?? [];
      if (stage) done[stage as keyof typeof done] = Number(step!.replaceAll(",", ""));
    }),
  };
}

test("trainStages() trains stages at the same time with the bits of one after another, also interrupted", async ({ root, beside, evaluated, train }) => {
  await train("one by one");
  assertEquals(evaluated.splice(0), stageNames);
  await train("together", { beside });
  assertSame(root, "together", "one by one");
  assertEquals(evaluated.splice(0), stageNames);

  // Usually the critic has finished when the worker begins, so the behavior model is interrupted.
  const stopped = await train("stopped", { beside, ...afterThreeSteps() });
  assertEquals(stopped.map(({ stage }) => stage), ["critic", "behavior"]);
  await train("stopped", { beside, resume: true });
  assertSame(root, "stopped", "one by one");
});

test("trainStages() interrupts stages that are trained at the same time", async ({ root, beside, train }) => {
  const total = 1e6;
  const long = { ...hyperparameters, criticSteps: total, behaviorSteps: total };
  const results = await train("both", { hyperparameters: long, beside, ...afterThreeSteps() });
  assertEquals(results.map(({ stage }) => stage), ["critic", "behavior"]);
  for (const { stage, step } of results) {
    assert(step > 0 && step < total, `${stage} stopped at ${step}`);
    assertEquals(stepOf(root, "both", stage), step);
  }
});

test("trainStages() stops a stage if the one beside it fails, and keeps its checkpoint", async ({ root, beside, train }) => {
  const failing: OpenSession = async (request) => {
    const session = await beside(request);
    return {
      size: session.size,
      encode: (...args) => session.encode(...args),
      destroy: () => session.destroy(),
      run: async (options) => {
        const steps = await session.run({ ...options, end: 1 });
        throw new UserError(`behavior failed after ${steps} step`);
      },
    };
  };
  const long = { ...hyperparameters, criticSteps: 1e6 };
  await assertRejects(
    () => train("failed", { hyperparameters: long, beside: failing }),
    UserError,
    "behavior failed after 1 step",
  );
  const step = stepOf(root, "failed", "critic");
  assert(step > 0 && step < 1e6, `critic stopped at ${step}`);
});

test("trainStages() stops a stage if an evaluation beside it fails", async ({ root, beside, train }) => {
  const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
  const evaluator: Evaluator = {
    every: Infinity,
    episodes: 1,
    evaluate: async () => {
      await begun;
      throw new UserError("the environment is gone");
    },
  };
  const long = { ...hyperparameters, policySteps: 1e6 };
  const progress = output((line) => line.startsWith("policy") && begin());
  await assertRejects(
    () => train("gone", { hyperparameters: long, beside, evaluator, progress }),
    UserError,
    "the environment is gone",
  );
  const step = stepOf(root, "gone", "policy");
  assert(step > 0 && step < 1e6, `policy stopped at ${step}`);
});

test("sessionsInWorkers() rejects with the UserError of the worker", async ({ beside }) => {
  await assertRejects(
    () =>
      beside({
        stage: "policy",
        hyperparameters,
        replicas: [{ seed: 3, hyperparameters, present: null, earlier: ["missing.safetensors"] }],
      }),
    UserError,
    "cannot read checkpoint missing.safetensors",
  );
});
