import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "node:path";
import { readMetrics } from "../../lib/runs/metrics.ts";
import { decode } from "../../lib/runs/safetensors.ts";
import type { CacheContext } from "../../lib/runs/stage_cache.ts";
import type { TrainingRun } from "../../lib/runs/run.ts";
import {
  type Hyperparameters,
  hyperparametersFor,
} from "../../lib/algorithms/srpo/hyperparameters.ts";
import { srpo } from "../../lib/algorithms/srpo/algorithm.ts";
import { variantsOf } from "../../lib/runs/replicas.ts";
import { runIn, setUp, stageNames, tiny } from "./tiny_run.ts";

const granted = ["read", "write"].every((name) =>
  Deno.permissions.querySync({ name: name as "read" }).state === "granted"
);
const h: Hyperparameters = hyperparametersFor("maze2d", "quick", {
  ...tiny,
  criticSteps: 10,
  behaviorSteps: 10,
});
const checkpoint = (directory: string, stage: string) =>
  Deno.readFileSync(join(directory, "checkpoints", `${stage}.safetensors`));

function sweepTest(
  name: string,
  body: (
    place: {
      root: string;
      run: (name: string, more?: Partial<TrainingRun>) => TrainingRun;
      trainStages: typeof import("../../lib/runs/training_run.ts").trainStages;
    },
  ) => Promise<void>,
) {
  Deno.test({
    name,
    ignore: !granted,
    fn: async () => {
      const { trainStages } = await import("../../lib/runs/training_run.ts");
      const root = Deno.makeTempDirSync();
      const machine = await setUp();
      const run = (name: string, more: Partial<TrainingRun> = {}) =>
        runIn(join(root, name), machine, { hyperparameters: h, ...more });
      try {
        await body({ root, run, trainStages });
      } finally {
        machine.buffer.destroy();
        machine.engine.close();
        Deno.removeSync(root, { recursive: true });
      }
    },
  });
}

/** Copies the checkpoints of the stages before the policy stage. */
function copyEarlier(from: string, to: string): void {
  Deno.mkdirSync(join(to, "checkpoints"), { recursive: true });
  for (const stage of ["critic", "behavior"]) {
    Deno.writeFileSync(
      join(to, "checkpoints", `${stage}.safetensors`),
      checkpoint(from, stage),
    );
  }
}

sweepTest(
  "trainStages() trains each variant of a sweep bit-identically to training it separately",
  async ({ root, run, trainStages }) => {
    const seeds = [3, 7];
    const variants = variantsOf(srpo, h, {
      betas: [0.02, 0.5],
      weightings: ["sigma2", "fixed_time", "constant"],
      baselines: [true, false],
    });
    await trainStages(run("sweep", { seeds, variants }));
    for (
      const [seed, name] of [
        [7, "beta-0.02-weighting-fixed_time-baseline-false"],
        [3, "beta-0.5-weighting-constant-baseline-true"],
      ] as const
    ) {
      const own = join(root, "sweep", `seed-${seed}-${name}`);
      const alone = join(root, `alone-${seed}`);
      copyEarlier(join(root, "sweep", `seed-${seed}`), alone);
      await trainStages(run(`alone-${seed}`, {
        seeds: [seed],
        stages: ["policy"],
        hyperparameters: variants.find((variant) => variant.name === name)!.hyperparameters,
      }));
      assertEquals(checkpoint(own, "policy"), checkpoint(alone, "policy"), own);
      // The folder of a variant has all checkpoints of a run.
      assertEquals(checkpoint(own, "critic"), checkpoint(alone, "critic"));
      assertEquals(checkpoint(own, "behavior"), checkpoint(alone, "behavior"));
    }
    const policies = seeds.flatMap((seed) =>
      variants.map(({ name }) => {
        const path = join(root, "sweep", `seed-${seed}-${name}`, "policy.safetensors");
        return decode(Deno.readFileSync(path), path).tensors.get("net.0.weight")!.data.join();
      })
    );
    assertEquals(new Set(policies).size, 24, "two variants have the same policy");

    for (const seed of seeds) {
      copyEarlier(join(root, "sweep", `seed-${seed}`), join(root, "stopped", `seed-${seed}`));
    }
    let requested = false;
    const stopped = run("stopped", {
      seeds,
      variants,
      stages: ["policy"],
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
          if (Number(/policy +([0-9]+)\//.exec(text)?.[1]) >= 3) requested = true;
        },
      },
    });
    const [first] = await trainStages(stopped);
    assert(first!.step > 0 && first!.step < h.policySteps, `stopped at step ${first!.step}`);
    await trainStages(run("stopped", { seeds, variants, stages: ["policy"], resume: true }));
    for (const seed of seeds) {
      for (const { name } of variants) {
        const folder = `seed-${seed}-${name}`;
        assertEquals(
          checkpoint(join(root, "stopped", folder), "policy"),
          checkpoint(join(root, "sweep", folder), "policy"),
          folder,
        );
      }
    }
  },
);

