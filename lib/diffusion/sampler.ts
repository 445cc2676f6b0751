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

/**
 * Turns noise into samples, in place. The steps are evenly spaced in λ = ln(α/σ). What the last time
 * leaves of the noise (σ about 0.01) stays in.
 *
 * @param x `[rows, size]`: draws from N(0, I); in the end the samples.
 * @param predict The noise prediction, called `steps` times.
 * @param steps Steps, 1 or more.
 */
export function sample(x: Float32Array, predict: NoisePrediction, steps: number): void {
  const [begin, end] = [logRatio(sampleTimes.first), logRatio(sampleTimes.last)];
  const h = (end - begin) / steps;
  const previous = new Float32Array(x.length);
  let t: number = sampleTimes.first;
  for (let step = 1; step <= steps; step++) {
    const next = step === steps ? sampleTimes.last : timeOfLogRatio(begin + step * h);
    const noise = predict(x, t);
    const [alphaT, sigmaT] = [alpha(t), sigma(t)];
    const keep = sigma(next) / sigmaT;
    const move = -alpha(next) * Math.expm1(-h);
    // The first step has no earlier prediction, and few steps end better with one of first order.
    const slope = step === 1 || (step === steps && steps < 15) ? 0 : 0.5;
    for (let i = 0; i < x.length; i++) {
      const clean = (x[i]! - sigmaT * noise[i]!) / alphaT;
      x[i] = keep * x[i]! + move * (clean + slope * (clean - previous[i]!));
      previous[i] = clean;
    }
    t = next;
  }
}
