/**
 * Trains the steps of a stage, with progress, metrics, checkpoints and evaluations.
 *
 * @module
 */
import { Graph } from "../autodiff/graph.ts";
import type { StepMetrics, TrainingStep } from "../autodiff/training_step.ts";
import type { ReplayBuffer } from "../data/replay_buffer.ts";
import type { StageDefinition } from "../algorithms/algorithm.ts";
import { encodeCheckpoints, fingerprintKey, readCheckpoint } from "./checkpoint.ts";
import { DivergenceWatch } from "./divergence.ts";
import { EvaluationQueue } from "./evaluation_queue.ts";
import { writeGeneration } from "./generation.ts";
import { runSteps } from "./loop.ts";
import type { MetricsFile } from "./metrics.ts";
import { MetricsLog } from "./metrics_log.ts";
import { type Checkpoint, loadNetworks, startNetworks } from "./networks.ts";
import { profileStage } from "./profile.ts";
import { Progress } from "./progress.ts";
import type { Replica } from "./replicas.ts";
import { fingerprintOf, type StageResult, stepsOf, type TrainingRun } from "./run.ts";
import { canAct, resumeEvaluations } from "./stage_evaluation.ts";

/** Time between checkpoints of a stage, in milliseconds. */
const checkpointMilliseconds = 5 * 60 * 1000;

/** Metadata key in checkpoints for the sums of metrics since the last row. */
const unlogged = "unlogged_metrics";

/**
 * Trains the replicas `pending` of a stage.
 *
 * @param present Their checkpoints to resume from; null if the stage starts at step 0.
 */
export async function trainReplicas(
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
  if (present && evaluations) resumeEvaluations(evaluations, run, definition, start, pending);
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
        startNetworks(name, networks, place, replica.seed, earlier);
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
    const dispatches = program.dispatchesPerStep;
    return { step, dispatches, made: step - start, seconds, evaluated: whole };
  } finally {
    await Promise.allSettled([evaluations?.finish()]);
    program.destroy();
  }
}

/** Describes the GPU memory of a stage. */
function memoryText(name: string, program: TrainingStep, buffer: ReplayBuffer): string {
  const mebibytes = (bytes: number) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;
  return `memory   ${name}: ${mebibytes(program.plannedBytes)} of GPU memory planned, ` +
    `${mebibytes(program.bytes)} allocated; data set ${mebibytes(buffer.bytes)}`;
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
