/**
 * `train`: the stages of an algorithm, from a data set to a policy.
 *
 * @module
 */
import { join } from "node:path";
import { Engine } from "../autodiff/engine.ts";
import { choiceText } from "../autodiff/variants.ts";
import { datasetHash, loadDataset, type OfflineDataset } from "../data/dataset.ts";
import { taskNotes } from "../data/fit.ts";
import { ReplayBuffer } from "../data/replay_buffer.ts";
import { shapeRewards } from "../data/rewards.ts";
import { type AdapterDescription, adapterText } from "../gpu/device.ts";
import type { Target } from "../gpu/target.ts";
import { createRunDirectory, type RunDirectory } from "../runs/directory.ts";
import { writeAtomic } from "../runs/files.ts";
import { watchInterrupt } from "../runs/interrupt.ts";
import { standardError } from "../runs/progress.ts";
import { allReplicas, type ReplicaAxes, replicasOf, stageOf } from "../runs/replicas.ts";
import { StageCache } from "../runs/stage_cache.ts";
import { type StageResult, trainStages } from "../runs/training_run.ts";
import { VariantFile } from "../runs/variant_memory.ts";
import { formatTable } from "../report/table.ts";
import { version } from "../version.ts";
import { helpText } from "./help.ts";
import { Evaluations } from "./train_evaluation.ts";
import { drawRun } from "./train_pictures.ts";
import { checkData, makePlan, parseTrain, type Plan, trainCommand } from "./train_plan.ts";

/** Where finished stages are kept, beside the runs. */
const cacheFolder = join("runs", ".cache");

/**
 * Trains.
 *
 * @throws {UserError} On unfit flags, data or checkpoints, before anything is trained; on a metric that
 * is not finite, after which the last checkpoint stands.
 */
export async function train(args: readonly string[]): Promise<void> {
  const { algorithm: chosen, parsed } = parseTrain(args);
  if (parsed === "help") return console.log(helpText(trainCommand(chosen)));
  const { what, flags } = parsed;
  const started = performance.now();
  const plan = await makePlan(chosen, what, flags, args);
  const { algorithm, task, hyperparameters, seeds, variants, stages } = plan;
  const data = await loadDataset([...plan.paths], { maxEpisodeSteps: task.maxEpisodeSteps });
  const sha256 = datasetHash(data);
  checkData(plan, data, sha256);

  const memory = new VariantFile();
  using engine = await Engine.open(plan.target, memory);
  const directory = plan.resumed ?? createRunDirectory({ task: task.name, seeds, out: flags.out });
  const axes: ReplicaAxes = { directory, algorithm, hyperparameters, seeds, variants };
  const adapter = { ...engine.gpu.adapter, ...engine.target };
  if (!plan.resumed) {
    await writeConfigs(axes, plan, data, sha256, adapter);
    await takeGiven(axes, plan);
  }
  const products = choiceText(engine.choice) +
    (memory.problem ? `; not kept: ${memory.problem}` : "");
  announce(plan, data, `${adapterText(adapter)}; matrix products: ${products}`, directory);
  const buffer = new ReplayBuffer(
    engine.gpu,
    data,
    shapeRewards(data, algorithm.rewardRule(hyperparameters)),
  );
  const evaluations = Evaluations.open(algorithm, task, data, flags["eval-episodes"]);
  using interrupt = watchInterrupt();
  const say = (line: string) => console.log(line);
  const results = await trainStages({
    ...axes,
    engine,
    buffer,
    stages,
    cache: flags["no-cache"] ? null : {
      entries: new StageCache(cacheFolder, say),
      context: { version, data: sha256, adapter },
    },
    resume: plan.resumed !== undefined,
    interrupt,
    progress: standardError(),
    announce: say,
    profile: flags.profile,
    ...(evaluations && {
      observer: {
        every: flags["eval-every"] ?? Infinity,
        look: (stage, step, checkpoints, replicas) =>
          evaluations.look(stage, step, checkpoints, replicas),
      },
    }),
  });
  const finished = results.every(({ step, steps }) => step === steps);
  console.log(`\n${resultTable(results)}`);
  if (evaluations && evaluations.any) console.log(`\n${evaluations.tables()}`);
  const pictures = finished ? await drawRun(axes, task, data, evaluations) : [];
  for (const path of pictures) console.log(`picture  ${path}`);
  console.log(
    finished
      ? `run      ${directory.path}, after ${((performance.now() - started) / 1000).toFixed(0)} s`
      : `stopped  continue with: deno run -A cli.ts train --resume ${directory.path}`,
  );
  if (flags.json) {
    console.log(JSON.stringify({
      run: directory.path,
      task: task.name,
      seeds,
      variants: variants.map(({ name }) => name),
      finished,
      stages: Object.fromEntries(results.map(({ stage, ...rest }) => [stage, rest])),
      evaluations: evaluations?.rows ?? [],
      statistics: evaluations?.statistics() ?? [],
      pictures,
    }));
  }
}

