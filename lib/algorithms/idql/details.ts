/**
 * What IDQL's networks have in common with those that act, on the processor and on the GPU.
 *
 * @module
 */
import type { BehaviorDetails } from "../../nn/behavior_details.ts";

/** What layer normalisations add to the variance: Flax's default. */
export const layerNormEpsilon = 1e-6;

/** The behavior model's activation and layer normalisation. */
export const behaviorDetails: BehaviorDetails = { activation: "silu", epsilon: layerNormEpsilon };
