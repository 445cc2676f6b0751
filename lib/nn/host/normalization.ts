/**
 * Normalisation of observations, as training with running statistics leaves it to a policy.
 *
 * @module
 */

/** clip((o − mean) / √(variance + ε)), entry by entry, in double precision. */
export class ObservationNormalization {
  /** Largest absolute value that is passed on; infinity where nothing is clipped. */
  readonly clip: number;
  readonly #mean: Float64Array;
  readonly #scale: Float64Array;

  /**
   * Takes the statistics.
   *
   * @param mean One entry for each of an observation's.
   * @param variance As many; not negative.
   */
  constructor(mean: Float64Array, variance: Float64Array, epsilon: number, clip: number) {
    this.#mean = mean;
    this.#scale = variance.map((value) => Math.sqrt(value + epsilon));
    this.clip = clip;
  }

  /**
   * Normalises rows of observations.
   *
   * @param observations `[rows, entries]`, row-major.
   * @param output Takes as many.
   */
  apply(observations: Float64Array, output: Float32Array): void {
    const { clip } = this;
    const size = this.#mean.length;
    for (let start = 0; start < observations.length; start += size) {
      for (let i = 0; i < size; i++) {
        const value = (observations[start + i]! - this.#mean[i]!) / this.#scale[i]!;
        output[start + i] = Math.max(-clip, Math.min(clip, value));
      }
    }
  }
}