/** Writes the run's `config.json`, and one into every folder of a seed or variant. */
async function writeConfigs(
  axes: ReplicaAxes,
  { algorithm, task, paths, sweep, stages }: Plan,
  data: OfflineDataset,
  sha256: string,
  adapter: AdapterDescription & Target,
): Promise<void> {
  const config = {
    version,
    algorithm: algorithm.name,
    task: task.name,
    stages,
    data: {
      file: paths.map((path) => Deno.realPathSync(path)).join(","),
      sha256,
      rows: data.rows,
    },
    adapter: { ...adapter },
  };
  for (const { seed, hyperparameters, directory } of allReplicas(axes)) {
    Deno.mkdirSync(join(directory.path, "checkpoints"), { recursive: true });
    await directory.writeConfig({
      ...config,
      hyperparameters: { ...hyperparameters },
      seeds: [seed],
    });
  }
  await axes.directory.writeConfig({
    ...config,
    hyperparameters: { ...axes.hyperparameters },
    seeds: axes.seeds,
    ...(axes.variants.length > 0 && { sweep: { ...sweep } }),
  });
}

/** Copies the checkpoints that stand in for stages to where the run has its own. */
async function takeGiven(axes: ReplicaAxes, { given }: Plan): Promise<void> {
  for (const [stage, file] of Object.entries(given)) {
    for (const { seed, directory } of replicasOf(axes, stageOf(axes.algorithm, stage))) {
      await writeAtomic(directory.checkpoint(stage), Deno.readFileSync(file(seed)));
    }
  }
}

function announce(
  { algorithm, task, paths, seeds, variants, stages, given }: Plan,
  data: OfflineDataset,
  adapter: string,
  directory: RunDirectory,
): void {
  const files = seeds.flatMap((seed) => Object.values(given).map((file) => file(seed)));
  console.log([
    `task     ${task.name}: ${algorithm.title}, ${stages.join(", ")}, seed ${seeds.join(", ")}`,
    ...(variants.length > 0
      ? [
        `sweep    ${variants.length} policies a seed: ${
          variants.map(({ name }) => name).join(", ")
        }`,
      ]
      : []),
    `data     ${paths.join(", ")}: ${data.rows.toLocaleString("en-US")} rows, ` +
    `${data.observationSize} observations, ${data.actionSize} actions`,
    ...taskNotes(data, task).map((note) => `note     ${note}`),
    ...[...new Set(files)].map((file) => `given    ${file}`),
    `adapter  ${adapter}`,
    `run      ${directory.path}`,
  ].join("\n"));
}

function resultTable(results: readonly StageResult[]): string {
  return formatTable(
    ["stage", "steps", "steps/s", "dispatches", "losses"],
    results.map(({ stage, step, losses, dispatches, made, seconds, cached }) => [
      stage,
      step.toLocaleString("en-US"),
      made > 0 ? (made / seconds).toPrecision(3) : "–",
      dispatches ?? "–",
      [
        ...Object.entries(losses).map(([name, values]) =>
          `${name} ${(values.reduce((a, b) => a + b, 0) / values.length).toPrecision(4)}`
        ),
        ...(cached.length > 0 ? [`${cached.length} from the cache`] : []),
      ].join("  "),
    ]),
  );
}
