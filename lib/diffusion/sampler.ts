/**
 * Samples from a diffusion model: its probability-flow ODE, solved by DPM-Solver++(2M) (Lu et al.,
 * 2022, arXiv 2211.01095, Algorithm 2), of second order with one noise prediction a step.
 *
 * @module
 */
import { alpha, logRatio, sigma, timeOfLogRatio } from "./schedule.ts";

/**
 * Predicts the noise in `x` at time t.
 *
 * @param x `[rows, size]`, noised.
 * @returns As many entries; it may be overwritten by the next call.
 */
export type NoisePrediction = (x: Float32Array, t: number) => Float32Array;

/** The times between which the ODE is solved: those that the behavior model is trained on. */
export const sampleTimes = { first: 1, last: 1e-3 } as const;

/** One step of the solver, from one time to an earlier one. */
export interface SolverStep {
  /** The time that it starts at, and that the noise is predicted for. */
  readonly t: number;
  /** α at this time. */
  readonly alpha: number;
  /** σ at this time. */
  readonly sigma: number;
  /** Weight of x in the result. */
  readonly keep: number;
  /** Weight of the predicted sample in the result. */
  readonly move: number;
  /** By how much the predicted sample is extrapolated from the step before: 0 in steps of first order. */
  readonly slope: number;
}

/**
 * The steps of the solver, evenly spaced in λ = ln(α/σ).
 *
 * @param count Steps, 1 or more.
 */
export function solverSteps(count: number): SolverStep[] {
  const [begin, end] = [logRatio(sampleTimes.first), logRatio(sampleTimes.last)];
  const h = (end - begin) / count;
  let t: number = sampleTimes.first;
  return Array.from({ length: count }, (_, i) => {
    const number = i + 1;
    const next = number === count ? sampleTimes.last : timeOfLogRatio(begin + number * h);
    const step = {
      t,
      alpha: alpha(t),
      sigma: sigma(t),
      keep: sigma(next) / sigma(t),
      move: -alpha(next) * Math.expm1(-h),
      // The first step has no earlier prediction, and few steps end better with one of first order.
      slope: number === 1 || (number === count && count < 15) ? 0 : 0.5,
    };
    t = next;
    return step;
  });
}

/**
 * Turns noise into samples, in place. What the last time leaves of the noise (σ about 0.01) stays in.
 *
 * @param x `[rows, size]`: draws from N(0, I); in the end the samples.
 * @param predict The noise prediction, called `steps` times.
 * @param steps Steps, 1 or more.
 */
export function sample(x: Float32Array, predict: NoisePrediction, steps: number): void {
  const previous = new Float32Array(x.length);
  for (const { t, alpha, sigma, keep, move, slope } of solverSteps(steps)) {
    const noise = predict(x, t);
    for (let i = 0; i < x.length; i++) {
      const clean = (x[i]! - sigma * noise[i]!) / alpha;
      x[i] = keep * x[i]! + move * (clean + slope * (clean - previous[i]!));
      previous[i] = clean;
    }
  }
}
