/**
 * A training run: trains the stages, with progress, metrics, checkpoints, interruption, resumption,
 * evaluations and the stage cache.
 *
 * @module
 */
import { dirname } from "node:path";
import { Graph } from "../autodiff/graph.ts";
import type { StageDefinition } from "../algorithms/algorithm.ts";
import { isFile } from "../files.ts";
import { readCheckpoint, writePolicy } from "./checkpoint.ts";
import { discardWaiting } from "./evaluation_queue.ts";
import { copyWhole } from "./files.ts";
import { recoverGeneration } from "./generation.ts";
import { type MetricsFile, readMetrics } from "./metrics.ts";
import type { Checkpoint } from "./networks.ts";
import { groupsOf, type Replica, replicasOf, stageOf } from "./replicas.ts";
import { fingerprintOf, type StageResult, stepsOf, type TrainingRun } from "./run.ts";
import type { CacheEntry } from "./stage_cache.ts";
import { evaluateFinished } from "./stage_evaluation.ts";
import { beginStage, lacksOf, openMetrics, warnOfGaps } from "./stage_metrics.ts";
import { copyCached, findCached, keepStage, type ReusableStage } from "./stage_reuse.ts";
import { openSession } from "./stage_session.ts";
import { trainReplicas } from "./stage_training.ts";

/**
 * Trains the stages: with `run.beside` those that do not need each other at the same time,
 * otherwise one after another. A finished stage is evaluated while the next one trains, except
 * where both would compete for the threads of a software GPU, or disturb a profile. On an interrupt
 * it stops early, after writing a checkpoint. Stages that were not started have no result.
 */
export async function trainStages(run: TrainingRun): Promise<StageResult[]> {
  if (run.interrupt.requested) return [];
  using metrics = await openMetrics(run);
  const results: StageResult[] = [];
  const failed = new AbortController();
  /** Waits for a task, and stops the others if it fails. */
  const stoppingOthers = async <T>(task: Promise<T>): Promise<T> => {
    try {
      return await task;
    } catch (error) {
      failed.abort();
      throw error;
    }
  };
  const interrupt = {
    get requested() {
      return failed.signal.aborted || run.interrupt.requested;
    },
  };
  const guarded: TrainingRun = { ...run, interrupt, stop: failed.signal };
  const overlaps = !run.profile && (run.beside !== undefined || !run.engine.gpu.adapter.software);
  let evaluating: Promise<void> = Promise.resolve();
  try {
    for (const group of groupsOf(run, run.evaluator?.every ?? Infinity, !!run.beside)) {
      if (interrupt.requested) break;
      const stages: PreparedStage[] = [];
      for (const definition of group) {
        stages.push(await stoppingOthers(prepare(guarded, definition, metrics)));
      }
      const trained = await all(
        stages.map((stage, i) => stoppingOthers(trainStage(guarded, stage, metrics, i > 0))),
      );
      results.push(...trained);
      evaluating = stoppingOthers(evaluating.then(async () => {
        for (const [i, { definition, replicas }] of stages.entries()) {
          const result = trained[i]!;
          if (result.step < result.steps || !result.evaluated) continue;
          const { steps } = result;
          result.evaluated = await evaluateFinished(guarded, definition, steps, replicas, metrics);
        }
      }));
      evaluating.catch(() => {}); // Awaited below.
      if (!overlaps) await evaluating;
      if (trained.some(({ step, steps }) => step < steps)) break;
    }
  } finally {
    await Promise.allSettled([evaluating]);
  }
  await evaluating;
  return results;
}

/** Waits until all tasks have ended. Throws the error of one that failed. */
async function all<T>(tasks: readonly Promise<T>[]): Promise<T[]> {
  await Promise.allSettled(tasks);
  return await Promise.all(tasks);
}

/** A stage that is ready to be trained. */
interface PreparedStage {
  readonly definition: StageDefinition;
  readonly replicas: readonly Replica[];
  /** The replicas to train. */
  readonly pending: readonly Replica[];
  /** Their checkpoints to resume from; null if the stage starts at step 0. */
  readonly present: readonly Checkpoint[] | null;
  /** The replicas taken from the cache. */
  readonly cached: ReadonlyMap<Replica, CacheEntry>;
  /** How the cache finds the stage; null without a cache. */
  readonly reusable: ReusableStage | null;
}

