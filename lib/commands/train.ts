/**
 * `train`: trains the stages of an algorithm on a data set.
 *
 * @module
 */
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { Engine } from "../autodiff/engine.ts";
import { type OfflineDataset, readDataset } from "../data/dataset.ts";
import { datasetHash } from "../data/hash.ts";
import type { Algorithm } from "../algorithms/algorithm.ts";
import { algorithms } from "../algorithms/registry.ts";
import { readingOptions } from "../data/own_task.ts";
import { ReplayBuffer } from "../data/replay_buffer.ts";
import { shapeRewards } from "../data/rewards.ts";
import { UserError } from "../errors.ts";
import { GpuLostError } from "../gpu/device.ts";
import { fingerprintDifferences } from "../gpu/fingerprint.ts";
import { resultTables } from "./results_table.ts";
import { createRunDirectory, refuseRun, RunDirectory } from "../runs/directory.ts";
import { runId } from "../runs/identity.ts";
import { type Interrupt, watchInterrupt } from "../runs/interrupt.ts";
import { clearRemains, RunLock } from "../runs/lock.ts";
import { RunLog } from "../runs/log.ts";
import { readMetrics } from "../runs/metrics.ts";
import { upgradeMetrics } from "../runs/metrics_upgrade.ts";
import { RunEstimate, type StageWork, workOf } from "../runs/estimate.ts";
import { eraseProgress, type ProgressOutput, standardError } from "../runs/progress.ts";
import { groupsOf, type ReplicaAxes } from "../runs/replicas.ts";
import { ownProvenance } from "../runs/run_task.ts";
import { StageCache } from "../runs/stage_cache.ts";
import type { TrainingRun } from "../runs/run.ts";
import { evaluateTaken } from "../runs/stage_evaluation.ts";
import { sessionsInWorkers } from "../runs/stage_in_worker.ts";
import { ThreadFile } from "../runs/thread_times.ts";
import { trainStages } from "../runs/training_run.ts";
import { VariantFile } from "../runs/variant_memory.ts";
import { fitted } from "../terminal.ts";
import { version } from "../version.ts";
import { DrawnEpisodes } from "./drawn_episodes.ts";
import { helpText } from "./help.ts";
import { adapterLine, announcement, notes } from "./train_announcement.ts";
import { evaluatorOf, isEvaluated } from "./train_evaluation.ts";
import { showFinished } from "./train_finished.ts";
import { observersOf } from "./train_observers.ts";
import { parseTrain, resumingArguments, trainCommand, type TrainFlags } from "./train_flags.ts";
import { checkData, makePlan, type Plan } from "./train_plan.ts";
import { checkGiven, recordConfigs, takeGiven } from "./train_records.ts";
import { makeResults } from "./train_results.ts";
import { shellWord } from "../shell_word.ts";

/** Folder of the stage cache, next to the runs. */
const cacheFolder = join("runs", ".cache");

/**
 * Trains an algorithm, or resumes a run.
 *
 * @returns Exit code: 0, or that of the signal that stopped the run.
 * @throws {UserError} If flags, data or checkpoints are invalid, before any training. Also if a
 * metric is not finite, or the GPU is lost twice; the last checkpoint is then kept.
 */
export async function train(args: readonly string[]): Promise<number> {
  const { algorithm: chosen, parsed } = parseTrain(args);
  if (parsed === "help") {
    console.log(helpText(trainCommand(chosen)));
    return 0;
  }
  const { what, flags } = parsed;
  if (flags.resume !== undefined && showFinished(flags.resume, flags)) return 0;
  const first = await attempt({ algorithm: chosen, what, flags, args });
  if (typeof first === "number") return first;
  // The GPU was lost: one more attempt, on a newly opened device.
  const resume = resumingArguments(first.resume, flags);
  const again = parseTrain(resume);
  if (again.parsed === "help") throw new Error("train: the flags to resume a run ask for help");
  const second = await attempt({ ...again, ...again.parsed, args: resume });
  if (typeof second === "number") return second;
  throw new UserError(
    `${second.reason}. This happened twice, so the run ends; its last checkpoint is kept. ` +
      `Resume it with: deno run -A cli.ts train --resume ${shellWord(second.resume)}`,
  );
}

/** A run that lost its GPU. */
interface LostRun {
  /** The run directory. */
  readonly resume: string;
  /** What happened. */
  readonly reason: string;
}

/**
 * Trains or resumes a run on a newly opened GPU.
 *
 * @returns The exit code, or the run if the GPU was lost and its training can be resumed.
 */
