import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { UserError } from "../../lib/errors.ts";
import type { Evaluator } from "../../lib/runs/evaluation_queue.ts";
import { hyperparametersFor } from "../../lib/algorithms/srpo/hyperparameters.ts";
import { decode } from "../../lib/runs/safetensors.ts";
import { StageCache } from "../../lib/runs/stage_cache.ts";
import { runIn, setUp, stageNames, steps, timelessRows, tiny } from "./tiny_run.ts";

const granted = ["read", "write"].every((name) =>
  Deno.permissions.querySync({ name: name as "read" }).state === "granted"
);
Deno.test({
  name: "trainStages() continues an interrupted run bit-identically, in every stage",
  ignore: !granted,
  fn: async () => {
    const { trainStages } = await import("../../lib/runs/training_run.ts");
    const root = Deno.makeTempDirSync();
    const machine = await setUp();
    try {
      await trainStages(runIn(`${root}/whole`, machine));
      for (const stage of stageNames) {
        const directory = `${root}/${stage}`;
        let requested = false;
        const interrupt = {
          get requested() {
            return requested;
          },
        };
        // Interrupt after the progress line shows a few steps of the stage.
        const progress = {
          terminal: true,
          columns: () => 200,
          now: () => performance.now() * 1e6,
          write: (text: string) => {
            const step = new RegExp(`${stage} +([0-9]+)/`).exec(text)?.[1];
            if (Number(step) >= 3 && Number(step) < steps) requested = true;
          },
        };
        const first = await trainStages(runIn(directory, machine, { interrupt, progress }));
        const stopped = first.at(-1)!;
        assertEquals(stopped.stage, stage);
        assert(stopped.step > 0 && stopped.step < steps, `stopped at step ${stopped.step}`);
        await trainStages(runIn(directory, machine, { resume: true }));
        for (const each of stageNames) {
          const read = (run: string) =>
            Deno.readFileSync(`${root}/${run}/checkpoints/${each}.safetensors`);
          assertEquals(read(stage), read("whole"), `${each} after interrupting ${stage}`);
        }
        const policy = (run: string) => Deno.readFileSync(`${root}/${run}/policy.safetensors`);
        assertEquals(policy(stage), policy("whole"));
        assertEquals(timelessRows(directory), timelessRows(`${root}/whole`));
      }
    } finally {
      machine.buffer.destroy();
      machine.engine.close();
      Deno.removeSync(root, { recursive: true });
    }
  },
});

Deno.test({
  name: "trainStages() continues bit-identically after a kill between the files of two seeds",
  ignore: !granted,
  fn: async () => {
    const { trainStages } = await import("../../lib/runs/training_run.ts");
    const root = Deno.makeTempDirSync();
    const machine = await setUp();
    const shared = { seeds: [3, 7], stages: ["critic"] };
    const file = (run: string, seed: number) =>
      Deno.readFileSync(`${root}/${run}/seed-${seed}/checkpoints/critic.safetensors`);
    const { rename, renameSync } = Deno;
    try {
      await trainStages(runIn(`${root}/whole`, machine, shared));
      // Kill before the second seed's file is written, and before it is renamed.
      for (const moment of ["write", "place"] as const) {
        let requested = false;
        await trainStages(runIn(`${root}/${moment}`, machine, {
          ...shared,
          interrupt: {
            get requested() {
              return requested;
            },
          },
          progress: {
            terminal: true,
            columns: () => 200,
            now: () => performance.now() * 1e6,
            write: (text) => requested ||= /critic +[3-9]\//.test(text),
          },
        }));
        const begun = [3, 7].map((seed) => file(moment, seed));
        const killed = (path: string | URL) => {
          if (/seed-7.*critic(-40)?\.safetensors$/.test(String(path))) throw new Error("killed");
        };
        if (moment === "write") {
          Deno.rename = async (from, to) => {
            killed(to);
            await rename(from, to);
          };
        } else {
          Deno.renameSync = (from, to) => {
            killed(to);
            renameSync(from, to);
          };
        }
        const again = () =>
          trainStages(runIn(`${root}/${moment}`, machine, { ...shared, resume: true }));
        await assertRejects(again, Error, "killed");
        Object.assign(Deno, { rename, renameSync });
        assertEquals(file(moment, 7), begun[1], "the file of the previous generation");
        assertEquals(
          file(moment, 3),
          moment === "write" ? begun[0] : file("whole", 3),
          "the other file",
        );
        const [result] = await again();
        // A complete generation is used.
        assertEquals(result!.made > 0, moment === "write");
        assertEquals(
          [3, 7].map((seed) => file(moment, seed)),
          [3, 7].map((seed) => file("whole", seed)),
        );
      }
    } finally {
      Object.assign(Deno, { rename, renameSync });
      machine.buffer.destroy();
      machine.engine.close();
      Deno.removeSync(root, { recursive: true });
    }
  },
});

