/**
 * Dropout.
 *
 * @module
 */
import dropoutSource from "../../../shaders/dropout.wgsl" with { type: "text" };
import randomSource from "../../../shaders/random.wgsl" with { type: "text" };
import stepSource from "../../../shaders/step.wgsl" with { type: "text" };
import type { Graph } from "../graph.ts";
import { type Matrix, zip } from "../matrix.ts";
import { registerOperation } from "../operations.ts";
import { Tensor } from "../tensor.ts";
import { elementwiseJobs } from "./elementwise.ts";
import { requireNoGaps, requireShape, shapeOf } from "./shapes.ts";

const dropoutName = registerOperation("dropout");

const source = randomSource + stepSource + dropoutSource;

/**
 * Selects the entries to keep: drawn anew in each step from a stream, or given as a mask of zeros
 * and ones.
 */
export type Keep = { readonly stream: number } | { readonly mask: Tensor };

/** Dropout with a rate of 0 to 1 − 2⁻³². Kept entries are multiplied by 1 / (1 − rate). */
export interface Dropout {
  /** Fraction of the entries that is dropped. */
  readonly rate: number;
  /** Which entries to keep. */
  readonly keep: Keep;
}

/** Applies dropout to x `[R, rows, columns]`. */
export function dropout(graph: Graph, x: Tensor, how: Dropout): Tensor {
  requireNoGaps(dropoutName, x);
  requireDropout(x, how);
  const y = new Tensor(shapeOf(x));
  graph.record({
    name: dropoutName,
    inputs: [x],
    reads: "mask" in how.keep ? [x, how.keep.mask] : [x],
    writes: [y],
    kernel: () => ({ name: "dropout", source, directives: "mask" in how.keep ? [] : ["DRAW"] }),
    jobs: () =>
      elementwiseJobs(y, (job) => ({
        x: x.at(job, y.replicas),
        x_stride: x.stride,
        ...keepFields(graph, how, job, y.replicas),
      })),
    gradient: (upstream) => [dropout(graph, upstream, how)],
  });
  return y;
}

/**
 * Rejects a rate outside [0, 1) or so close to 1 that a drawn mask keeps no entry, and a mask of
 * another shape than x.
 */
export function requireDropout(x: Tensor, { rate, keep }: Dropout): void {
  if (!(rate >= 0 && rate < 1) || keptWords(rate) === 0) {
    throw new Error(`dropout: the rate must be at least 0 and at most 1 - 2^-32, got ${rate}`);
  }
  if ("mask" in keep) requireShape(dropoutName, "mask", keep.mask, x);
}

/** Returns how many of the 2^32 random words keep an entry. */
function keptWords(rate: number): number {
  return Math.round((1 - rate) * 2 ** 32);
}

/** Returns the job fields that select the entries to keep. */
export function keepFields(
  graph: Graph,
  { rate, keep }: Dropout,
  job: number,
  jobs: number,
): Record<string, number> {
  const scale = 1 / (1 - rate);
  if ("mask" in keep) {
    return { scale, mask: keep.mask.at(job, jobs), mask_stride: keep.mask.stride };
  }
  return {
    scale,
    highest: keptWords(rate) - 1,
    seed: graph.seed(job, jobs),
    stream: keep.stream,
  };
}

/** Dropout of x with a given mask in double precision. */
export function dropoutReference(x: Matrix, mask: Matrix, rate: number): Matrix {
  return zip(x, mask, (value, keep) => (value * keep) / (1 - rate));
}
