/**
 * Sampling from a diffusion model in a graph, with the same steps as on the CPU ({@linkcode
 * sample}, {@linkcode sampleAncestral}), for any number of rows. Gradients flow through the steps.
 *
 * @module
 */
import type { Graph } from "../autodiff/graph.ts";
import { add, clip, scale } from "../autodiff/ops/entrywise.ts";
import type { Tensor } from "../autodiff/tensor.ts";
import type { AncestralStep, Clipping } from "./ddpm.ts";
import { type SolverStep, solverSteps } from "./sampler.ts";

/**
 * Records a prediction of the noise in `x`, with the same shape.
 *
 * @param x Noised samples, `[R, rows, size]`.
 * @param t The time of all rows.
 */
export type RecordedPrediction = (x: Tensor, t: number) => Tensor;

/** State at the start of a solver step. */
export interface SolverState {
  /** Noised samples, `[R, rows, size]`. */
  readonly x: Tensor;
  /** The predicted noise in `x`. */
  readonly noise: Tensor;
  /** The step that starts from this state. */
  readonly step: SolverStep;
}

/**
 * Records one step of DPM-Solver++(2M).
 *
 * @param before State at the start of the previous step; absent in the first step.
 * @returns `[R, rows, size]` at the next time.
 */
export function dpmSolverStep(
  graph: Graph,
  { x, noise, step }: SolverState,
  before?: SolverState,
): Tensor {
  const { alpha, sigma, keep, move, slope } = step;
  const now = move * (1 + slope) / alpha;
  const terms: Term[] = [[x, keep + now], [noise, -now * sigma]];
  if (before && slope !== 0) {
    const then = -move * slope / before.step.alpha;
    terms.push([before.x, then], [before.noise, -then * before.step.sigma]);
  }
  return weightedSum(graph, terms);
}

/**
 * Turns noise into samples with DPM-Solver++(2M).
 *
 * @param x `[R, rows, size]`: draws from N(0, I).
 * @param count Number of steps, 1 or more.
 */
export function recordSolver(
  graph: Graph,
  x: Tensor,
  predict: RecordedPrediction,
  count: number,
): Tensor {
  let before: SolverState | undefined;
  let at = x;
  for (const step of solverSteps(count)) {
    const state = { x: at, noise: predict(at, step.t), step };
    at = dpmSolverStep(graph, state, before);
    before = state;
  }
  return at;
}

/**
 * Records one step of ancestral sampling.
 *
 * @param x Noised samples, `[R, rows, size]`.
 * @param noise The predicted noise in `x`.
 * @param draw Draws from N(0, I); absent if the step adds no noise.
 * @returns `[R, rows, size]` at the next time.
 */
export function ancestralStep(
  graph: Graph,
  x: Tensor,
  noise: Tensor,
  step: AncestralStep,
  clipping: Clipping,
  draw?: Tensor,
): Tensor {
  const clean = weightedSum(graph, [[x, step.cleanOfX], [noise, step.cleanOfNoise]]);
  const kept = clipping === "prediction" ? clip(graph, clean, -1, 1) : clean;
  const result = weightedSum(graph, [
    [kept, step.meanOfClean],
    ...(step.meanOfX === 0 ? [] : [[x, step.meanOfX] as Term]),
    ...(draw === undefined ? [] : [[draw, step.deviation] as Term]),
  ]);
  return clipping === "result" ? clip(graph, result, -1, 1) : result;
}

/**
 * Turns noise into samples by ancestral sampling.
 *
 * @param x `[R, rows, size]`: draws from N(0, I).
 * @param draw Returns draws from N(0, I) with the shape of `x`; called once per step that adds
 * noise.
 */
export function recordAncestral(
  graph: Graph,
  x: Tensor,
  predict: RecordedPrediction,
  steps: readonly AncestralStep[],
  clipping: Clipping,
  draw: (step: AncestralStep) => Tensor,
): Tensor {
  return steps.reduce(
    (at, step) =>
      ancestralStep(
        graph,
        at,
        predict(at, step.t),
        step,
        clipping,
        step.deviation === 0 ? undefined : draw(step),
      ),
    x,
  );
}

type Term = readonly [tensor: Tensor, weight: number];

function weightedSum(graph: Graph, terms: readonly Term[]): Tensor {
  return terms.map(([tensor, weight]) => scale(graph, tensor, weight))
    .reduce((sum, term) => add(graph, sum, term));
}
