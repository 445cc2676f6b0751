/**
 * Checks of sampling from a diffusion model: single steps, and gradients through whole chains.
 *
 * @module
 */
import type { Graph } from "../autodiff/graph.ts";
import { map, type Matrix, zip } from "../autodiff/matrix.ts";
import { multiply, tanh } from "../autodiff/ops/entrywise.ts";
import type { Tensor } from "../autodiff/tensor.ts";
import { ancestralSteps, type Clipping, variancePreservingBetas } from "../diffusion/ddpm.ts";
import {
  ancestralStep,
  dpmSolverStep,
  recordAncestral,
  recordSolver,
} from "../diffusion/graph_sampler.ts";
import { sampleTimes, solverSteps } from "../diffusion/sampler.ts";
import { type Case, type Check, compared } from "./check.ts";
import { scheduleReference } from "../autodiff/ops/noising.ts";

const sizes = [[1, 1], [7, 13], [33, 257]] as const;
const each = (make: (rows: number, columns: number, replicas: number) => Case): Case[] =>
  sizes.flatMap(([rows, columns]) => [1, 3].map((replicas) => make(rows, columns, replicas)));

/** Returns the predicted sample (x − σ_t ε) / α_t. */
function predictedSample(x: Matrix, noise: Matrix, t: number): Matrix {
  const { alpha, sigma } = scheduleReference(t);
  return zip(x, noise, (value, epsilon) => (value - sigma * epsilon) / alpha);
}

/**
 * One step of Lu et al., 2022, Algorithm 2, from time t to the next. `before` is the sample that
 * the previous step predicted. The steps are equally long in λ, so r is 1.
 */
function solved(x: Matrix, now: Matrix, before: Matrix | null, t: number, next: number): Matrix {
  const [from, to] = [scheduleReference(t), scheduleReference(next)];
  const h = Math.log(to.alpha / to.sigma) - Math.log(from.alpha / from.sigma);
  const d = before === null ? now : zip(now, before, (a, b) => 1.5 * a - 0.5 * b);
  return zip(
    x,
    d,
    (value, sample) => (to.sigma / from.sigma) * value - to.alpha * Math.expm1(-h) * sample,
  );
}

/** Returns the times of the solver's steps and its final time. */
function timesOf(count: number): number[] {
  return [...solverSteps(count).map(({ t }) => t), sampleTimes.last];
}

const solverStep: Check = {
  name: "dpm-solver++ step",
  limit: 5e-6,
  cases: each((rows, columns, replicas) => {
    const tensor = { rows, columns, wanted: true };
    const [first, second] = solverSteps(15).slice(6);
    const times = timesOf(15).slice(6);
    return compared({
      shape: `${rows}×${columns}`,
      replicas,
      inputs: { x: tensor, noise: tensor, earlier: tensor, earlierNoise: tensor },
      record: (graph, { x, noise, earlier, earlierNoise }) => ({
        results: {
          y: dpmSolverStep(graph, { x, noise, step: second! }, {
            x: earlier,
            noise: earlierNoise,
            step: first!,
          }),
        },
        objective: "y",
      }),
      reference: ({ x: [x], noise: [noise], earlier: [earlier], earlierNoise: [earlierNoise] }) => {
        const now = predictedSample(x, noise, times[1]!);
        const before = predictedSample(earlier, earlierNoise, times[0]!);
        return { y: [solved(x, now, before, times[1]!, times[2]!)] };
      },
    });
  }),
};

/**
 * Ho et al., 2020, Eq. 6, 7 and 15: the posterior of x_{t−1}, given x_t and the predicted sample.
 */
function posterior(
  x: Matrix,
  noise: Matrix,
  draw: Matrix,
  t: number,
  clipping: Clipping,
): Matrix {
  const betas = variancePreservingBetas(5);
  const productTo = (count: number) =>
    betas.slice(0, count).reduce((product, beta) => product * (1 - beta), 1);
  const [beta, product, before] = [betas[t]!, productTo(t + 1), productTo(t)];
  const kept = (value: number) => Math.max(-1, Math.min(1, value));
  const sample = zip(
    x,
    noise,
    (value, epsilon) => (value - Math.sqrt(1 - product) * epsilon) / Math.sqrt(product),
  );
  const mean = zip(
    x,
    map(sample, (value) => clipping === "prediction" ? kept(value) : value),
    (value, clean) =>
      (Math.sqrt(before) * beta * clean + Math.sqrt(1 - beta) * (1 - before) * value) /
      (1 - product),
  );
  const variance = clipping === "prediction" ? beta * (1 - before) / (1 - product) : beta;
  const result = zip(mean, draw, (m, z) => t === 0 ? m : m + Math.sqrt(variance) * z);
  return clipping === "result" ? map(result, kept) : result;
}

