/**
 * The forward diffusion of a tensor.
 *
 * @module
 */
import noisingSource from "../../../shaders/noising.wgsl" with { type: "text" };
import normalSource from "../../../shaders/normal.wgsl" with { type: "text" };
import randomSource from "../../../shaders/random.wgsl" with { type: "text" };
import sineSource from "../../../shaders/sine.wgsl" with { type: "text" };
import scheduleSource from "../../../shaders/schedule.wgsl" with { type: "text" };
import stepSource from "../../../shaders/step.wgsl" with { type: "text" };
import type { Graph } from "../graph.ts";
import { mapRows, type Matrix } from "../matrix.ts";
import { registerOperation } from "../operations.ts";
import { Tensor } from "../tensor.ts";
import { elementwiseJobs, workgroup } from "./elementwise.ts";
import { requireNoGaps, requireShape, shapeOf } from "./shapes.ts";

const operation = registerOperation("noising");
const gradientOperation = registerOperation("noising gradient");

/** Source of the noise: drawn anew in each step from a stream, or given as `[R, rows, columns]`. */
export type Noise = { readonly stream: number } | { readonly given: Tensor };

/**
 * Adds noise to x `[R, rows, columns]` at the times t `[R, rows, 1]` (Eq. 4): α_t x + σ_t z with
 * the variance-preserving schedule, β from 0.1 to 20.
 *
 * @returns The noised tensor and the noise z.
 */
export function noising(
  graph: Graph,
  x: Tensor,
  t: Tensor,
  noise: Noise,
): { xt: Tensor; z: Tensor } {
  requireNoGaps(operation, x);
  const { replicas, rows } = x;
  requireShape(operation, "t", t, { replicas, rows, columns: 1 });
  if ("given" in noise) requireShape(operation, "the noise", noise.given, x);
  const xt = new Tensor(shapeOf(x));
  const draw = "stream" in noise;
  const z = draw ? new Tensor(shapeOf(x)) : noise.given;
  graph.record({
    name: operation,
    inputs: [x],
    reads: draw ? [x, t] : [x, t, z],
    writes: draw ? [xt, z] : [xt],
    kernel: () => noisingKernel(draw ? ["DRAW"] : []),
    jobs: () =>
      rowJobs(xt, (job) => ({
        x: x.at(job, xt.replicas),
        x_stride: x.stride,
        t: t.columnAt(job, xt.replicas),
        z: z.at(job, xt.replicas),
        z_stride: z.stride,
        ...(draw && {
          columns: x.columns,
          seed: graph.seed(job, xt.replicas),
          stream: noise.stream,
        }),
      })),
    gradient: (upstream) => {
      const dx = new Tensor(shapeOf(x));
      graph.record({
        name: gradientOperation,
        inputs: [],
        reads: [upstream, t],
        writes: [dx],
        kernel: () => noisingKernel(["GRADIENT"]),
        jobs: () =>
          rowJobs(dx, (job) => ({
            x: upstream.at(job, dx.replicas),
            x_stride: upstream.stride,
            t: t.columnAt(job, dx.replicas),
          })),
      });
      return [dx];
    },
  });
  return { xt, z };
}

function noisingKernel(directives: string[]) {
  return {
    name: "noising",
    source: randomSource + sineSource + normalSource + stepSource + scheduleSource + noisingSource,
    directives,
  };
}

function rowJobs(out: Tensor, fields: (job: number) => Record<string, number>) {
  return elementwiseJobs(out, fields).map((job) => ({
    ...job,
    tiles: Math.ceil(out.rows / workgroup),
  }));
}

/**
 * Returns α_t and σ_t of the variance-preserving schedule, β from 0.1 to 20, in double precision.
 */
export function scheduleReference(t: number): { alpha: number; sigma: number } {
  const logAlpha = (-t * t * (20 - 0.1)) / 4 - (t * 0.1) / 2;
  return { alpha: Math.exp(logAlpha), sigma: Math.sqrt(-Math.expm1(2 * logAlpha)) };
}

/** Returns α_t x + σ_t z with one time per row, in double precision. */
export function noisingReference(x: Matrix, t: Matrix, z: Matrix): Matrix {
  return mapRows(x, (row, r) => {
    const { alpha, sigma } = scheduleReference(t.values[r]!);
    return Array.from(row, (value, i) => alpha * value + sigma * z.values[r * x.columns + i]!);
  });
}
