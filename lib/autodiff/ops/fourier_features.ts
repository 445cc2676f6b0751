/**
 * Gaussian Fourier features of diffusion times.
 *
 * @module
 */
import fourierSource from "../../../shaders/fourier.wgsl" with { type: "text" };
import randomSource from "../../../shaders/random.wgsl" with { type: "text" };
import sineSource from "../../../shaders/sine.wgsl" with { type: "text" };
import stepSource from "../../../shaders/step.wgsl" with { type: "text" };
import type { Graph } from "../graph.ts";
import { beside, map, mapRows, type Matrix } from "../matrix.ts";
import { registerOperation } from "../operations.ts";
import { Tensor } from "../tensor.ts";
import { elementwiseJobs } from "./elementwise.ts";
import { requireShape } from "./shapes.ts";

const operation = registerOperation("fourier features");

/** Source of the times: drawn anew in each step from a stream, or given as `[R, rows, 1]`. */
export type Times =
  | {
    readonly stream: number;
    readonly rows: number;
    /**
     * Returns the bounds of a replica's uniform times. If low = high, all times equal that number.
     */
    readonly range: (replica: number) => readonly [low: number, high: number];
  }
  | { readonly given: Tensor };

/**
 * Computes Gaussian Fourier features of times: sin 2πtW, then cos 2πtW, for n frequencies W `[R',
 * 1, n]`. Not differentiable, because neither t nor W is trained.
 *
 * @returns The times t `[R, rows, 1]` and their features `[R, rows, 2n]`.
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
  requireShape(operation, "t", t, { replicas, rows: t.rows, columns: 1 });
  requireShape(operation, "the frequencies", frequencies, {
    replicas,
    rows: 1,
    columns: frequencies.columns,
  });
  const features = new Tensor({ replicas, rows: t.rows, columns: 2 * frequencies.columns });
  graph.record({
    name: operation,
    inputs: [],
    reads: draw ? [frequencies] : [t, frequencies],
    parameters: [frequencies],
    writes: draw ? [features, t] : [features],
    kernel: () => ({
      name: "fourier features",
      source: randomSource + sineSource + stepSource + fourierSource,
      directives: draw ? ["DRAW"] : [],
    }),
    jobs: () =>
      elementwiseJobs(features, (job) => ({
        frequencies: frequencies.columns,
        w: frequencies.at(job, replicas),
        t: t.columnAt(job, replicas),
        ...(draw && {
          low: times.range(graph.replicaOf(job, replicas))[0],
          high: times.range(graph.replicaOf(job, replicas))[1],
          seed: graph.seed(job, replicas),
          stream: times.stream,
        }),
      })),
  });
  return { t, features };
}

/** Gaussian Fourier features in double precision: sines, then cosines, of 2π t W. */
export function fourierFeaturesReference(t: Matrix, frequencies: Matrix): Matrix {
  const phases = mapRows(
    t,
    ([time]) => Array.from(frequencies.values, (w) => 2 * Math.PI * time! * w),
  );
  return beside(map(phases, Math.sin), map(phases, Math.cos));
}
