/**
 * Policies that select among samples of a diffusion model, shared by several algorithms.
 *
 * @module
 */
import { type AncestralStep, type Clipping, sampleAncestral } from "../diffusion/ddpm.ts";
import { type NoisePrediction, sample } from "../diffusion/sampler.ts";
import { UserError } from "../errors.ts";
import { flopsOfBehaviorModel, flopsOfCandidates, flopsOfMlp } from "../nn/flops.ts";
import type { TwinQ } from "../nn/host/mlp.ts";
import type { NoiseModel } from "../nn/host/noise_model.ts";
import type { Policy } from "../nn/host/policy.ts";

/** A sampler of a diffusion model. */
export interface CandidateSampler {
  /** Noise predictions per sample. */
  readonly steps: number;
  /**
   * Turns noise into samples, in place.
   *
   * @param normal Draws from N(0, 1), for samplers that add noise.
   */
  sample(x: Float32Array, predict: NoisePrediction, normal: () => number): void;
}

/** Returns DPM-Solver++ with the given number of steps, for models with continuous times. */
export function solverSampler(steps: number): CandidateSampler {
  return { steps, sample: (x, predict) => sample(x, predict, steps) };
}

/** Returns ancestral sampling, for models with discrete times. */
export function ancestralSampler(
  steps: readonly AncestralStep[],
  clipping: Clipping,
): CandidateSampler {
  return {
    steps: steps.length,
    sample: (x, predict, normal) => sampleAncestral(x, predict, steps, clipping, normal),
  };
}

/**
 * Returns a policy that samples candidates from a behavior model and takes the one with the highest
 * Q (greedy IDQL: Hansen-Estruch et al., 2023, arXiv 2304.10573). Candidates are clipped to [−1,
 * 1], the range of the actions in the training data.
 *
 * @param candidates Number of candidates per observation.
 * @throws {UserError} If the sizes of the model and Q differ.
 */
export function candidatePolicy(
  model: NoiseModel,
  q: TwinQ,
  candidates: number,
  sampler: CandidateSampler,
): Policy {
  const { stateSize, actionSize } = model;
  requireSameSizes(model, q);
  const states = new Float32Array(candidates * stateSize);
  const draws = new Float32Array(candidates * actionSize);
  const values = new Float32Array(candidates);
  const time = new Float32Array(1);
  const predict = (x: Float32Array, t: number) => {
    time[0] = t;
    return model.predict(x, states, time, candidates);
  };
  let actions = new Float64Array();
  return {
    observationSize: stateSize,
    actionSize,
    flops: candidateFlops(model, q, candidates, sampler.steps),
    act(observations, random) {
      const rows = observations.length / stateSize;
      if (actions.length !== rows * actionSize) actions = new Float64Array(rows * actionSize);
      for (let row = 0; row < rows; row++) {
        const observation = observations.subarray(row * stateSize, (row + 1) * stateSize);
        for (let i = 0; i < candidates; i++) states.set(observation, i * stateSize);
        const normal = () => random[row]!.normal();
        for (let i = 0; i < draws.length; i++) draws[i] = normal();
        sampler.sample(draws, predict, normal);
        for (let i = 0; i < draws.length; i++) draws[i] = Math.max(-1, Math.min(1, draws[i]!));
        q.minimum(states, draws, candidates, values);
        let best = 0;
        for (let i = 1; i < candidates; i++) if (values[i]! > values[best]!) best = i;
        actions.set(draws.subarray(best * actionSize, (best + 1) * actionSize), row * actionSize);
      }
      return actions;
    },
  };
}

/**
 * Rejects a model and Q of different sizes.
 *
 * @throws {UserError} If their state or action sizes differ.
 */
export function requireSameSizes(model: NoiseModel, q: TwinQ): void {
  const { stateSize, actionSize } = model;
  if (q.stateSize !== stateSize || q.actionSize !== actionSize) {
    throw new UserError(
      `the behavior model takes ${stateSize} state and ${actionSize} action entries, but Q takes ` +
        `${q.stateSize} and ${q.actionSize}; use a behavior model and a critic from the same run`,
    );
  }
}

/** FLOPs of one action. */
export function candidateFlops(
  model: NoiseModel,
  q: TwinQ,
  candidates: number,
  steps: number,
): number {
  return flopsOfCandidates({
    model: flopsOfBehaviorModel(model.shape),
    q: flopsOfMlp(q.sizes),
    heads: 2,
    candidates,
    steps,
  });
}
