/**
 * The forward diffusion: times, noising, and the features a network sees of a time.
 *
 * @module
 */
import fourierSource from "../../../shaders/fourier.wgsl" with { type: "text" };
import noisingSource from "../../../shaders/noising.wgsl" with { type: "text" };
import randomSource from "../../../shaders/random.wgsl" with { type: "text" };
import scheduleSource from "../../../shaders/schedule.wgsl" with { type: "text" };
import stepSource from "../../../shaders/step.wgsl" with { type: "text" };
import type { Graph } from "../graph.ts";
import { registerOperation } from "../operations.ts";
import { Tensor } from "../tensor.ts";
import { elementwiseJobs, requireNoGaps, shapeOf, workgroup } from "./elementwise.ts";

const noisingName = registerOperation("noising");
const noisingGradientName = registerOperation("noising gradient");
const fourierName = registerOperation("fourier features");

/** Where noise comes from: drawn anew each step from a stream, or given, `[R, rows, columns]`. */
export type Noise = { readonly stream: number } | { readonly given: Tensor };

/**
 * Noises x `[R, rows, columns]` to the times t `[R, rows, 1]` (Eq. 4): α_t x + σ_t z with the
 * variance-preserving schedule β from 0.1 to 20.
 *
 * @returns The noised tensor and the noise z.
 */
export function noising(
  graph: Graph,
  x: Tensor,
  t: Tensor,
  noise: Noise,
): { xt: Tensor; z: Tensor } {
  requireNoGaps("noising", x);
  const xt = new Tensor(shapeOf(x));
  const draw = "stream" in noise;
  const z = draw ? new Tensor(shapeOf(x)) : noise.given;
  graph.record({
    name: noisingName,
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
        name: noisingGradientName,
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
    source: randomSource + stepSource + scheduleSource + noisingSource,
    directives,
  };
}

function rowJobs(out: Tensor, fields: (job: number) => Record<string, number>) {
  return elementwiseJobs(out, fields).map((job) => ({
    ...job,
    tiles: Math.ceil(out.rows / workgroup),
  }));
}

/** Where times come from: drawn anew each step from a stream, or given, `[R, rows, 1]`. */
export type Times =
  | {
    readonly stream: number;
    readonly rows: number;
    /** Bounds between which a replica's are uniform; with low = high all are that number. */
    readonly range: (replica: number) => readonly [low: number, high: number];
  }
  | { readonly given: Tensor };

/**
 * Gaussian Fourier features of times: sin 2πtW, then cos 2πtW, for n frequencies W `[R', 1, n]`. Not
 * differentiated: neither t nor W is trained.
 *
 * @returns The times t, `[R, rows, 1]`, and their features, `[R, rows, 2n]`.
 */
export function fourierFeatures(
  graph: Graph,
  times: Times,
  frequencies: Tensor,
): { t: Tensor; features: Tensor } {
  const draw = "stream" in times;
  const t = draw
    ? new Tensor({ replicas: graph.replicas, rows: times.rows, columns: 1 })
    : times.given;
  const replicas = Math.max(t.replicas, frequencies.replicas);
  const features = new Tensor({ replicas, rows: t.rows, columns: 2 * frequencies.columns });
  graph.record({
    name: fourierName,
    inputs: [],
    reads: draw ? [frequencies] : [t, frequencies],
    writes: draw ? [features, t] : [features],
    kernel: () => ({
      name: "fourier features",
      source: randomSource + stepSource + fourierSource,
      directives: draw ? ["DRAW"] : [],
    }),
    jobs: () =>
      elementwiseJobs(features, (job) => ({
        frequencies: frequencies.columns,
        w: frequencies.at(job, replicas),
        t: t.columnAt(job, replicas),
        ...(draw && {
          low: times.range(job)[0],
          high: times.range(job)[1],
          seed: graph.seed(job, replicas),
          stream: times.stream,
        }),
      })),
  });
  return { t, features };
}
