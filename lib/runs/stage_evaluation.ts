/**
 * The evaluations of a stage that are still to be made: those that an earlier process left waiting,
 * and the last one.
 *
 * @module
 */
import type { StageDefinition } from "../algorithms/algorithm.ts";
import { UserError } from "../errors.ts";
import { isFile } from "../files.ts";
import { readCheckpoint } from "./checkpoint.ts";
import { EvaluationQueue } from "./evaluation_queue.ts";
import { MetricsFile, type MetricsRow, readMetrics, sameReplica } from "./metrics.ts";
import { Progress } from "./progress.ts";
import { type Replica, replicasOf, stageOf } from "./replicas.ts";
import { fingerprintOf, type TrainingRun } from "./run.ts";
import { fileHash } from "./stage_cache.ts";

/**
 * Evaluates the actor of a finished stage: the policies that an earlier process left waiting, and
 * those at the last step without an evaluation.
 *
 * @param step The last step.
 * @returns Whether all are evaluated; false if a signal stopped the evaluation.
 */
export async function evaluateFinished(
  run: TrainingRun,
  definition: StageDefinition,
  step: number,
  replicas: readonly Replica[],
  metrics: MetricsFile,
): Promise<boolean> {
  const { name } = definition;
  if (!run.evaluator || !canAct(run, definition, replicas)) return true;
  const rows = readMetrics(run.directory.metrics);
  const missing = replicas.filter((replica) =>
    !isEvaluated(rows, name, step, replica, () => fileHash(replica.directory.checkpoint(name)))
  );
  const progress = new Progress(name, step, run.progress, step);
  const queue = new EvaluationQueue(
    run.evaluator,
    name,
    metrics,
    (done, planned) => progress.evaluated(done, planned),
    run.stop,
  );
  resumeEvaluations(queue, run, definition, step, replicas, rows);
  if (missing.length > 0) queue.add(step, missing);
  const whole = await queue.finish();
  if (queue.planned > 0) progress.finish();
  return whole;
}

/**
 * Adds the evaluations that an earlier process left waiting.
 *
 * @param step Step of the checkpoints that the run continues from.
 * @param rows The rows of the run's metrics file.
 */
export function resumeEvaluations(
  queue: EvaluationQueue,
  run: TrainingRun,
  definition: StageDefinition,
  step: number,
  replicas: readonly Replica[],
  rows: readonly MetricsRow[] = readMetrics(run.directory.metrics),
): void {
  const { name } = definition;
  queue.resume(
    step,
    replicas,
    (replica) => fingerprintOf(run, definition, replica),
    (replica, waited) => isEvaluated(rows, name, waited, replica),
    run.announce,
  );
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
export function canAct(
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
 * @param checkpoint Returns the SHA-256 of the policy's checkpoint; absent if the file no longer
 * exists.
 */
function isEvaluated(
  rows: readonly MetricsRow[],
  stage: string,
  step: number,
  replica: Replica,
  checkpoint?: () => string,
): boolean {
  return rows.some((row) =>
    row.stage === stage && row.step === step && row.episodes !== null &&
    sameReplica(row, replica) &&
    (checkpoint === undefined || row.checkpoint === undefined || row.checkpoint === checkpoint())
  );
}
