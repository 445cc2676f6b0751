/**
 * `train`: the stages of an algorithm, from a data set to a policy.
 *
 * @module
 */
import { join } from "node:path";
import { Engine } from "../autodiff/engine.ts";
import { choiceText } from "../autodiff/variants.ts";
import { datasetHash, loadDataset, type OfflineDataset } from "../data/dataset.ts";
import type { Task } from "../data/catalog.ts";
import { taskNotes } from "../data/fit.ts";
import { readingOptions } from "../data/own_task.ts";
import { ReplayBuffer } from "../data/replay_buffer.ts";
import { shapeRewards } from "../data/rewards.ts";
import { Placement } from "../nn/placement.ts";
import { actionLatency } from "../envs/latency.ts";
import { type AdapterDescription, adapterText } from "../gpu/device.ts";
import { driverVersion } from "../gpu/driver_version.ts";
import type { Target } from "../gpu/target.ts";
import { boundsText } from "../nn/host/action_bounds.ts";
import { resultTables } from "./results_table.ts";
import {
  createRunDirectory,
  type GivenCheckpoint,
  type RunConfig,
  RunDirectory,
} from "../runs/directory.ts";
import { writeAtomic } from "../runs/files.ts";
import { type Interrupt, watchInterrupt } from "../runs/interrupt.ts";
import { RunLog } from "../runs/log.ts";
import { readMetrics } from "../runs/metrics.ts";
import { upgradeMetrics } from "../runs/metrics_upgrade.ts";
import { RunEstimate, workOf } from "../runs/estimate.ts";
import { formatDuration, standardError } from "../runs/progress.ts";
import { allReplicas, type ReplicaAxes, replicasOf, stageOf } from "../runs/replicas.ts";
import {
  evaluationsOf,
  lastLosses,
  readResults,
  type References,
  type Results,
  writeResults,
} from "../runs/results.ts";
import { ownProvenance, recordOfOwn } from "../runs/run_task.ts";
import { fileHash, StageCache } from "../runs/stage_cache.ts";
import { openTrained } from "../runs/trained.ts";
import {
  evaluateTaken,
  type StageResult,
  type TrainingRun,
  trainStages,
} from "../runs/training_run.ts";
import { VariantFile } from "../runs/variant_memory.ts";
import { version } from "../version.ts";
import { helpText } from "./help.ts";
import {
  evaluatedActors,
  evaluationStatistics,
  evaluatorOf,
  referencesOf,
} from "./train_evaluation.ts";
import { drawRun } from "./train_pictures.ts";
import {
  checkData,
  makePlan,
  parseTrain,
  type Plan,
  trainCommand,
  type TrainFlags,
} from "./train_plan.ts";

/** Where finished stages are kept, beside the runs. */
const cacheFolder = join("runs", ".cache");

/**
 * Trains.
 *
 * @returns Exit code: 0, or that of the signal that stopped the run.
 * @throws {UserError} On unfit flags, data or checkpoints, before anything is trained; on a metric that
 * is not finite, after which the last checkpoint stands.
 */
export async function train(args: readonly string[]): Promise<number> {
  const { algorithm: chosen, parsed } = parseTrain(args);
  if (parsed === "help") {
    console.log(helpText(trainCommand(chosen)));
    return 0;
  }
  const { what, flags } = parsed;
  const done = flags.resume === undefined ? null : finishedResults(flags.resume);
  if (done !== null) {
    console.log(`run      ${flags.resume} is finished already; these are its results\n`);
    console.log(resultTables(done));
    if (flags.json) console.log(JSON.stringify({ run: flags.resume, ...done }));
    return 0;
  }
  const plan = await makePlan(chosen, what, flags, args);
  const data = await loadDataset([...plan.paths], readingOptions(plan.task));
  const sha256 = datasetHash(data);
  checkData(plan, data, sha256);

  const memory = new VariantFile();
  using engine = await Engine.open(plan.target, memory);
  const { task, seeds } = plan;
  const directory = plan.resumed ?? createRunDirectory({ task: task.name, seeds, out: flags.out });
  const log = new RunLog(directory.log);
  using interrupt = watchInterrupt("stopping after writing a checkpoint");
  try {
    await trainIn(directory, { plan, flags, args, data, sha256, engine, memory, log, interrupt });
  } catch (error) {
    log.write(`error: ${error instanceof Error ? error.message : error}`);
    throw error;
  }
  return interrupt.exitCode ?? 0;
}

/** What a run needs beside its directory. */
interface Setting {
  readonly plan: Plan;
  readonly flags: TrainFlags;
  readonly args: readonly string[];
  readonly data: OfflineDataset;
  readonly sha256: string;
  readonly engine: Engine;
  readonly memory: VariantFile;
  readonly log: RunLog;
  readonly interrupt: Interrupt;
}

