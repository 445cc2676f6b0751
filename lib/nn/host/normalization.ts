/**
 * Normalization of observations with the running statistics of a policy's training.
 *
 * @module
 */

/** clip((o − mean) / √(variance + ε)), entry by entry, in double precision. */
export class ObservationNormalization {
  /** Largest absolute value after normalization; infinity for no clipping. */
  readonly clip: number;
  /** Mean of each observation entry. */
  readonly mean: Float64Array;
  /** √(variance + ε) of each observation entry. */
  readonly scale: Float64Array;

  /**
   * Takes the statistics.
   *
   * @param mean Mean of each observation entry.
   * @param variance Variance of each observation entry, 0 or more.
   */
  constructor(mean: Float64Array, variance: Float64Array, epsilon: number, clip: number) {
    this.mean = mean;
    this.scale = variance.map((value) => Math.sqrt(value + epsilon));
    this.clip = clip;
  }

  /**
   * Normalizes rows of observations.
   *
   * @param observations `[rows, entries]`, row-major.
   * @param output Receives `[rows, entries]`.
   */
  apply(observations: Float64Array, output: Float32Array): void {
    const { clip } = this;
    const size = this.mean.length;
    for (let start = 0; start < observations.length; start += size) {
      for (let i = 0; i < size; i++) {
        const value = (observations[start + i]! - this.mean[i]!) / this.scale[i]!;
        output[start + i] = Math.max(-clip, Math.min(clip, value));
      }
    }
  }
}
