/**
 * A training run: trains the stages one after another, with progress, metrics, checkpoints,
 * interruption, resumption, evaluations and the stage cache.
 *
 * @module
 */
import { dirname } from "node:path";
import type { Engine } from "../autodiff/engine.ts";
import { Graph } from "../autodiff/graph.ts";
import type { StepMetrics, TrainingStep } from "../autodiff/training_step.ts";
import type { ReplayBuffer } from "../data/replay_buffer.ts";
import { UserError } from "../errors.ts";
import type { StageDefinition } from "../algorithms/algorithm.ts";
import type { HyperparameterValues } from "../algorithms/hyperparameters.ts";
import { encodeCheckpoints, fingerprintKey, readCheckpoint, writePolicy } from "./checkpoint.ts";
import { DivergenceWatch } from "./divergence.ts";
import type { RunEstimate } from "./estimate.ts";
import { EvaluationQueue, type Evaluator } from "./evaluation_queue.ts";
import { copyWhole } from "./files.ts";
import { recoverGeneration, writeGeneration } from "./generation.ts";
import type { Interrupt } from "./interrupt.ts";
import { runSteps } from "./loop.ts";
import { MetricsFile, type MetricsRow, readMetrics, sameReplica } from "./metrics.ts";
import { loggedSteps, MetricsLog } from "./metrics_log.ts";
import { profileStage } from "./profile.ts";
import { Progress, type ProgressOutput } from "./progress.ts";
import { type Checkpoint, initialise, loadNetworks } from "./networks.ts";
import { type Replica, type ReplicaAxes, replicasOf, stageOf } from "./replicas.ts";
import { type CacheEntry, fileHash, stageFingerprint } from "./stage_cache.ts";
import { copyCached, findCached, keepStage, originOf, type RunCache } from "./stage_reuse.ts";

/** Time between checkpoints of a stage, in milliseconds. */
const checkpointMilliseconds = 5 * 60 * 1000;

/** Metadata key in checkpoints for the sums of metrics since the last row. */
const unlogged = "unlogged_metrics";

/** Metadata in every policy file, under these names. */
export interface Provenance {
  /** Task whose hyperparameters and environment the run uses. */
  readonly task: string;
  /** Name of the algorithm. */
  readonly algorithm: string;
  /** SHA-256 of the data in hexadecimal. */
  readonly data_sha256: string;
  /** Version of the program. */
  readonly version: string;
  /** Server of the environment, for a custom task. */
  readonly server?: string;
  /** Lower ends of the range to which actions are scaled, as a JSON list; absent for [−1, 1]. */
  readonly action_low?: string;
  /** Upper ends of that range. */
  readonly action_high?: string;
}

/** The inputs and outputs of a training run. */
export interface TrainingRun extends ReplicaAxes {
  /** Compiles graphs to programs for the GPU. */
  readonly engine: Engine;
  /** Id of the run (`identity.ts`), for its metrics. */
  readonly id: string;
  /** The data set on the GPU. */
  readonly buffer: ReplayBuffer;
  /**
   * Stages to train. The checkpoints of earlier stages that are not listed already exist in the
   * seeds' directories.
   */
  readonly stages: readonly string[];
  /** Cache of finished stages; null trains every stage. */
  readonly cache: RunCache | null;
  /** Metadata for the policy files. */
  readonly provenance: Provenance;
  /** Whether the run is resumed. */
  readonly resume: boolean;
  /** Requests to stop. */
  readonly interrupt: Pick<Interrupt, "requested">;
  /** Output for progress lines. */
  readonly progress: ProgressOutput;
  /** Estimate for later stages; absent if progress should not show it. */
  readonly estimate?: RunEstimate;
  /** Prints a line for the user, for example when a stage is taken from the cache. */
  readonly announce: (line: string) => void;
  /** Whether to time the kernels of each trained stage. */
  readonly profile?: boolean;
  /** Evaluates the policies; absent if evaluation is disabled. */
  readonly evaluator?: Evaluator;
}