async function trainIn(
  directory: RunDirectory,
  { plan, flags, args, data, sha256, engine, memory, log, interrupt }: Setting,
): Promise<void> {
  const started = performance.now();
  const { algorithm, task, hyperparameters, seeds, variants, stages } = plan;
  const say = (line: string) => {
    log.write(line);
    try {
      console.log(line);
    } catch (error) {
      // A terminal that has closed asked for the stop, and takes no more lines.
      if (!interrupt.requested) throw error;
    }
  };
  log.write(`srpo-webgpu ${version}: train ${args.join(" ")}`);
  const axes: ReplicaAxes = { directory, algorithm, hyperparameters, seeds, variants };
  const adapter = { ...engine.gpu.adapter, ...engine.target };
  const driver = driverVersion(adapter);
  await writeConfigs(axes, plan, data, sha256, { ...adapter, driverVersion: driver });
  if (!plan.resumed) await takeGiven(axes, plan);
  const former = plan.resumed ? upgradeMetrics(axes) : null;
  const products = choiceText(engine.choice) +
    (memory.problem ? `; not kept: ${memory.problem}` : "");
  const named = adapterText(adapter) + (driver === null ? "" : `, ${driver}`);
  say(announcement(plan, data, `${named}; matrix products: ${products}`, directory));
  if (former !== null) {
    say(`note     version 0.2 began this run; its metrics as they were are in ${former}`);
  }
  const buffer = new ReplayBuffer(
    engine.gpu,
    data,
    shapeRewards(data, algorithm.rewardRule(hyperparameters)),
  );
  const evaluator = evaluatorOf(algorithm, task, plan.evaluation, interrupt, engine.target);
  const estimate = new RunEstimate(await workOf(axes, stages, buffer));
  for (const line of timeNotes(estimate, engine, plan)) say(line);
  const run: TrainingRun = {
    ...axes,
    engine,
    buffer,
    stages,
    cache: plan.cache
      ? {
        entries: new StageCache(cacheFolder, say),
        context: { version, data: sha256, adapter: { ...adapter, driverVersion: driver } },
      }
      : null,
    provenance: {
      task: task.name,
      algorithm: algorithm.name,
      data_sha256: sha256,
      version,
      ...ownProvenance(task),
    },
    resume: plan.resumed !== undefined,
    interrupt,
    progress: log.progress(standardError()),
    estimate,
    announce: say,
    profile: flags.profile,
    ...(evaluator && { evaluator }),
  };
  const results = await trainStages(run);
  const finished = results.length === stages.length &&
    results.every(({ step, steps, evaluated }) => step === steps && evaluated) &&
    await evaluateTaken(run);
  const latencies = finished ? await latenciesOf(axes, engine.target) : {};
  const found = resultsOf(axes, plan, results, finished, referencesOf(task, data), latencies);
  const pictures = finished ? await drawRun(axes, task, data, found.statistics) : [];
  const whole: Results = { ...found, pictures };
  await writeResults(directory.results, whole);
  say(`\n${resultTables(whole)}\n`);
  for (const path of pictures) say(`picture  ${path}`);
  say(
    finished
      ? `run      ${directory.path}, after ${((performance.now() - started) / 1000).toFixed(0)} s`
      : `stopped  continue with: deno run -A cli.ts train --resume ${directory.path}`,
  );
  if (flags.json) console.log(JSON.stringify({ run: directory.path, ...whole }));
}

/** How long the run will take, and where a processor plays the GPU, what is made for that. */
function timeNotes(estimate: RunEstimate, { gpu, choice }: Engine, { preset }: Plan): string[] {
  const rate = choice.rates?.[choice.target.matmul];
  const time = rate === undefined ? null : formatDuration(estimate.total(rate * 1e9));
  return [
    ...(time === null
      ? []
      : [`time     about ${time} for all stages, by the speed of the matrix products`]),
    ...(preset === "paper" && gpu.adapter.software
      ? [
        `warning  ${gpu.adapter.name} is a software GPU, and the paper's networks and budgets are ` +
        "made for a graphics card" +
        (time === null ? "" : ` (here about ${time})`) +
        "; --preset quick is made for a processor",
      ]
      : []),
  ];
}

/** The results of a run that has nothing left to do; null of any other. */
function finishedResults(path: string): Results | null {
  const directory = new RunDirectory(path);
  directory.readConfig();
  const results = readResults(directory.results);
  return results?.finished ? results : null;
}

/** What a run came to, but for its pictures. */
function resultsOf(
  axes: ReplicaAxes,
  { algorithm, task, seeds, variants }: Plan,
  results: readonly StageResult[],
  finished: boolean,
  references: References,
  latencies: Readonly<Record<string, number>>,
): Results {
  const { metrics } = axes.directory;
  const actors = evaluatedActors(algorithm);
  const evaluations = evaluationsOf(readMetrics(metrics), actors);
  return {
    algorithm: algorithm.name,
    task: task.name,
    seeds,
    variants: variants.map(({ name }) => name),
    finished,
    stages: Object.fromEntries(
      results.map(({ stage, evaluated: _, ...outcome }) => [
        stage,
        { ...outcome, losses: lastLosses(metrics, stage) },
      ]),
    ),
    references,
    actors,
    evaluations,
    statistics: evaluationStatistics(evaluations, actors),
    action_latency_ms: latencies,
    pictures: [],
  };
}