/** Returns the steps of Diffusion-QL or of the published IDQL. */
function stepsWith(clipping: Clipping) {
  return ancestralSteps(
    variancePreservingBetas(5),
    clipping === "prediction" ? "posterior" : "beta",
  );
}

const ddpmStep: Check = {
  name: "ddpm step",
  limit: 5e-6,
  cases: (["prediction", "result"] as const).flatMap((clipping) =>
    each((rows, columns, replicas) => {
      const tensor = { rows, columns, wanted: true, from: (z: number) => 0.5 * z };
      return compared({
        shape: `${rows}×${columns}, clips the ${clipping}`,
        replicas,
        inputs: { x: tensor, noise: tensor, draw: tensor },
        record: (graph, { x, noise, draw }) => {
          const step = stepsWith(clipping).find(({ t }) => t === 2)!;
          return {
            results: { y: ancestralStep(graph, x, noise, step, clipping, draw) },
            objective: "y",
          };
        },
        reference: ({ x: [x], noise: [noise], draw: [draw] }) => ({
          y: [posterior(x, noise, draw, 2, clipping)],
        }),
      });
    })
  ),
};

/** A network small enough for finite differences: ε̂(x, t) = w tanh x, independent of t. */
const predicted = (graph: Graph, w: Tensor) => (x: Tensor) => multiply(graph, tanh(graph, x), w);
const predictedReference = (w: Matrix, x: Matrix) =>
  map(x, (value, i) => Math.tanh(value) * w.values[i % x.columns]!);

const chainSize = { rows: 7, columns: 3 };

const solverChain: Check = {
  name: "dpm-solver++, 5 steps",
  limit: 2e-5,
  cases: [1, 3].map((replicas) =>
    compared({
      shape: "7×3",
      replicas,
      inputs: {
        x: { ...chainSize, wanted: true },
        w: { rows: 1, columns: 3, wanted: true },
      },
      record: (graph, { x, w }) => ({
        results: { y: recordSolver(graph, x, predicted(graph, w), 5) },
        objective: "y",
      }),
      reference: ({ x: [x], w: [w] }) => {
        const times = timesOf(5);
        let at: Matrix = x;
        let before: Matrix | null = null;
        for (let i = 0; i < 5; i++) {
          const now = predictedSample(at, predictedReference(w, at), times[i]!);
          at = solved(at, now, i === 4 ? null : before, times[i]!, times[i + 1]!);
          before = now;
        }
        return { y: [at] };
      },
    })
  ),
};

const ddpmChain: Check = {
  name: "ddpm, 5 steps",
  limit: 2e-5,
  cases: (["prediction", "result"] as const).flatMap((clipping) =>
    [1, 3].map((replicas) =>
      compared({
        shape: `7×3, clips the ${clipping}`,
        replicas,
        inputs: {
          x: { ...chainSize, wanted: true, from: (z) => 0.3 * z },
          w: { rows: 1, columns: 3, wanted: true },
          z4: chainSize,
          z3: chainSize,
          z2: chainSize,
          z1: chainSize,
        },
        record: (graph, { x, w, ...draws }) => ({
          results: {
            y: recordAncestral(
              graph,
              x,
              predicted(graph, w),
              stepsWith(clipping),
              clipping,
              ({ t }) => draws[`z${t}` as keyof typeof draws],
            ),
          },
          objective: "y",
        }),
        reference: ({ x: [x], w: [w], ...draws }) => {
          let at: Matrix = x;
          for (const t of [4, 3, 2, 1, 0]) {
            const [draw] = draws[`z${Math.max(t, 1)}` as keyof typeof draws];
            at = posterior(at, predictedReference(w, at), draw, t, clipping);
          }
          return { y: [at] };
        },
      })
    )
  ),
};

/** Checks of sampling. */
export const samplingChecks: readonly Check[] = [solverStep, solverChain, ddpmStep, ddpmChain];