Deno.test({
  name: "trainStages() trains each of several seeds bit-identically to training it separately",
  ignore: !granted,
  fn: async () => {
    const { trainStages } = await import("../../lib/runs/training_run.ts");
    const root = Deno.makeTempDirSync();
    const machine = await setUp();
    try {
      const seeds = [3, 0, 7];
      await trainStages(runIn(`${root}/all`, machine, { seeds }));
      for (const seed of [3, 7]) {
        await trainStages(runIn(`${root}/${seed}`, machine, { seeds: [seed] }));
        for (const stage of stageNames) {
          const file = `checkpoints/${stage}.safetensors`;
          assertEquals(
            Deno.readFileSync(`${root}/all/seed-${seed}/${file}`),
            Deno.readFileSync(`${root}/${seed}/${file}`),
            `${stage} of seed ${seed}`,
          );
        }
      }
      assert(
        !sameBytes(
          Deno.readFileSync(`${root}/all/seed-3/policy.safetensors`),
          Deno.readFileSync(`${root}/all/seed-7/policy.safetensors`),
        ),
        "two seeds gave the same policy",
      );
    } finally {
      machine.buffer.destroy();
      machine.engine.close();
      Deno.removeSync(root, { recursive: true });
    }
  },
});

Deno.test({
  name: "trainStages() names tensors like the official state dicts",
  ignore: !granted,
  fn: async () => {
    const { trainStages } = await import("../../lib/runs/training_run.ts");
    const root = Deno.makeTempDirSync();
    const machine = await setUp();
    try {
      await trainStages(runIn(`${root}/run`, machine, { stages: ["critic", "behavior"] }));
      const names = (stage: string) => {
        const path = `${root}/run/checkpoints/${stage}.safetensors`;
        return [...decode(Deno.readFileSync(path), path).tensors.keys()];
      };
      for (
        const name of [
          "q0.q1.0.weight",
          "q0_target.q2.4.bias",
          "vf.v.2.weight",
          "policy.net.4.bias",
        ]
      ) {
        assert(names("critic").includes(name), name);
      }
      for (
        const name of [
          "embed.0.W",
          "cond_model.2.bias",
          "main.blocks.1.layer_norm.weight",
          "main.out_fc.bias",
        ]
      ) {
        assert(names("behavior").includes(`diffusion.${name}`), name);
      }
    } finally {
      machine.buffer.destroy();
      machine.engine.close();
      Deno.removeSync(root, { recursive: true });
    }
  },
});

Deno.test({
  name: "trainStages() stops at an infinite loss, naming stage, step and metric",
  ignore: !granted,
  fn: async () => {
    const { trainStages } = await import("../../lib/runs/training_run.ts");
    const root = Deno.makeTempDirSync();
    // The square of such a reward overflows float32.
    const machine = await setUp(1e30);
    try {
      const run = runIn(`${root}/run`, machine, { stages: ["critic"] });
      await assertRejects(
        () => trainStages(run),
        UserError,
        "critic stage, step 1: loss_q is Infinity",
      );
    } finally {
      machine.buffer.destroy();
      machine.engine.close();
      Deno.removeSync(root, { recursive: true });
    }
  },
});

