/**
 * What the elementwise operations share: one invocation for each vec4 of the result.
 *
 * @module
 */
import type { Job } from "../../gpu/kernel.ts";
import type { Tensor } from "../tensor.ts";

/** Invocations of a workgroup, as the elementwise shaders declare. */
export const workgroup = 64;

/** One job for each replica of `out`, with the fields every elementwise shader has. */
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
 * Refuses a concatenation whose parts have padding between them, for operations that tell columns from
 * padding by their number alone.
 */
export function requireNoGaps(operation: string, x: Tensor): void {
  if (x.gaps) {
    throw new Error(
      `${operation}: ${x} is a concatenation with padding between its parts; apply it to the parts`,
    );
  }
}

/** Refuses a parameter, for operations that read activations alone. */
export function requireActivation(operation: string, x: Tensor): void {
  if (x.storage.arena === "parameters") {
    throw new Error(`${operation}: ${x} is a parameter; apply it to a broadcast of it`);
  }
}

/** A new tensor of the same shape. */
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
