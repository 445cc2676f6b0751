/**
 * Trains the steps of a stage, with progress, metrics, checkpoints and evaluations.
 *
 * @module
 */
import type { StepMetrics } from "../autodiff/training_step.ts";
import type { StageDefinition } from "../algorithms/algorithm.ts";
import { fingerprintKey } from "./checkpoint.ts";
import { DivergenceWatch } from "./divergence.ts";
import { EvaluationQueue } from "./evaluation_queue.ts";
import { writeGeneration } from "./generation.ts";
import type { MetricsFile } from "./metrics.ts";
import { MetricsLog } from "./metrics_log.ts";
import type { Checkpoint } from "./networks.ts";
import { type LaterStages, Progress } from "./progress.ts";
import type { Replica } from "./replicas.ts";
import { fingerprintOf, type StageResult, stepsOf, type TrainingRun } from "./run.ts";
import { canAct, resumeEvaluations } from "./stage_evaluation.ts";
import type { OpenSession, StageSize } from "./stage_session.ts";

/** Time between checkpoints of a stage, in milliseconds. */
const checkpointMilliseconds = 5 * 60 * 1000;

/** Metadata key in checkpoints for the sums of metrics since the last row. */
const unlogged = "unlogged_metrics";

/**
 * Trains the replicas `pending` of a stage.
 *
 * @param present Their checkpoints to resume from; null if the stage starts at step 0.
 * @param open Opens a session that trains them.
 * @param later Estimates the time of the stages that come after.
 */
export async function trainReplicas(
  run: TrainingRun,
  definition: StageDefinition,
  pending: readonly Replica[],
  present: readonly Checkpoint[] | null,
  metrics: MetricsFile,
  open: OpenSession,
  later: LaterStages,
): Promise<Pick<StageResult, "step" | "dispatches" | "made" | "seconds" | "evaluated">> {
  const { hyperparameters: h } = run;
  const { name } = definition;
  const total = stepsOf(run, definition);
  if (pending.length === 0) {
    return { step: total, dispatches: null, made: 0, seconds: 0, evaluated: true };
  }
  const own = pending.map(({ directory }) => directory.checkpoint(name));
  const start = present?.[0]?.step ?? 0;
  const fingerprints = pending.map((replica) => fingerprintOf(run, definition, replica));

  const progress = new Progress(name, total, run.progress, start, later);
  const log = new MetricsLog(metrics, name, total, pending);
  log.restore(present?.map(({ file }) => file.metadata[unlogged]) ?? []);
  // For updates that do not run in every step, the progress line shows the latest value.
  const latest: Record<string, readonly number[]> = {};
  const failed = new AbortController();
  const evaluations = run.evaluator && canAct(run, definition, pending)
    ? new EvaluationQueue(
      run.evaluator,
      name,
      metrics,
      (done, planned) => progress.evaluated(done, planned),
      AbortSignal.any([failed.signal, ...(run.stop ? [run.stop] : [])]),
    )
    : null;
  const watch = definition.bounded === undefined
    ? null
    : new DivergenceWatch(definition.bounded, h, run.buffer.largestReward, pending);
  const session = await open({
    stage: name,
    hyperparameters: h,
    replicas: pending.map(({ seed, hyperparameters, directory }, place) => ({
      seed,
      hyperparameters,
      present: present && own[place]!,
      earlier: definition.needs.map((each) => directory.checkpoint(each)),
    })),
  });
  let step = start;
  let saved = present === null ? null : start;
  try {
    if (present && evaluations) resumeEvaluations(evaluations, run, definition, start, pending);
    run.announce(memoryText(name, session.size));
    if (run.profile && session.profile) {
      const { text, files } = await session.profile(step, run.directory.path);
      progress.skipTime();
      run.announce(`\n${text}\n${files.map((file) => `profile  ${file}`).join("\n")}\n`);
    }
    const began = performance.now();
    const every = evaluations === null || definition.evaluatedOnce
      ? Infinity
      : run.evaluator!.every;
    const save = async (): Promise<void> => {
      const metadata = fingerprints.map((fingerprint, replica): Record<string, string> => {
        const partial = log.partial(replica);
        return {
          algorithm: run.algorithm.name,
          [fingerprintKey]: fingerprint,
          ...(partial !== null && { [unlogged]: partial }),
        };
      });
      const encoded = await session.encode(step, metadata);
      await metrics.flush();
      if (step % every === 0 && step < total) await evaluations?.addWaiting(step, pending, encoded);
      const files = new Map(encoded.map((bytes, place) => [own[place]!, bytes]));
      await writeGeneration(step, files, saved);
      saved = step;
    };
    while (step < total && !run.interrupt.requested) {
      const due = performance.now() + checkpointMilliseconds;
      const end = Math.min(total, (Math.floor(step / every) + 1) * every);
      step = await session.run({
        start: step,
        end,
        onStep: (done, values) => {
          // Drivers compile kernels when they are first used, which may take seconds.
          if (done === start + 1) progress.skipTime(done);
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
    const { dispatches } = session.size;
    return { step, dispatches, made: step - start, seconds, evaluated: whole };
  } catch (error) {
    // The policies that wait are on disk. Their evaluation would only delay the message.
    failed.abort();
    throw error;
  } finally {
    await Promise.allSettled([evaluations?.finish()]);
    session.destroy();
  }
}

/** Describes the GPU memory of a stage. */
function memoryText(name: string, { bytes }: StageSize): string {
  const mebibytes = (bytes: number) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;
  return `memory   ${name}: ${mebibytes(bytes.planned)} of GPU memory planned, ` +
    `${mebibytes(bytes.allocated)} allocated; data set ${mebibytes(bytes.data)}`;
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