/** Milliseconds of an action in each way that the first seed and variant can act. */
async function latenciesOf(axes: ReplicaAxes, target: Target): Promise<Record<string, number>> {
  const last = axes.algorithm.stages.at(-1)!;
  const trained = openTrained(replicasOf(axes, last)[0]!.directory.path);
  await using placement = new Placement({ target });
  const latencies: Record<string, number> = {};
  for (const way of trained.ways) {
    const { policy } = await placement.place(trained.load(way));
    latencies[way] = await actionLatency(policy);
  }
  return latencies;
}

/** Writes the run's `config.json`, and one into every folder of a seed or variant. */
async function writeConfigs(
  axes: ReplicaAxes,
  plan: Plan,
  data: OfflineDataset,
  sha256: string,
  adapter: AdapterDescription & Target & { readonly driverVersion: string | null },
): Promise<void> {
  const { evaluation, cache } = plan;
  if (plan.resumed) {
    // All but what the flags of this call may have changed stays as it was.
    const write = async (directory: RunDirectory) => {
      const recorded = directory.readConfig();
      const data = { ...recorded.data, file: realPaths(plan.paths) };
      await directory.writeConfig({ ...recorded, data, evaluation, cache });
    };
    const paths = new Set([
      axes.directory.path,
      ...allReplicas(axes).map(({ directory }) => directory.path),
    ]);
    for (const path of paths) await write(new RunDirectory(path));
    return;
  }
  const config = {
    version,
    deno: Deno.version.deno,
    algorithm: plan.algorithm.name,
    task: plan.task.name,
    stages: plan.stages,
    preset: plan.preset,
    data: {
      file: realPaths(plan.paths),
      sha256,
      rows: data.rows,
    },
    adapter: { ...adapter },
    evaluation,
    cache,
    ...(plan.task.own && { environment: recordOfOwn(plan.task.own) }),
  } satisfies Partial<RunConfig>;
  const given = givenOf(plan);
  for (const { seed, hyperparameters, directory } of allReplicas(axes)) {
    Deno.mkdirSync(join(directory.path, "checkpoints"), { recursive: true });
    await directory.writeConfig({
      ...config,
      hyperparameters: { ...hyperparameters },
      seeds: [seed],
      given: given.filter((each) => each.seed === seed),
    });
  }
  await axes.directory.writeConfig({
    ...config,
    hyperparameters: { ...axes.hyperparameters },
    seeds: axes.seeds,
    given,
    ...(axes.variants.length > 0 && { sweep: { ...plan.sweep } }),
  });
}

/** Files of a data set as `config.json` names them. */
function realPaths(paths: readonly string[]): string {
  return paths.map((path) => Deno.realPathSync(path)).join(",");
}

/** Where the checkpoints are from that stand in for stages. */
function givenOf({ given, seeds, from }: Plan): GivenCheckpoint[] {
  return Object.entries(given).flatMap(([stage, file]) =>
    seeds.map((seed) => ({
      stage,
      seed,
      run: from === undefined ? null : Deno.realPathSync(from),
      file: Deno.realPathSync(file(seed)),
      sha256: fileHash(file(seed)),
    }))
  );
}

/** Copies the checkpoints that stand in for stages to where the run has its own. */
async function takeGiven(axes: ReplicaAxes, { given }: Plan): Promise<void> {
  for (const [stage, file] of Object.entries(given)) {
    for (const { seed, directory } of replicasOf(axes, stageOf(axes.algorithm, stage))) {
      await writeAtomic(directory.checkpoint(stage), Deno.readFileSync(file(seed)));
    }
  }
}

/** What is said of a task of one's own. */
function ownLines({ own }: Task): string[] {
  if (own === undefined) return [];
  const { environment, actionBounds } = own;
  return [
    environment === null
      ? "played   nowhere: --env names the environment to evaluate in"
      : `played   in ${environment.id} of the ${environment.server} server`,
    ...(actionBounds === null
      ? []
      : [`actions  scaled from ${boundsText(actionBounds)} to [-1, 1], and back for playing`]),
  ];
}

function announcement(
  { algorithm, task, paths, seeds, variants, stages, given }: Plan,
  data: OfflineDataset,
  adapter: string,
  directory: RunDirectory,
): string {
  const files = seeds.flatMap((seed) => Object.values(given).map((file) => file(seed)));
  return [
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
    ...ownLines(task),
    ...taskNotes(data, task).map((note) => `note     ${note}`),
    ...[...new Set(files)].map((file) => `given    ${file}`),
    `adapter  ${adapter}`,
    `run      ${directory.path}`,
  ].join("\n");
}
