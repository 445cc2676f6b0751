/**
 * Constants shared by IDQL's training graph and its evaluation on the CPU and the GPU.
 *
 * @module
 */
import type { BehaviorDetails } from "../../nn/behavior_details.ts";

/** Added to the variance in layer normalization; Flax's default. */
export const layerNormEpsilon = 1e-6;

/** The behavior model's activation and layer normalization. */
export const behaviorDetails: BehaviorDetails = { activation: "silu", epsilon: layerNormEpsilon };
