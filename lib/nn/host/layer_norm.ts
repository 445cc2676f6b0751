/**
 * Layer normalization on the CPU.
 *
 * @module
 */

/**
 * Normalizes each row to mean 0 and variance 1 (biased), then multiplies by the gain and adds the
 * shift.
 *
 * @param input `[rows, columns]`.
 * @param epsilon What is added to the variance.
 * @param output Receives `[rows, columns]`.
 */
export function layerNorm(
  input: Float32Array,
  { gain, shift }: { readonly gain: Float32Array; readonly shift: Float32Array },
  epsilon: number,
  rows: number,
  output: Float32Array,
): void {
  const width = gain.length;
  for (let row = 0; row < rows; row++) {
    const begin = row * width;
    let sum = 0;
    for (let i = 0; i < width; i++) sum += input[begin + i]!;
    const mean = sum / width;
    let squares = 0;
    for (let i = 0; i < width; i++) squares += (input[begin + i]! - mean) ** 2;
    const scale = 1 / Math.sqrt(squares / width + epsilon);
    for (let i = 0; i < width; i++) {
      output[begin + i] = (input[begin + i]! - mean) * scale * gain[i]! + shift[i]!;
    }
  }
}
