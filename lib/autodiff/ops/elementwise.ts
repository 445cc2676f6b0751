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
 * Returns how many of a workgroup's 64 invocations share a row in kernels that reduce rows: one per
 * vec4, up to eight, and a power of two.
 */
export function sharesOf(x: Tensor): number {
  return Math.min(8, 2 ** Math.ceil(Math.log2(x.width / 4)));
}
