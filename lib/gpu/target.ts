/**
 * What kernels are rendered for: the choices that depend on the adapter and not on the mathematics.
 *
 * @module
 */

/** The kernel variants of a run; recorded in its configuration, since they decide the last bits. */
export interface Target {
  /** How matrix products share loads: by subgroup shuffles, or not at all. */
  readonly matmul: "subgroups" | "registers";
  /** Invocations side by side along the columns of a matrix product. */
  readonly matmulLanes: number;
}