/** The result of a stage. */
export interface StageResult {
  /** Name of the stage. */
  readonly stage: string;
  /** Completed steps. */
  readonly step: number;
  /** Total steps of the stage. */
  readonly steps: number;
  /** Dispatches per step; null if nothing was left to train. */
  readonly dispatches: number | null;
  /** Steps trained by this process. */
  readonly made: number;
  /** Seconds that these steps took. */
  readonly seconds: number;
  /** False if a signal stopped an evaluation; otherwise true. */
  readonly evaluated: boolean;
  /** Replicas taken from the cache: their directories, and those of the runs that trained them. */
  readonly cached: readonly { readonly directory: string; readonly run: string }[];
}

/**
 * Trains the stages in order. On an interrupt it stops early, after writing a checkpoint. Stages
 * that were not started have no result.
 */
export async function trainStages(run: TrainingRun): Promise<StageResult[]> {
  const results: StageResult[] = [];
  for (const name of run.stages) {
    if (run.interrupt.requested) break;
    const result = await trainOne(run, stageOf(run.algorithm, name));
    results.push(result);
    if (result.step < result.steps) break;
  }
  return results;
}

async function trainOne(run: TrainingRun, definition: StageDefinition): Promise<StageResult> {
  const { name } = definition;
  const total = stepsOf(run, definition);
  const replicas = replicasOf(run, definition);
  for (const { directory } of [run, ...replicas]) {
    Deno.mkdirSync(dirname(directory.checkpoint(name)), { recursive: true });
  }
  await shareEarlier(run, definition, replicas);
  const checkpoint = ({ directory }: Replica) => directory.checkpoint(name);
  const expected = replicas.map((replica) => ({
    path: checkpoint(replica),
    fingerprint: fingerprintOf(run, definition, replica),
  }));
  const steps = run.resume ? recoverGeneration(name, expected, total, run.announce) : [];
  const left = replicas.filter((_, place) => steps[place] !== total);
  const { cache } = run;
  const reusable = cache && {
    algorithm: run.algorithm,
    stage: definition,
    kernels: await kernelsOf(run, definition),
  };
  const cached = cache && reusable
    ? findCached(cache, reusable, left, run.announce)
    : new Map<Replica, CacheEntry>();
  const pending = left.filter((replica) => !cached.has(replica));
  const present = run.resume && pending.length > 0 && isFile(checkpoint(pending[0]!))
    ? pending.map((replica) => readCheckpoint(checkpoint(replica)))
    : null;
  const start = present?.[0]?.step ?? 0;
  using metrics = await openMetrics(run, definition, start, replicas, pending, cached);
  // A replica with a checkpoint counts as started, so the checkpoints follow the rows.
  await copyCached(cached, name);
  if (run.resume) {
    warnOfGaps(run, definition, replicas, (each) => pending.includes(each) ? start : total);
  }

  const trained = await trainReplicas(run, definition, pending, present, metrics);
  const result = {
    ...trained,
    stage: name,
    steps: total,
    cached: [...cached].map(([replica, entry]) => ({
      directory: replica.directory.path,
      run: entry.run,
    })),
  };
  const [actor] = run.algorithm.actors;
  if (actor?.prefix !== undefined && actor.needs.includes(name)) {
    for (const replica of replicas.filter((each) => isFile(checkpoint(each)))) {
      const bytes = Deno.readFileSync(checkpoint(replica));
      const { seed, variant } = replica;
      const metadata = {
        ...actor.metadata,
        ...run.provenance,
        seed: String(seed),
        ...(variant !== null && { variant }),
      };
      await writePolicy(replica.directory.policy, bytes, actor.prefix, metadata);
    }
  }
  if (result.step < total || !result.evaluated) return result;
  const evaluated = await evaluateFinished(run, definition, total, replicas, metrics);
  if (cache && reusable && pending.length > 0) {
    const origin = { run: run.directory.path, task: run.provenance.task };
    await keepStage(cache, reusable, pending, origin, readMetrics(run.directory.metrics));
  }
  return { ...result, evaluated };
}

/**
 * Evaluates the actor of a finished stage: the policies that an earlier process left waiting, and
 * those at the last step without an evaluation.
 *
 * @param step The last step.
 * @returns Whether all are evaluated; false if a signal stopped the evaluation.
 */