/** An evaluator whose metric is computed from the policy's weights. */
function weighing(every: number): Evaluator {
  return {
    every,
    episodes: 1,
    evaluate: (_stage, _step, checkpoints) =>
      Promise.resolve(checkpoints.map((bytes) => {
        const weights = decode(bytes, "").tensors.get("policy.net.0.weight")!.data;
        return { metrics: { mean_return: Number(weights[0]) }, episodes: [] };
      })),
  };
}

Deno.test({
  name: "trainStages() writes the same metrics whether or not a run was interrupted",
  ignore: !granted,
  fn: async () => {
    const { trainStages } = await import("../../lib/runs/training_run.ts");
    const root = Deno.makeTempDirSync();
    const machine = await setUp();
    // More steps than intervals per stage, so that rows are means over two steps.
    const hyperparameters = hyperparametersFor("maze2d", "quick", { ...tiny, criticSteps: 2101 });
    const more = { hyperparameters, stages: ["critic"] as const, evaluator: weighing(700) };
    try {
      await trainStages(runIn(`${root}/whole`, machine, more));
      const whole = timelessRows(`${root}/whole`);
      assertEquals(whole.filter(({ episodes }) => episodes !== null).map(({ step }) => step), [
        700,
        1400,
        2100,
        2101,
      ]);
      assertEquals(whole.filter(({ episodes }) => episodes === null).length, 1051);

      let requested = false;
      const interrupt = {
        get requested() {
          return requested;
        },
      };
      const first = weighing(700);
      const stopped = await trainStages(runIn(`${root}/stopped`, machine, {
        ...more,
        interrupt,
        evaluator: {
          ...first,
          // A signal stops the second evaluation.
          evaluate: (stage, step, ...rest) => {
            if (step < 1400) return first.evaluate(stage, step, ...rest);
            requested = true;
            return Promise.resolve(null);
          },
        },
      }));
      assertEquals(stopped.map(({ evaluated }) => evaluated), [false]);
      assert(stopped[0]!.step >= 1400 && stopped[0]!.step < 2101, `step ${stopped[0]!.step}`);
      await trainStages(runIn(`${root}/stopped`, machine, { ...more, resume: true }));
      assertEquals(timelessRows(`${root}/stopped`), whole);
      const names = [...Deno.readDirSync(`${root}/stopped/checkpoints`)].map(({ name }) => name);
      assertEquals(names.toSorted(), ["critic-2100.safetensors", "critic.safetensors"]);
    } finally {
      machine.buffer.destroy();
      machine.engine.close();
      Deno.removeSync(root, { recursive: true });
    }
  },
});

