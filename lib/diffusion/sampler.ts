/**
 * Samples from a diffusion model by solving its probability-flow ODE with DPM-Solver++(2M) (Lu et
 * al., 2022, arXiv 2211.01095, Algorithm 2), a second-order solver with one noise prediction per
 * step.
 *
 * @module
 */
import { alpha, logRatio, sigma, timeOfLogRatio } from "./schedule.ts";

/**
 * Predicts the noise in `x` at time t.
 *
 * @param x Noised samples, `[rows, size]`.
 * @returns The predicted noise, `[rows, size]`. The next call may overwrite it.
 */
export type NoisePrediction = (x: Float32Array, t: number) => Float32Array;

/** Start and end time of the ODE: the times that behavior models are trained on by default. */
export const sampleTimes = { first: 1, last: 1e-3 } as const;

/** One step of the solver, from one time to an earlier one. */
export interface SolverStep {
  /** Start time of the step, for which the noise is predicted. */
  readonly t: number;
  /** α at time t. */
  readonly alpha: number;
  /** σ at time t. */
  readonly sigma: number;
  /** Weight of x in the result. */
  readonly keep: number;
  /** Weight of the predicted sample in the result. */
  readonly move: number;
  /** Factor of the extrapolation from the previous predicted sample; 0 in first-order steps. */
  readonly slope: number;
}

/**
 * Returns the steps of the solver, evenly spaced in λ = ln(α/σ).
 *
 * @param count Number of steps, 1 or more.
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
      // The first step has no earlier prediction. With few steps, a first-order last step is
      // better.
      slope: number === 1 || (number === count && count < 15) ? 0 : 0.5,
    };
    t = next;
    return step;
  });
}

/**
 * Turns noise into samples, in place. The noise that remains at the last time (σ about 0.01) is not
 * removed.
 *
 * @param x `[rows, size]`: draws from N(0, I), overwritten by the samples.
 * @param predict The noise prediction, called `steps` times.
 * @param steps Number of solver steps, 1 or more.
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