async function evaluateFinished(
  run: TrainingRun,
  definition: StageDefinition,
  step: number,
  replicas: readonly Replica[],
  metrics: MetricsFile,
): Promise<boolean> {
  const { name } = definition;
  if (!run.evaluator || !canAct(run, definition, replicas)) return true;
  const rows = readMetrics(run.directory.metrics);
  const current = (replica: Replica) => fileHash(replica.directory.checkpoint(name));
  const missing = replicas.filter((replica) =>
    !isEvaluated(rows, name, step, replica, current(replica))
  );
  const progress = new Progress(name, step, run.progress, step);
  const queue = new EvaluationQueue(
    run.evaluator,
    name,
    metrics,
    (done, planned) => progress.evaluated(done, planned),
  );
  queue.resume(
    step,
    replicas,
    (replica) => fingerprintOf(run, definition, replica),
    isEvaluatedIn(rows, name),
    run.announce,
  );
  if (missing.length > 0) queue.add(step, missing);
  const whole = await queue.finish();
  if (queue.planned > 0) progress.finish();
  return whole;
}

/**
 * Evaluates the actors of the earlier stages that a finished run reused, so that its tables include
 * them.
 *
 * @returns Whether all are evaluated; false if a signal stopped the evaluation.
 */
export async function evaluateTaken(run: TrainingRun): Promise<boolean> {
  const needed = run.stages.flatMap((name) => stageOf(run.algorithm, name).needs);
  for (const name of new Set(needed.filter((each) => !run.stages.includes(each)))) {
    const definition = stageOf(run.algorithm, name);
    if (definition.evaluatedOnce) continue;
    const replicas = replicasOf(run, definition);
    const { step } = readCheckpoint(replicas[0]!.directory.checkpoint(name));
    using metrics = await MetricsFile.resume(run.directory.metrics, () => true, run.id);
    try {
      if (!await evaluateFinished(run, definition, step ?? 0, replicas, metrics)) return false;
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      // A critic from another source may have no policy.
      run.announce(`${name}: the given checkpoint is not evaluated: ${error.message}`);
    }
  }
  return true;
}

/**
 * Returns whether a stage has an actor to evaluate and the checkpoints of the other stages that it
 * needs exist.
 */
function canAct(
  { algorithm }: TrainingRun,
  { name, evaluated }: StageDefinition,
  replicas: readonly Replica[],
): boolean {
  const actor = algorithm.actors.find((each) => each.name === evaluated);
  return actor !== undefined &&
    actor.needs.every((stage) =>
      stage === name || replicas.every(({ directory }) => isFile(directory.checkpoint(stage)))
    );
}

/**
 * Returns whether a policy is evaluated.
 *
 * @param checkpoint SHA-256 of the policy's checkpoint; undefined if it is not at hand.
 */
function isEvaluated(
  rows: readonly MetricsRow[],
  stage: string,
  step: number,
  replica: Replica,
  checkpoint?: string,
): boolean {
  return rows.some((row) =>
    row.stage === stage && row.step === step && row.episodes !== null &&
    sameReplica(row, replica) &&
    (checkpoint === undefined || row.checkpoint === undefined || row.checkpoint === checkpoint)
  );
}

function isEvaluatedIn(rows: readonly MetricsRow[], stage: string) {
  return (replica: Replica, step: number) => isEvaluated(rows, stage, step, replica);
}

/**
 * Returns the WGSL of the kernels that train a stage. It does not depend on the number of seeds.
 */
async function kernelsOf(
  { engine, buffer, hyperparameters: h }: TrainingRun,
  definition: StageDefinition,
): Promise<string[]> {
  const graph = new Graph({ seeds: [0] });
  const { more = [] } = await definition.describe(graph, buffer, h, [h]);
  return [graph, ...more].flatMap((each) => engine.kernelTexts(each));
}

/** Describes the GPU memory of a stage. */
function memoryText(name: string, program: TrainingStep, buffer: ReplayBuffer): string {
  const mebibytes = (bytes: number) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;
  return `memory   ${name}: ${mebibytes(program.plannedBytes)} of GPU memory planned, ` +
    `${mebibytes(program.bytes)} allocated; data set ${mebibytes(buffer.bytes)}`;
}

/**
 * Trains the replicas `pending` of a stage.
 *
 * @param present Their checkpoints to resume from; null if the stage starts at step 0.
 */