Deno.test({
  name: "trainStages() recovers evaluations, a damaged checkpoint and truncated metrics",
  ignore: !granted,
  fn: async () => {
    const { trainStages } = await import("../../lib/runs/training_run.ts");
    const root = Deno.makeTempDirSync();
    const machine = await setUp();
    const lines: string[] = [];
    const announce = (line: string) => lines.push(line);
    const cache = {
      entries: new StageCache(`${root}/.cache`, announce),
      context: { version: "1", data: "00", adapter: {} },
    };
    const more = { stages: ["critic"], evaluator: weighing(20), announce };
    const file = (run: string, name: string) => `${root}/${run}/${name}`;
    const critic = (run: string) => Deno.readFileSync(file(run, "checkpoints/critic.safetensors"));
    try {
      await trainStages(runIn(`${root}/whole`, machine, more));
      // A kill in the first evaluation, when all steps are trained.
      const evaluator = { ...weighing(20), evaluate: () => Promise.reject(new Error("killed")) };
      const begin = () => trainStages(runIn(`${root}/run`, machine, { ...more, evaluator }));
      await assertRejects(begin, Error, "killed");
      // Only what this process trains is cached.
      const resume = () =>
        trainStages(runIn(`${root}/run`, machine, { ...more, cache, resume: true }));
      await resume();
      assertEquals(timelessRows(`${root}/run`), timelessRows(`${root}/whole`));

      const bytes = critic("run");
      bytes[bytes.length - 2]! ^= 1;
      Deno.writeFileSync(file("run", "checkpoints/critic.safetensors"), bytes);
      lines.length = 0;
      const [again] = await resume();
      assertEquals(again!.made, 20, "the previous generation is used");
      assertStringIncludes(lines[0]!, "its checksum differs");
      assertEquals(critic("run"), critic("whole"));
      assertEquals(timelessRows(`${root}/run`), timelessRows(`${root}/whole`));
      const [cached] = [...Deno.readDirSync(`${root}/.cache`)]
        .filter(({ name }) => name.endsWith(".safetensors"));
      assertEquals(Deno.readFileSync(`${root}/.cache/${cached!.name}`), critic("whole"));

      const metrics = file("run", "metrics.jsonl");
      const rows = Deno.readTextFileSync(metrics).split("\n");
      Deno.writeTextFileSync(metrics, [...rows.slice(0, 4), ...rows.slice(11)].join("\n"));
      lines.length = 0;
      await resume();
      assertStringIncludes(
        lines[0]!,
        "lacks 7 of 40 rows of the critic stage, seed 3, from step 5 to 11",
      );
    } finally {
      machine.buffer.destroy();
      machine.engine.close();
      Deno.removeSync(root, { recursive: true });
    }
  },
});

Deno.test({
  name: "trainStages() writes algorithm, task and data hash to a policy's metadata",
  ignore: !granted,
  fn: async () => {
    const { trainStages } = await import("../../lib/runs/training_run.ts");
    const root = Deno.makeTempDirSync();
    const machine = await setUp();
    try {
      await trainStages(runIn(`${root}/run`, machine));
      const path = `${root}/run/policy.safetensors`;
      assertEquals(decode(Deno.readFileSync(path), path).metadata, {
        format: "pt",
        task: "maze2d-umaze-v1",
        algorithm: "srpo",
        data_sha256: "00ff",
        version: "0",
        seed: "3",
        step: "40",
      });
    } finally {
      machine.buffer.destroy();
      machine.engine.close();
      Deno.removeSync(root, { recursive: true });
    }
  },
});

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

Deno.test({
  name: "trainStages() does not wait for queued evaluations when training fails",
  ignore: !granted,
  fn: async () => {
    const { trainStages } = await import("../../lib/runs/training_run.ts");
    const root = Deno.makeTempDirSync();
    const machine = await setUp();
    const stopped: number[] = [];
    // Each evaluation lasts until it is stopped.
    const evaluator: Evaluator = {
      every: 4,
      episodes: 1,
      evaluate: async (_stage, step, _checkpoints, _replicas, _progress, stop) => {
        const { promise, resolve } = Promise.withResolvers<void>();
        stop!.addEventListener("abort", () => resolve());
        if (stop!.aborted) resolve();
        await promise;
        stopped.push(step);
        return null;
      },
    };
    const progress = {
      terminal: false,
      columns: () => 200,
      now: () => performance.now(),
      write: () => {},
      observe: ({ step }: { readonly step: number }) => {
        if (step >= 10) throw new UserError("training fails");
      },
    };
    try {
      await assertRejects(
        () => trainStages(runIn(root, machine, { evaluator, progress })),
        UserError,
        "training fails",
      );
      assertEquals(stopped, [4]);
      // The policies wait for the next process.
      const names = [...Deno.readDirSync(`${root}/checkpoints`)].map(({ name }) => name);
      assertEquals(names.filter((name) => name.startsWith("evaluate-")).toSorted(), [
        "evaluate-critic-4.safetensors",
        "evaluate-critic-8.safetensors",
      ]);
    } finally {
      machine.buffer.destroy();
      machine.engine.close();
      Deno.removeSync(root, { recursive: true });
    }
  },
});