/** Finds out what is left of a stage, and takes what the cache has. */
async function prepare(
  run: TrainingRun,
  definition: StageDefinition,
  metrics: MetricsFile,
): Promise<PreparedStage> {
  const { name } = definition;
  const total = stepsOf(run, definition);
  const replicas = replicasOf(run, definition);
  for (const { directory } of [run, ...replicas]) {
    Deno.mkdirSync(dirname(directory.checkpoint(name)), { recursive: true });
  }
  await shareEarlier(run, definition, replicas);
  const discarded = run.resume && !run.evaluator ? discardWaiting(name, replicas) : 0;
  if (discarded > 0) {
    run.announce(
      `evaluate ${discarded === 1 ? "a policy" : `${discarded} policies`} of the ${name} stage ` +
        "that waited for evaluation: removed, because this run makes none",
    );
  }
  const checkpoint = ({ directory }: Replica) => directory.checkpoint(name);
  const expected = (replica: Replica) => ({
    path: checkpoint(replica),
    fingerprint: fingerprintOf(run, definition, replica),
  });
  const steps = run.resume
    ? recoverGeneration(name, replicas.map(expected), total, run.announce)
    : [];
  const left = replicas.filter((_, place) => steps[place] !== total);
  const { cache } = run;
  const reusable: ReusableStage | null = cache && {
    algorithm: run.algorithm,
    stage: definition,
    kernels: await kernelsOf(run, definition),
  };
  // A stage can only be timed while it is trained.
  const cached = cache && reusable && !run.profile
    ? findCached(cache, reusable, left, lacksOf(run, definition), run.announce)
    : new Map<Replica, CacheEntry>();
  const pending = left.filter((replica) => !cached.has(replica));
  const present = run.resume && pending.length > 0 && isFile(checkpoint(pending[0]!))
    ? pending.map((replica) => readCheckpoint(checkpoint(replica)))
    : null;
  const start = present?.[0]?.step ?? 0;
  await beginStage(metrics, run, definition, start, replicas, pending, cached);
  // A replica with a checkpoint counts as started, so the checkpoints follow the rows.
  await copyCached(cached, name);
  if (run.resume) {
    warnOfGaps(run, definition, replicas, (each) => pending.includes(each) ? start : total);
  }
  return { definition, replicas, pending, present, cached, reusable };
}

/**
 * Trains a stage, writes the policy files, and adds the stage to the cache.
 *
 * @param aside Whether to train it beside the run's own engine.
 */
async function trainStage(
  run: TrainingRun,
  { definition, replicas, pending, present, cached, reusable }: PreparedStage,
  metrics: MetricsFile,
  aside: boolean,
): Promise<StageResult> {
  const { engine, buffer, algorithm, cache } = run;
  const { name } = definition;
  const steps = stepsOf(run, definition);
  const trained = await trainReplicas(
    run,
    definition,
    pending,
    present,
    metrics,
    aside ? run.beside! : (request) => openSession(engine, buffer, algorithm, request),
    (stepsPerSecond) => run.estimate?.after(name, stepsPerSecond) ?? null,
  );
  const [actor] = algorithm.actors;
  if (actor?.prefix !== undefined && actor.needs.includes(name)) {
    for (const { seed, variant, directory } of replicas) {
      const path = directory.checkpoint(name);
      if (!isFile(path)) continue;
      const metadata = {
        ...actor.metadata,
        ...run.provenance,
        seed: String(seed),
        ...(variant !== null && { variant }),
      };
      await writePolicy(directory.policy, Deno.readFileSync(path), actor.prefix, metadata);
    }
  }
  if (cache && reusable && pending.length > 0 && trained.step === steps && trained.evaluated) {
    const origin = { run: run.directory.path, task: run.provenance.task };
    await keepStage(cache, reusable, pending, origin, readMetrics(run.directory.metrics));
  }
  return {
    ...trained,
    stage: name,
    steps,
    cached: [...cached].map(([replica, entry]) => ({
      directory: replica.directory.path,
      run: entry.run,
    })),
  };
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