async function trainReplicas(
  run: TrainingRun,
  definition: StageDefinition,
  pending: readonly Replica[],
  present: readonly Checkpoint[] | null,
  metrics: MetricsFile,
): Promise<Pick<StageResult, "step" | "dispatches" | "made" | "seconds" | "evaluated">> {
  const { engine, hyperparameters: h } = run;
  const { name } = definition;
  const total = stepsOf(run, definition);
  if (pending.length === 0) {
    return { step: total, dispatches: null, made: 0, seconds: 0, evaluated: true };
  }
  const own = pending.map(({ directory }) => directory.checkpoint(name));
  const start = present?.[0]?.step ?? 0;
  const fingerprints = pending.map((replica) => fingerprintOf(run, definition, replica));

  const graph = new Graph({ seeds: pending.map(({ seed }) => seed) });
  const { networks, more = [] } = await definition.describe(
    graph,
    run.buffer,
    h,
    pending.map(({ hyperparameters }) => hyperparameters),
  );
  const program = await engine.compileStep([graph, ...more]);
  const progress = new Progress(
    name,
    total,
    run.progress,
    start,
    (stepsPerSecond) => run.estimate?.after(name, stepsPerSecond) ?? null,
  );
  const log = new MetricsLog(metrics, name, total, pending);
  log.restore(present?.map(({ file }) => file.metadata[unlogged]) ?? []);
  // For updates that do not run in every step, the progress line shows the latest value.
  const latest: Record<string, readonly number[]> = {};
  const evaluations = run.evaluator && canAct(run, definition, pending)
    ? new EvaluationQueue(
      run.evaluator,
      name,
      metrics,
      (done, planned) => progress.evaluated(done, planned),
    )
    : null;
  if (present && evaluations) {
    const rows = readMetrics(run.directory.metrics);
    evaluations.resume(
      start,
      pending,
      (replica) => fingerprintOf(run, definition, replica),
      isEvaluatedIn(rows, name),
      run.announce,
    );
  }
  const watch = definition.bounded === undefined
    ? null
    : new DivergenceWatch(definition.bounded, h, run.buffer.largestReward, pending);
  let step = start;
  let saved = present === null ? null : start;
  try {
    pending.forEach((replica, place) => {
      const earlier = definition.needs.map((each) =>
        readCheckpoint(replica.directory.checkpoint(each))
      );
      if (present) {
        loadNetworks(name, networks, place, [present[place]!, ...earlier], true);
      } else {
        initialise(networks, place, replica.seed);
        const frozen = networks.filter(({ initial }) => initial === undefined);
        loadNetworks(name, frozen, place, earlier, false);
      }
    });
    run.announce(memoryText(name, program, run.buffer));
    if (run.profile) {
      const { text, files } = await profileStage(engine, program, name, step, run.directory.path);
      progress.skipTime();
      run.announce(`\n${text}\n${files.map((file) => `profile  ${file}`).join("\n")}\n`);
    }
    const began = performance.now();
    const every = evaluations === null || definition.evaluatedOnce
      ? Infinity
      : run.evaluator!.every;
    const save = async (): Promise<void> => {
      const metadata = (replica: number): Record<string, string> => {
        const partial = log.partial(replica);
        return {
          algorithm: run.algorithm.name,
          [fingerprintKey]: fingerprints[replica]!,
          ...(partial !== null && { [unlogged]: partial }),
        };
      };
      const encoded = await encodeCheckpoints(name, networks, pending.length, step, metadata);
      metrics.flush();
      if (step % every === 0 && step < total) await evaluations?.addWaiting(step, pending, encoded);
      const files = new Map(encoded.map((bytes, place) => [own[place]!, bytes]));
      await writeGeneration(step, files, saved);
      saved = step;
    };
    while (step < total && !run.interrupt.requested) {
      const due = performance.now() + checkpointMilliseconds;
      const end = Math.min(total, (Math.floor(step / every) + 1) * every);
      step = await runSteps(program, {
        stage: name,
        start: step,
        end,
        onStep: (done, values) => {
          log.add(done, values);
          for (const warning of watch?.check(name, done, values) ?? []) {
            progress.clear();
            run.announce(warning);
          }
          Object.assign(latest, values);
          progress.update(done, shown(definition, latest));
        },
        shouldStop: () => run.interrupt.requested || performance.now() > due,
      });
      await save();
      progress.skipTime();
    }
    const seconds = (performance.now() - began) / 1000;
    const whole = await evaluations?.finish() ?? true;
    progress.finish();
    const dispatches = program.dispatchesPerStep;
    return { step, dispatches, made: step - start, seconds, evaluated: whole };
  } finally {
    await Promise.allSettled([evaluations?.finish()]);
    program.destroy();
  }
}

