/**
 * The metrics file of a run at the start of a stage.
 *
 * @module
 */
import type { StageDefinition } from "../algorithms/algorithm.ts";
import { MetricsFile, type MetricsRow, readMetrics, sameReplica } from "./metrics.ts";
import { loggedSteps } from "./metrics_log.ts";
import type { Replica } from "./replicas.ts";
import { isFile, stepsOf, type TrainingRun } from "./run.ts";
import type { CacheEntry } from "./stage_cache.ts";

/**
 * Opens the run's metrics file at the start of a stage. Removes the rows after `step` of replicas
 * to train. Adds the rows of replicas from the cache.
 */
export async function openMetrics(
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
