/**
 * The forward-KL policy with a diffusion model (Figure 2): weighted regression (Eq. 2) of a model
 * whose state is the target.
 *
 * Rows are drawn with probabilities proportional to exp(β Q), and the behavior stage learns them.
 * The expected loss is the weighted diffusion loss, and so is its minimum.
 *
 * @module
 */
import { normal, uniform } from "../autodiff/random.ts";
import { sample } from "../diffusion/sampler.ts";
import { behaviorShapes, frequencyShapes } from "../nn/behavior_model.ts";
import { NoiseModel } from "../nn/host/noise_model.ts";
import type { Behavior, Rows } from "./behavior.ts";
import { regressionWeights } from "./gaussian.ts";

const streams = { rows: 74, samples: 75 } as const;

/**
 * Draws rows for weighted regression: for each target, `perTarget` of the points with probabilities
 * proportional to exp(β Q).
 *
 * @param points `[n, 2]`.
 * @param targets `[m, 2]`.
 * @returns `m · perTarget` rows with their targets as states.
 */
export function regressionRows(
  points: Float32Array,
  targets: Float32Array,
  beta: number,
  perTarget: number,
  seed: number,
): Rows {
  const count = targets.length / 2;
  const drawn: Rows = {
    points: new Float32Array(2 * count * perTarget),
    states: new Float32Array(2 * count * perTarget),
  };
  for (let target = 0; target < count; target++) {
    const at = [targets[2 * target]!, targets[2 * target + 1]!] as const;
    const weights = regressionWeights(points, at, beta);
    for (let i = 1; i < weights.length; i++) weights[i]! += weights[i - 1]!;
    const total = weights.at(-1)!;
    uniform(seed, streams.rows, target, perTarget).forEach((u, i) => {
      const row = firstAbove(weights, u * total);
      const place = 2 * (target * perTarget + i);
      drawn.points.set(points.subarray(2 * row, 2 * row + 2), place);
      drawn.states.set(at, place);
    });
  }
  return drawn;
}

/** Returns the index of the first of ascending numbers that is greater than `value`. */
function firstAbove(ascending: Float64Array, value: number): number {
  let [low, high] = [0, ascending.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ascending[middle]! > value) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** Returns a trained model on the CPU. */
export function hostModel({ shape, values }: Behavior): NoiseModel {
  const parameters = [...behaviorShapes(shape), ...frequencyShapes(shape)];
  return new NoiseModel({
    source: "the bandit's behavior model",
    tensors: new Map(parameters.map(({ name, rows, vector }) => {
      const data = values.get(name)!;
      return [`diffusion.${name}`, {
        shape: vector ? [data.length] : [rows, data.length / rows],
        data,
      }];
    })),
  }, "diffusion");
}

/**
 * Samples from a model by its probability-flow ODE.
 *
 * @param states `[rows, stateSize]`; empty if the model has none.
 * @returns `[rows, 2]`.
 */
export function samplePoints(
  model: NoiseModel,
  states: Float32Array,
  rows: number,
  steps: number,
  seed: number,
): Float32Array {
  const x = Float32Array.from(normal(seed, streams.samples, 0, 2 * rows));
  const predict = (at: Float32Array, t: number) =>
    model.predict(at, states, Float32Array.of(t), rows);
  sample(x, predict, steps);
  return x;
}
