/**
 * The target that kernels are rendered for: choices that depend on the adapter, not on the
 * mathematics.
 *
 * @module
 */

/**
 * How the invocations of a matrix product share loaded values: by subgroup shuffles, not at all, or
 * through workgroup memory.
 */
export const matmulVariants = ["subgroups", "registers", "tiled"] as const;

/** A matrix product variant. */
export type MatmulVariant = typeof matmulVariants[number];

/**
 * The kernel variants of a run, recorded in its configuration because they affect the last bits.
 */
export interface Target {
  /** How matrix products share loaded values. */
  readonly matmul: MatmulVariant;
  /** Number of invocations along the columns of a matrix product tile. */
  readonly matmulLanes: number;
}

/** Returns the target with the given matrix product variant. */
export function targetOf(matmul: MatmulVariant): Target {
  return { matmul, matmulLanes: matmul === "tiled" ? 16 : 8 };
}

/** The kernel variants that every adapter supports. */
export const portableTarget: Target = targetOf("registers");
