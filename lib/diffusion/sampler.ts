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

/** Start and end time of the ODE: the range of times that the behavior model is trained on. */
export const sampleTimes = { first: 1, last: 1e-3 } as const;

/**
 * Turns noise into samples, in place. The steps are evenly spaced in λ = ln(α/σ). The noise that
 * remains at the last time (σ about 0.01) is not removed.
 *
 * @param x `[rows, size]`: draws from N(0, I), overwritten by the samples.
 * @param predict The noise prediction, called `steps` times.
 * @param steps Number of solver steps, 1 or more.
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
    // The first step has no earlier prediction. With few steps, a first-order last step works
    // better.
    const slope = step === 1 || (step === steps && steps < 15) ? 0 : 0.5;
    for (let i = 0; i < x.length; i++) {
      const clean = (x[i]! - sigmaT * noise[i]!) / alphaT;
      x[i] = keep * x[i]! + move * (clean + slope * (clean - previous[i]!));
      previous[i] = clean;
    }
    t = next;
  }
}
