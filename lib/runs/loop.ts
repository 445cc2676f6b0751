/**
 * The training loop of a stage. It submits steps in chunks, and submits the next chunk before
 * waiting for the last one, so that the GPU does not idle while the host processes metrics.
 *
 * @module
 */
import type { StepMetrics, TrainingStep } from "../autodiff/training_step.ts";
import { maxChunk } from "../gpu/program.ts";
import { assertFinite } from "./finite.ts";

/** Duration of a chunk in seconds: long compared to reading its metrics, but short for the user. */
const chunkSeconds = 0.25;

/** Options of {@linkcode runSteps}. */
export interface LoopOptions {
  /** Name of the stage, for messages. */
  readonly stage: string;
  /** Number of completed steps. */
  readonly start: number;
  /** Step to stop at. */
  readonly end: number;
  /** Called in order with each step's metrics (one number per replica), all finite. */
  readonly onStep: (step: number, metrics: StepMetrics) => void;
  /** Called between chunks. True stops the loop after the submitted chunks. */
  readonly shouldStop: (step: number) => boolean;
  /** Awaited between chunks, with the number of submitted steps, for example to read networks. */
  readonly between?: (step: number) => Promise<void>;
}

/**
 * Runs steps `start` … `end` − 1.
 *
 * @returns The number of completed steps: `end`, or less if stopped.
 * @throws {UserError} If a metric is NaN or infinite. The message names stage, step and metric.
 */
export async function runSteps(
  program: TrainingStep,
  { stage, start, end, onStep, shouldStop, between = deliverSignals }: LoopOptions,
): Promise<number> {
  const underWay: { first: number; count: number; metrics: Promise<StepMetrics[]> }[] = [];
  let next = start;
  let size = 1;
  let last = performance.now();

  const finishOldest = async () => {
    const { first, count, metrics } = underWay.shift()!;
    for (const [i, step] of (await metrics).entries()) {
      assertFinite(stage, first + i + 1, step);
      onStep(first + i + 1, step);
    }
    const now = performance.now();
    const perStep = (now - last) / 1000 / count;
    last = now;
    size = Math.min(maxChunk, 2 * size, Math.max(1, Math.round(chunkSeconds / perStep)));
  };

  try {
    while (next < end && !shouldStop(next)) {
      const count = Math.min(size, end - next);
      const metrics = program.submit(next, count);
      metrics.catch(() => {}); // Awaited later, after the chunk before it.
      underWay.push({ first: next, count, metrics });
      next += count;
      if (underWay.length > 1) await finishOldest();
      await between(next);
    }
    while (underWay.length > 0) await finishOldest();
  } finally {
    await Promise.allSettled(underWay.map(({ metrics }) => metrics));
  }
  return next;
}

/** Lets the event loop deliver signals. */
function deliverSignals(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}