async function attempt(
  { algorithm: chosen, what, flags, args }: {
    readonly algorithm: Algorithm;
    readonly what: string | undefined;
    readonly flags: TrainFlags;
    readonly args: readonly string[];
  },
): Promise<number | LostRun> {
  let plan = await makePlan(chosen, what, flags);
  const data = await readDataset([...plan.paths], readingOptions(plan.task));
  const sha256 = datasetHash(data);
  checkData(plan, data, sha256);
  const rewards = shapeRewards(data, plan.algorithm.rewardRule(plan.hyperparameters));

  // The replicas' folders are not used.
  const outline = new ReplayBuffer(null, data, rewards);
  const axes = { ...plan, directory: new RunDirectory("") };
  await checkGiven(axes, plan, outline);
  const work = await workOf(axes, plan.stages, outline);
  const threads = new ThreadFile();
  const every = isEvaluated(plan.task, plan.evaluation) ? plan.evaluation.every : null;
  const possible = canTrainTogether(plan.algorithm, flags);
  const groups = groupsOf(plan, every ?? Infinity, possible);
  const grouped = groups.map((group) =>
    work.filter(({ stage }) => group.some(({ name }) => name === stage))
  );
  const alone = await threads.computeAloneIfFaster(grouped);
  const memory = new VariantFile();
  using engine = await Engine.open(plan.target, memory);
  threads.confirm(engine.gpu.adapter);
  const together = alone && possible && engine.gpu.adapter.software;
  plan = continued(plan, engine, flags);
  const { task, seeds } = plan;
  const directory = plan.resumed ?? createRunDirectory({ task: task.name, seeds, out: flags.out });
  using lock = RunLock.take(directory);
  if (!plan.resumed) refuseRun(directory); // Another process may have begun it before the lock.
  clearRemains(directory);
  const log = new RunLog(directory.log);
  if (threads.problem !== undefined) {
    log.write(
      `warning: the threads of the GPU are timed again in the next run: ${threads.problem}`,
    );
  }
  if (lock.problem !== null) {
    log.write(`warning: ${directory.lock} cannot be locked: ${lock.problem}`);
  }
  using interrupt = watchInterrupt("stopping after writing a checkpoint");
  try {
    await trainIn(directory, {
      ...{ plan, flags, args, data, rewards, sha256, engine, memory, log, interrupt, together },
      work: together ? grouped : work.map((each) => [each]),
    });
  } catch (error) {
    const lost = interrupt.requested
      ? null
      : error instanceof GpuLostError
      ? error
      : await engine.gpu.lost();
    const reason = (lost ?? error) instanceof Error ? (lost ?? error as Error).message : `${error}`;
    try {
      log.write(`error: ${reason}`);
    } catch { /* The disk may be full; the first error says so. */ }
    if (lost === null) throw error;
    console.error(`\n${reason}; resuming from the last checkpoint`);
    return { resume: directory.path, reason };
  }
  return interrupt.exitCode ?? 0;
}

/**
 * Returns the plan with what differs from the version and the adapter that a resumed run was begun
 * with. Its stages are then not cached, because the cache's key names one version and adapter.
 *
 * @throws {UserError} Something differs that was not asked for, and `--force` is not given.
 */
function continued(plan: Plan, { gpu, target }: Engine, { force }: TrainFlags): Plan {
  if (!plan.resumed) return plan;
  const recorded = plan.resumed.readConfig();
  const moved = [
    ...(recorded.version === version ? [] : [`version ${recorded.version}, now ${version}`]),
    ...fingerprintDifferences(recorded.adapter, gpu.adapter),
  ];
  if (moved.length > 0 && !force) {
    throw new UserError(
      `${plan.resumed.path} was begun with another ${moved.join("; ")}. ` +
        "Resume it where it was begun for the bits of an uninterrupted run, or add --force to " +
        "continue it here",
    );
  }
  const { matmul, tiles } = recorded.adapter;
  const changes = matmul !== target.matmul
    ? [...moved, `matrix product variant ${matmul}, now ${target.matmul}`]
    : isDeepStrictEqual(tiles, target.tiles)
    ? moved
    : [...moved, "set of matrix product tiles"];
  return { ...plan, changes, cache: plan.cache && changes.length === 0 };
}

/** Inputs of a run besides its directory. */
interface Setting {
  readonly plan: Plan;
  readonly flags: TrainFlags;
  readonly args: readonly string[];
  readonly data: OfflineDataset;
  /** The rewards to train on. */
  readonly rewards: Float32Array;
  readonly sha256: string;
  /** The stages, in groups that are trained at the same time. */
  readonly work: readonly (readonly StageWork[])[];
  readonly engine: Engine;
  readonly memory: VariantFile;
  readonly log: RunLog;
  readonly interrupt: Interrupt;
  /** Whether stages are trained at the same time, each in one thread of a software GPU. */
  readonly together: boolean;
}