sweepTest(
  "trainStages() takes finished stages from the cache, announces them, and trains the rest",
  async ({ root, run, trainStages }) => {
    const { StageCache } = await import("../../lib/runs/stage_cache.ts");
    const context: CacheContext = { version: "1", data: "00", adapter: {} };
    let lines: string[] = [];
    const announce = (line: string) => {
      if (/cache/.test(line)) lines.push(line);
    };
    const cache = { entries: new StageCache(join(root, ".cache"), announce), context };
    const train = async (name: string, more: Partial<TrainingRun> = {}) => {
      lines = [];
      return await trainStages(run(name, { cache, announce, ...more }));
    };
    const first = await train("first");
    assertEquals(first.map(({ made }) => made), [10, 10, 40]);
    assertEquals(lines, []);

    // Seed 3 is cached. The result for seed 7 does not depend on that.
    const evaluations: [string, number, number[]][] = [];
    const second = await train("second", {
      seeds: [3, 7],
      evaluator: {
        every: Infinity,
        episodes: 1,
        evaluate: (stage, step, checkpoints, replicas) => {
          assertEquals(checkpoints.length, replicas.length);
          evaluations.push([stage, step, replicas.map(({ seed }) => seed)]);
          return Promise.resolve(
            replicas.map(({ seed }) => ({ metrics: { mean_return: seed }, episodes: [] })),
          );
        },
      },
    });
    assertEquals(second.map(({ cached }) => cached.length), [1, 1, 1]);
    assertEquals(lines.length, 3);
    assertStringIncludes(lines[0]!, `critic: seed 3 is taken from the cache`);
    assertStringIncludes(lines[0]!, join(root, "first"));
    const stages = [["critic", 10], ["behavior", 10], ["policy", 40]] as const;
    assertEquals(evaluations, stages.map(([stage, step]) => [stage, step, [3, 7]]));
    // Cached replicas bring their metrics along.
    const rows = (run: string) => readMetrics(join(root, run, "metrics.jsonl"));
    assertEquals(
      rows("second").filter(({ seed, episodes }) => seed === 3 && episodes === null),
      rows("first"),
    );
    assertEquals(
      rows("second").filter(({ episodes }) => episodes !== null)
        .map(({ stage, step, seed, metrics }) => [stage, step, seed, metrics]),
      stages.flatMap(([stage, step]) =>
        [3, 7].map((seed) => [stage, step, seed, { mean_return: seed }])
      ),
    );
    await train("both", { seeds: [3, 7], cache: null });
    for (const seed of [3, 7]) {
      for (const stage of stageNames) {
        assertEquals(
          checkpoint(join(root, "second", `seed-${seed}`), stage),
          checkpoint(join(root, "both", `seed-${seed}`), stage),
          `${stage} of seed ${seed}`,
        );
      }
    }

    // Another β changes only the policy stage.
    const third = await train("third", { hyperparameters: { ...h, beta: 0.7 } });
    assertEquals(third.map(({ made }) => made), [0, 0, 40]);
    // A sweep takes replicas that were trained alone; their rows get the variant's name.
    const variants = variantsOf(srpo, h, { betas: [h.beta, 0.7] });
    const swept = await train("swept", { variants });
    assertEquals(swept.map(({ made }) => made), [0, 0, 0]);
    const policyRows = rows("swept").filter(({ stage }) => stage === "policy");
    for (const { name } of variants) {
      assertEquals(policyRows.filter(({ variant }) => variant === name).length, 40, name);
    }
    assertEquals(policyRows.length, 80);
    // Damaged entries are trained again.
    for (const { name } of Deno.readDirSync(join(root, ".cache"))) {
      if (name.endsWith(".safetensors")) Deno.truncateSync(join(root, ".cache", name), 100);
    }
    const last = await train("last", { stages: ["critic"] });
    assertEquals(last.map(({ made }) => made), [10]);
    assertStringIncludes(lines.join("\n"), "its hash differs");
  },
);
