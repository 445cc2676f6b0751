/**
 * How well fitted Q evaluation ranks policies: trains small policies of several algorithms on two
 * data sets of this repository, plays them, and estimates their returns from the data:
 * `deno run -A bench/fqe.ts`, or with `--task hopper-medium-v2` one of the two tasks alone.
 *
 * It prints each policy's return and estimate, and Spearman's rank correlation with its bootstrap
 * interval over the policies, also for the distance of a policy's actions from the data's, which is
 * simpler to compute than an estimate. `--out FILE` also writes all numbers to a file.
 *
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";
import { join } from "node:path";
import type { HyperparameterValues } from "../lib/algorithms/hyperparameters.ts";
import { findAlgorithm } from "../lib/algorithms/registry.ts";
import { Engine } from "../lib/autodiff/engine.ts";
import { findTask } from "../lib/data/catalog.ts";
import { loadDataset } from "../lib/data/dataset.ts";
import type { OfflineDataset } from "../lib/data/offline_dataset.ts";
import { readingOptions } from "../lib/data/own_task.ts";
import { makeEnvironment } from "../lib/envs/registry.ts";
import { rollout } from "../lib/envs/rollout.ts";
import { RandomStream } from "../lib/envs/random.ts";
import { evaluationSeeds, policySeed } from "../lib/envs/seeds.ts";
import type { Policy } from "../lib/nn/host/policy.ts";
import { rankCorrelation } from "../lib/report/statistics.ts";
import { formatTable } from "../lib/report/table.ts";
import { type FittedQEstimate, fittedQEstimate } from "../lib/runs/fitted_q.ts";
import { trainAlgorithm } from "../lib/runs/train_algorithm.ts";

/** Data sets of this repository by task. */
const data = {
  "maze2d-umaze-v1": "data/maze2d-umaze-100k.hdf5",
  "hopper-medium-v2": "tests/fixtures/datasets/hopper-mixed-20k.hdf5",
} as const;

const training = { batchSize: 64, width: 64 };

/** Algorithms and what is changed in each, from policies like the data's to greedy ones. */
const variants: readonly (readonly [algorithm: string, HyperparameterValues])[] = [
  ...[0, 2.5, 40].map((alpha) => ["td3-bc", { ...training, alpha, steps: 2000 }] as const),
  ...[0.5, 10].map((temperature) => ["iql", { ...training, temperature, steps: 2000 }] as const),
  // Hardly trained.
  ["iql", { ...training, steps: 100 }],
];

/**
 * Training seeds, each of which gives a policy of every variant. The Q network was chosen with
 * policies of seeds 0 and 1.
 */
const trainingSeeds = [2, 3];
const episodes = 10;
const estimation = { steps: 4000, width: 64, batchSize: 128 };
const estimationSeeds = [0, 1, 2];

interface Judged {
  readonly name: string;
  readonly return: number;
  readonly estimate: FittedQEstimate;
  /** Root mean square of the differences between the policy's actions and the data's. */
  readonly distance: number;
}

async function policiesOf(
  engine: Engine,
  taskName: string,
  dataset: OfflineDataset,
): Promise<{ name: string; policy: Policy }[]> {
  const task = findTask(taskName);
  const policies: { name: string; policy: Policy }[] = [];
  const folder = await Deno.makeTempDir();
  try {
    for (const [i, [name, changed]] of variants.entries()) {
      const algorithm = findAlgorithm(name);
      const trained = await trainAlgorithm(engine, {
        algorithm,
        data: dataset,
        task,
        hyperparameters: algorithm.hyperparameters.valuesFor(task.family, "quick", changed),
        seeds: trainingSeeds,
        directory: join(folder, String(i)),
      });
      const { alpha, temperature, steps } = changed;
      const what = alpha !== undefined
        ? `α ${alpha}`
        : temperature !== undefined
        ? `temperature ${temperature}`
        : `${steps} steps`;
      trained.forEach((run, seed) => {
        const { policy } = run.load();
        policies.push({ name: `${name}, ${what}, seed ${trainingSeeds[seed]}`, policy });
      });
      console.error(`${taskName}: trained ${policies.length} policies`);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
  return policies;
}

async function judge(engine: Engine, taskName: keyof typeof data): Promise<Judged[]> {
  const dataset = await loadDataset([data[taskName]], readingOptions(findTask(taskName)));
  const policies = await policiesOf(engine, taskName, dataset);
  const environment = await makeEnvironment(taskName, episodes);
  const judged: Judged[] = [];
  for (const { name, policy } of policies) {
    const played = await rollout(environment, policy, evaluationSeeds(0, episodes));
    const estimate = await fittedQEstimate(
      engine,
      dataset,
      policy,
      estimation,
      estimationSeeds,
      { acted: () => {}, trained: () => {} },
      new AbortController().signal,
    );
    const mean = played.reduce((sum, episode) => sum + episode.return, 0) / episodes;
    const distance = await distanceOf(policy, dataset);
    judged.push({ name, return: mean, estimate, distance });
    console.error(`${taskName}: judged ${judged.length} of ${policies.length} policies`);
  }
  await environment.close();
  return judged;
}

/** Returns how far a policy's actions are from those of every tenth row. */
async function distanceOf(policy: Policy, data: OfflineDataset): Promise<number> {
  const { rows, observations, observationSize, actions, actionSize } = data;
  let sum = 0;
  let count = 0;
  for (let row = 0; row < rows; row += 10) {
    const state = observations.subarray(row * observationSize, (row + 1) * observationSize);
    const stream = new RandomStream(policySeed(row));
    const action = await policy.act(Float64Array.from(state), [stream]);
    for (let i = 0; i < actionSize; i++, count++) {
      sum += (action[i]! - actions[row * actionSize + i]!) ** 2;
    }
  }
  return Math.sqrt(sum / count);
}

const { task, out } = parseArgs(Deno.args, { string: ["task", "out"] }) as {
  task?: string;
  out?: string;
};
using engine = await Engine.open();
const found: Record<string, unknown> = {};
for (const taskName of Object.keys(data) as (keyof typeof data)[]) {
  if (task !== undefined && task !== taskName) continue;
  const judged = await judge(engine, taskName);
  console.log(`\n${taskName}, data ${data[taskName]}\n`);
  console.log(formatTable(
    ["policy", "return", "estimate", "95 % interval", "distance"],
    judged.toSorted((a, b) => b.return - a.return).map((each) => [
      each.name,
      each.return.toFixed(1),
      each.estimate.mean.toFixed(2),
      each.estimate.interval!.map((end) => end.toFixed(2)).join(" to "),
      each.distance.toFixed(2),
    ]),
  ));
  const correlations = {
    estimate: rankCorrelation(judged.map((each) => [each.return, each.estimate.mean])),
    closeness: rankCorrelation(judged.map((each) => [each.return, -each.distance])),
  };
  console.log(`\nSpearman's rank correlation with the return, over ${judged.length} policies:`);
  for (const [what, { correlation, interval }] of Object.entries(correlations)) {
    console.log(
      `${what.padEnd(9)} ${correlation.toFixed(2)}, ` +
        `95 % interval ${interval.map((end) => end.toFixed(2)).join(" to ")}`,
    );
  }
  found[taskName] = { correlations, policies: judged };
}
if (out !== undefined) await Deno.writeTextFile(out, JSON.stringify(found, null, 2) + "\n");