/** Trains and evaluates in a folder, and writes and prints the results. */
async function trainIn(
  directory: RunDirectory,
  { plan, flags, args, data, rewards, sha256, work, engine, memory, log, interrupt, together }:
    Setting,
): Promise<void> {
  const started = performance.now();
  const { algorithm, task, hyperparameters, seeds, variants, stages } = plan;
  let progress: ProgressOutput | null = null;
  const print = (text: string) => {
    try {
      if (progress) eraseProgress(progress);
      console.log(text);
    } catch (error) {
      // After a terminal closes, which requests the stop, standard output cannot be written.
      if (!interrupt.requested) throw error;
    }
  };
  const say = (line: string) => {
    log.write(line);
    print(fitted(line));
  };
  log.write(`srpo-webgpu ${version}: train ${args.map(shellWord).join(" ")}`);
  const axes: ReplicaAxes = { directory, algorithm, hyperparameters, seeds, variants };
  const adapter = { ...engine.gpu.adapter, ...engine.target };
  const former = plan.resumed ? await upgradeMetrics(axes) : null;
  // Nothing is changed if the rows belong to another run.
  if (plan.resumed) readMetrics(directory.metrics, runId(directory.readConfig()));
  // config.json makes the folder a run, so everything else that it starts from comes first.
  if (!plan.resumed) await takeGiven(axes, plan);
  await recordConfigs(axes, plan, data, sha256, adapter);
  say(announcement(plan, data, adapterLine(engine, memory), directory));
  const estimate = new RunEstimate(work);
  for (const line of notes(plan, engine, estimate, former)) say(line);
  for (const group of work.filter(({ length }) => length > 1)) {
    const names = group.map(({ stage }) => stage).join(" and ");
    say(`note     ${names} are trained at the same time, each in one thread`);
  }
  await using observers = await observersOf(axes, plan, flags, say);
  progress = observers.progress(log.progress(standardError()));
  const drawn = new DrawnEpisodes(axes);
  const evaluator = evaluatorOf(
    algorithm,
    task,
    plan.evaluation,
    interrupt,
    engine.target,
    {
      workers: together ? workersFor(plan.evaluation.episodes) : 1,
      onPlayback: observers.onPlayback,
      drawn,
    },
  );
  const run: TrainingRun = {
    ...axes,
    id: runId(directory.readConfig()),
    engine,
    buffer: new ReplayBuffer(engine.gpu, data, rewards),
    ...(together && {
      beside: sessionsInWorkers({
        algorithm: algorithm.name,
        data,
        rewards,
        target: engine.target,
      }),
    }),
    stages,
    cache: plan.cache
      ? {
        entries: new StageCache(cacheFolder, say),
        context: { version, data: sha256, adapter: { ...adapter } },
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
    progress,
    estimate,
    announce: say,
    profile: flags.profile,
    ...(evaluator && { evaluator }),
  };
  const outcomes = await trainStages(run);
  const finished = outcomes.length === stages.length &&
    outcomes.every(({ step, steps, evaluated }) => step === steps && evaluated) &&
    await evaluateTaken(run);
  observers.end(finished ? "The run has finished." : "The run was stopped; it can be resumed.");
  if (finished) say("results  measuring the cost of an action, and drawing");
  const results = await makeResults(axes, plan, data, engine, outcomes, drawn, finished);
  say(`\n${resultTables(results)}\n`);
  for (const path of results.pictures) say(`picture  ${path}`);
  say(
    finished
      ? `run      ${directory.path}, took ${((performance.now() - started) / 1000).toFixed(0)} s`
      : `stopped  resume with: deno run -A cli.ts train --resume ${shellWord(directory.path)}`,
  );
  if (flags.json) print(JSON.stringify({ run: directory.path, ...results }));
}

/**
 * Returns whether stages can be trained at the same time on a software GPU: a worker uses another
 * CPU. It can load only registered algorithms, and would disturb a profile.
 */
function canTrainTogether(algorithm: Algorithm, { profile }: TrainFlags): boolean {
  return navigator.hardwareConcurrency > 1 && !profile &&
    algorithms.get(algorithm.name) === algorithm;
}

/** Returns the number of workers that evaluate a policy on a software GPU. */
function workersFor(episodes: number): number {
  return Math.max(1, Math.min(navigator.hardwareConcurrency, Math.ceil(episodes / 8)));
}
