/**
 * What the elementwise operations share: one invocation for each vec4 of the result.
 *
 * @module
 */
import type { Job } from "../../gpu/kernel.ts";
import type { Graph } from "../graph.ts";
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
export function requireNoGaps(graph: Graph, operation: string, x: Tensor): void {
  if (hasGaps(graph, x)) {
    throw new Error(
      `${operation}: ${x} is a concatenation with padding between its parts; apply it to the parts`,
    );
  }
}

function hasGaps(graph: Graph, x: Tensor): boolean {
  const producer = graph.producer(x);
  if (producer?.name !== "concatenate") return false;
  const parts = producer.inputs;
  return parts.some((part, i) =>
    hasGaps(graph, part) || (i < parts.length - 1 && part.columns !== part.width)
  );
}

/** A new tensor of the same shape. */
export function shapeOf(tensor: Tensor): {
  replicas: number;
  rows: number;
  columns: number;
  width: number;
} {
  const { replicas, rows, columns, width } = tensor;
  return { replicas, rows, columns, width };
}
