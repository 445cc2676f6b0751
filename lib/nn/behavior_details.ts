/**
 * Differences between the behavior models of the official implementations, for the CPU and the GPU.
 *
 * @module
 */

/** Details of a behavior model. */
export interface BehaviorDetails {
  /** Activation between layers. */
  readonly activation: "mish" | "silu";
  /** What layer normalizations add to the variance. */
  readonly epsilon: number;
}

/** The details of SRPO's code. */
export const srpoDetails: BehaviorDetails = { activation: "mish", epsilon: 1e-5 };
