/**
 * Ancestral sampling from a diffusion model with discrete times (DDPM: Ho et al., 2020, arXiv
 * 2006.11239, Algorithm 2), used by Diffusion-QL and the published IDQL with few steps.
 *
 * @module
 */
import type { NoisePrediction } from "./sampler.ts";

/** Bounds of β(t) in the discrete variance-preserving schedule. */
const betaBounds = { low: 0.1, high: 10 } as const;

/**
 * Returns β_1 … β_T of the variance-preserving SDE in T steps, with β(t) linear from 0.1 to 10
 * (Xiao et al., 2022, arXiv 2112.07804; used by Wang et al., 2023, arXiv 2208.06193).
 *
 * @param count T, 1 or more.
 */
export function variancePreservingBetas(count: number): number[] {
  const { low, high } = betaBounds;
  return Array.from({ length: count }, (_, i) => {
    const twiceMiddle = (2 * i + 1) / count;
    return -Math.expm1(-(low + (high - low) * twiceMiddle / 2) / count);
  });
}

/**
 * Returns √ᾱ and √(1 − ᾱ) of each time t, counted from 0: the weights of a sample and of noise in
 * the sample noised to time t.
 *
 * @param betas β_1 … β_T.
 */
export function noisingWeights(betas: readonly number[]): { clean: number; noise: number }[] {
  let product = 1;
  return betas.map((beta) => {
    product *= 1 - beta;
    return { clean: Math.sqrt(product), noise: Math.sqrt(1 - product) };
  });
}

/** One step of ancestral sampling, from time t + 1 to time t. */
export interface AncestralStep {
  /** t, counted from 0; the time passed to the network. */
  readonly t: number;
  /** Weight of x in the predicted sample â. */
  readonly cleanOfX: number;
  /** Weight of the predicted noise in â. */
  readonly cleanOfNoise: number;
  /** Weight of â in the mean. */
  readonly meanOfClean: number;
  /** Weight of x in the mean. */
  readonly meanOfX: number;
  /** Standard deviation of the added noise; 0 in the last step. */
  readonly deviation: number;
}

/**
 * Returns the steps of ancestral sampling, starting with the last time.
 *
 * @param betas β_1 … β_T.
 * @param variance Variance of the added noise: the posterior's (Diffusion-QL) or β (IDQL).
 */
export function ancestralSteps(
  betas: readonly number[],
  variance: "posterior" | "beta",
): AncestralStep[] {
  let before = 1;
  return betas.map((beta, t) => {
    const product = before * (1 - beta);
    const rest = 1 - product;
    const step = {
      t,
      cleanOfX: 1 / Math.sqrt(product),
      cleanOfNoise: -Math.sqrt(rest / product),
      meanOfClean: Math.sqrt(before) * beta / rest,
      meanOfX: Math.sqrt(1 - beta) * (1 - before) / rest,
      deviation: t === 0 ? 0 : Math.sqrt(variance === "beta" ? beta : beta * (1 - before) / rest),
    };
    before = product;
    return step;
  }).reverse();
}

/**
 * What is clipped to [−1, 1], the range of actions: the predicted sample of each step
 * (Diffusion-QL) or the result of each step (IDQL).
 */
export type Clipping = "prediction" | "result";

/**
 * Turns noise into samples, in place.
 *
 * @param x `[rows, size]`: draws from N(0, I), overwritten by the samples.
 * @param predict The noise prediction, called once per step with its `t`.
 * @param normal Draws from N(0, 1); called for each entry in every step that adds noise.
 */
export function sampleAncestral(
  x: Float32Array,
  predict: NoisePrediction,
  steps: readonly AncestralStep[],
  clipping: Clipping,
  normal: () => number,
): void {
  for (const step of steps) {
    const noise = predict(x, step.t);
    for (let i = 0; i < x.length; i++) {
      const clean = step.cleanOfX * x[i]! + step.cleanOfNoise * noise[i]!;
      const kept = clipping === "prediction" ? clipped(clean) : clean;
      const mean = step.meanOfClean * kept + step.meanOfX * x[i]!;
      const result = step.deviation === 0 ? mean : mean + step.deviation * normal();
      x[i] = clipping === "result" ? clipped(result) : result;
    }
  }
}

function clipped(value: number): number {
  return Math.max(-1, Math.min(1, value));
}
