/**
 * A training run: trains the stages one after another, with progress, metrics, checkpoints,
 * interruption, resumption, evaluations and the stage cache.
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
import { readMetrics } from "./metrics.ts";
import { type Replica, replicasOf, stageOf } from "./replicas.ts";
import { fingerprintOf, type StageResult, stepsOf, type TrainingRun } from "./run.ts";
import type { CacheEntry } from "./stage_cache.ts";
import { evaluateFinished } from "./stage_evaluation.ts";
import { lacksOf, openMetrics, warnOfGaps } from "./stage_metrics.ts";
import { copyCached, findCached, keepStage } from "./stage_reuse.ts";
import { trainReplicas } from "./stage_training.ts";

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
  const reusable = cache && {
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
