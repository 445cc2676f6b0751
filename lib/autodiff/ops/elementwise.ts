/**
 * Shared code of the elementwise operations, which use one invocation per vec4 of the result.
 *
 * @module
 */
import type { Job } from "../../gpu/kernel.ts";
import type { Tensor } from "../tensor.ts";

/** Invocations per workgroup, as declared in the elementwise shaders. */
export const workgroup = 64;

/** Returns one job per replica of `out`, with the fields that every elementwise shader has. */
export function elementwiseJobs(
  out: Tensor,
  fields: (job: number) => Record<string, number>,
): Job[] {
  return Array.from({ length: out.replicas }, (_, job) => ({
    fields: {
      rows: out.rows,
      width: out.width / 4,
      out: out.at(job, out.replicas),
      out_stride: out.stride,
      ...fields(job),
    },
    tiles: Math.ceil((out.rows * out.width) / 4 / workgroup),
  }));
}

/**
 * Rejects a concatenation with padding between its parts, for operations that distinguish columns
 * from padding only by their index.
 */
export function requireNoGaps(operation: string, x: Tensor): void {
  if (x.gaps) {
    throw new Error(
      `${operation}: ${x} is a concatenation with padding between its parts; apply it to the parts`,
    );
  }
}

/** Rejects a parameter, for operations that only read activations. */
export function requireActivation(operation: string, x: Tensor): void {
  if (x.storage.arena === "parameters") {
    throw new Error(`${operation}: ${x} is a parameter; broadcast it first`);
  }
}

/** Returns the shape options for a new tensor with the shape of `tensor`. */
export function shapeOf(tensor: Tensor): {
  replicas: number;
  rows: number;
  columns: number;
  width: number;
  gaps: boolean;
} {
  const { replicas, rows, columns, width, gaps } = tensor;
  return { replicas, rows, columns, width, gaps };
}

/**
 * Returns how many of a workgroup's 64 invocations share a row in kernels that reduce rows: one per
 * vec4, up to eight, and a power of two.
 */
export function sharesOf(x: Tensor): number {
  return Math.min(8, 2 ** Math.ceil(Math.log2(x.width / 4)));
}