/**
 * Opens the run's metrics file at the start of a stage. Removes the rows after `step` of replicas
 * to train. Adds the rows of replicas from the cache.
 */
async function openMetrics(
  run: TrainingRun,
  definition: StageDefinition,
  step: number,
  replicas: readonly Replica[],
  pending: readonly Replica[],
  cached: ReadonlyMap<Replica, CacheEntry>,
): Promise<MetricsFile> {
  const { directory, evaluator, provenance } = run;
  const stage = definition.name;
  const keep = (row: MetricsRow) => {
    if (row.stage !== stage) return true;
    const replica = replicas.find((each) => sameReplica(each, row));
    return replica !== undefined && !cached.has(replica) &&
      (!pending.includes(replica) || row.step <= step);
  };
  const file = isFile(directory.metrics)
    ? await MetricsFile.resume(directory.metrics, keep, run.id)
    : MetricsFile.create(directory.metrics, run.id);
  // Copy only evaluations that this run would have made too. It makes the last one itself.
  const total = stepsOf(run, definition);
  for (const [{ seed, variant }, { task, metrics }] of cached) {
    for (const row of metrics) {
      const fits = row.episodes === null ||
        task === provenance.task && row.episodes.length === evaluator?.episodes &&
          row.step % evaluator.every === 0 && row.step < total;
      // The run that trained it may have had it as a variant, or without a sweep.
      if (fits) file.copy({ ...row, seed, variant });
    }
  }
  return file;
}

function fingerprintOf(run: TrainingRun, definition: StageDefinition, replica: Replica): string {
  const { data_sha256 } = run.provenance;
  return stageFingerprint(data_sha256, originOf(run.algorithm, definition, replica));
}

/**
 * Announces rows of losses that are missing in the metrics file.
 *
 * @param done Returns the completed steps of a replica.
 */
function warnOfGaps(
  run: TrainingRun,
  definition: StageDefinition,
  replicas: readonly Replica[],
  done: (replica: Replica) => number,
): void {
  const { metrics, formerMetrics } = run.directory;
  if (isFile(formerMetrics)) return; // Version 0.2 logged other steps.
  const rows = readMetrics(metrics)
    .filter((row) => row.stage === definition.name && row.episodes === null);
  for (const replica of replicas) {
    const own = rows.filter((row) => sameReplica(row, replica));
    const present = new Set(own.map(({ step }) => step));
    const expected = loggedSteps(stepsOf(run, definition), done(replica));
    const missing = expected.filter((step) => !present.has(step));
    if (missing.length === 0) continue;
    const who = `seed ${replica.seed}${replica.variant === null ? "" : `, ${replica.variant}`}`;
    run.announce(
      `warning  ${metrics} lacks ${missing.length} of ${expected.length} rows of the ` +
        `${definition.name} stage, ${who}, from step ${missing[0]} to ${missing.at(-1)}; ` +
        "tables and pictures lack them too",
    );
  }
}

/** Puts the checkpoints of earlier stages that a stage needs into its replicas' directories. */
async function shareEarlier(
  run: TrainingRun,
  { needs }: StageDefinition,
  replicas: readonly Replica[],
): Promise<void> {
  for (const stage of needs) {
    const earlier = replicasOf(run, stageOf(run.algorithm, stage));
    for (const { seed, variant, directory } of replicas) {
      const from = earlier.find((each) =>
        each.seed === seed && (each.variant === null || each.variant === variant)
      )!.directory.checkpoint(stage);
      const to = directory.checkpoint(stage);
      if (from !== to) await copyWhole(from, to);
    }
  }
}

function stepsOf(
  { hyperparameters }: { readonly hyperparameters: HyperparameterValues },
  { steps }: StageDefinition,
): number {
  return Number(hyperparameters[steps]);
}

/** Returns the losses for the progress line, averaged over the replicas. */
function shown({ shown }: StageDefinition, values: StepMetrics): Record<string, number> {
  return Object.fromEntries(
    shown.flatMap((loss) => values[loss] ? [[loss, mean(values[loss])]] : []),
  );
}

function mean(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0) / values.length;
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}
