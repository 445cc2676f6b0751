/**
 * The metrics file of a run at the start of a stage.
 *
 * @module
 */
import type { StageDefinition } from "../algorithms/algorithm.ts";
import { isFile } from "../files.ts";
import { MetricsFile, type MetricsRow, readMetrics, sameReplica } from "./metrics.ts";
import { loggedSteps } from "./metrics_log.ts";
import type { Replica } from "./replicas.ts";
import { stepsOf, type TrainingRun } from "./run.ts";
import type { CacheEntry } from "./stage_cache.ts";

/** Opens the run's metrics file, and creates it if there is none. */
export async function openMetrics({ directory, id }: TrainingRun): Promise<MetricsFile> {
  Deno.mkdirSync(directory.path, { recursive: true });
  return isFile(directory.metrics)
    ? await MetricsFile.resume(directory.metrics, () => true, id)
    : MetricsFile.create(directory.metrics, id);
}

/**
 * Prepares the metrics file for a stage. Removes the rows after `step` of replicas to train, and
 * adds the rows of replicas from the cache.
 */
export async function beginStage(
  file: MetricsFile,
  run: TrainingRun,
  definition: StageDefinition,
  step: number,
  replicas: readonly Replica[],
  pending: readonly Replica[],
  cached: ReadonlyMap<Replica, CacheEntry>,
): Promise<void> {
  const stage = definition.name;
  await file.remove((row) => {
    if (row.stage !== stage) return true;
    const replica = replicas.find((each) => sameReplica(each, row));
    return replica !== undefined && !cached.has(replica) &&
      (!pending.includes(replica) || row.step <= step);
  });
  const isOwn = isOwnEvaluation(run, definition);
  for (const [{ seed, variant }, entry] of cached) {
    for (const row of entry.metrics) {
      // The run that trained it may have had it as a variant, or without a sweep.
      if (row.episodes === null || isOwn(entry, row)) file.copy({ ...row, seed, variant });
    }
  }
}

/**
 * Returns a function that says which of a run's evaluations during training (`--eval-every`) a
 * cached stage lacks; null for none.
 */
export function lacksOf(
  run: TrainingRun,
  definition: StageDefinition,
): (entry: CacheEntry) => string | null {
  const { evaluator } = run;
  const made = evaluator && !definition.evaluatedOnce && definition.evaluated !== undefined
    ? Math.ceil(stepsOf(run, definition) / evaluator.every) - 1
    : 0;
  const isOwn = isOwnEvaluation(run, definition);
  return (entry) => {
    const steps = entry.metrics.filter((row) => isOwn(entry, row)).map(({ step }) => step);
    const missing = made - new Set(steps).size;
    return missing > 0
      ? `${missing} of ${made} evaluations of ${evaluator!.episodes} episodes`
      : null;
  };
}

/**
 * Returns a predicate for rows of a cached stage: evaluations that this run would make during
 * training. The last evaluation is always made anew.
 */
function isOwnEvaluation(
  run: TrainingRun,
  definition: StageDefinition,
): (entry: CacheEntry, row: MetricsRow) => boolean {
  const { evaluator, provenance } = run;
  const total = stepsOf(run, definition);
  return ({ task }, { episodes, step }) =>
    episodes !== null && task === provenance.task && episodes.length === evaluator?.episodes &&
    step % evaluator.every === 0 && step < total;
}

/**
 * Announces rows of losses that are missing in the metrics file.
 *
 * @param done Returns the completed steps of a replica.
 */
export function warnOfGaps(
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
