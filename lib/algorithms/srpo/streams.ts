/**
 * Random streams of the three stages. Their numbers are part of what a seed means: changing one changes
 * every result.
 *
 * @module
 */

/** Streams by what is drawn from them. */
export const streams = {
  criticBatch: 16,
  behaviorBatch: 17,
  behaviorTime: 18,
  behaviorNoise: 19,
  policyBatch: 20,
  policyTime: 21,
  policyNoise: 22,
  /** And one for each further residual block. */
  dropout: 32,
} as const;
