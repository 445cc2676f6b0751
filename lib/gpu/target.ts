/**
 * What kernels are rendered for: the choices that depend on the adapter and not on the mathematics.
 *
 * @module
 */

/**
 * How matrix products share what they load: by shuffles within a subgroup, not at all, or through
 * workgroup memory.
 */
export const matmulVariants = ["subgroups", "registers", "tiled"] as const;

/** A variant of the matrix product. */
export type MatmulVariant = typeof matmulVariants[number];

/** The kernel variants of a run; recorded in its configuration, since they decide the last bits. */
export interface Target {
  /** How matrix products share what they load. */
  readonly matmul: MatmulVariant;
  /** Invocations side by side along the columns of a matrix product. */
  readonly matmulLanes: number;
}

/** The target with a variant of the matrix product. */
export function targetOf(matmul: MatmulVariant): Target {
  return { matmul, matmulLanes: matmul === "tiled" ? 16 : 8 };
}

/** The kernel variants that every adapter computes. */
export const portableTarget: Target = targetOf("registers");
