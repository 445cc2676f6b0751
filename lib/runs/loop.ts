/**
 * The loop that runs a stage to its last step: chunks of steps, the next submitted before the last
 * is waited for, so that the GPU is not idle while the host looks at metrics.
 *
 * @module
 */
import type { StepMetrics, TrainingStep } from "../autodiff/training_step.ts";
import { maxChunk } from "../gpu/program.ts";
import { assertFinite } from "./metrics.ts";

/** A chunk of work, in seconds: long against the wait for its metrics, short for a person. */
const chunkSeconds = 0.25;

/** How a step is run again and again. */
export interface LoopOptions {
  /** Name of the stage, for messages. */
  readonly stage: string;
  /** Steps done already. */
  readonly start: number;
  /** Steps to reach. */
  readonly end: number;
  /** Called in order with each step's metrics (one number for each replica), all finite. */
  readonly onStep: (step: number, metrics: StepMetrics) => void;
  /** Called between chunks; true stops the loop after the chunks under way. */
  readonly shouldStop: (step: number) => boolean;
}

/**
 * Runs steps `start` … `end` − 1.
 *
 * @returns Steps done: `end`, or less when it was told to stop.
 * @throws {UserError} On a metric that is NaN or infinite, naming stage, step and metric.
 */
export async function runSteps(
  program: TrainingStep,
  { stage, start, end, onStep, shouldStop }: LoopOptions,
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
      underWay.push({ first: next, count, metrics: program.submit(next, count) });
      next += count;
      if (underWay.length > 1) await finishOldest();
      // Signals arrive through the event loop.
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
    while (underWay.length > 0) await finishOldest();
  } finally {
    await Promise.allSettled(underWay.map(({ metrics }) => metrics));
  }
  return next;
}
