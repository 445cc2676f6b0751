/**
 * Random streams of the three stages. Changing a number changes all results of a seed.
 *
 * @module
 */

/** Stream numbers by use. */
export const streams = {
  criticBatch: 16,
  behaviorBatch: 17,
  behaviorTime: 18,
  behaviorNoise: 19,
  policyBatch: 20,
  policyTime: 21,
  policyNoise: 22,
  /** Stream of the first residual block. The following blocks use the next numbers. */
  dropout: 32,
} as const;
