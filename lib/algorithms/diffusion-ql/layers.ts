/**
 * What the networks of Diffusion-QL are made of, on a graph and on the processor.
 *
 * @module
 */

/** Names of the linear layers, as in the official state dicts. */
export const layers = {
  /** Of the perceptron that embeds a time. */
  time: ["time_mlp.1", "time_mlp.3"],
  /** Of the perceptron that predicts the noise. */
  noise: ["mid_layer.0", "mid_layer.2", "mid_layer.4", "final_layer"],
  /** Of a Q-network. */
  q: ["0", "2", "4", "6"],
} as const;

/** Numbers that stand for a time, before and after its embedding. */
export const embeddingSize = 16;

/** Longest period of the time features, over 2π. */
const longestPeriod = 10_000;

/** Sines, then cosines, of the times 0 … T − 1 at geometric frequencies, `[T, embeddingSize]`. */
export function timeFeatures(times: number): Float32Array {
  const half = embeddingSize / 2;
  return Float32Array.from({ length: times * embeddingSize }, (_, i) => {
    const column = i % embeddingSize;
    const frequency = longestPeriod ** -((column % half) / (half - 1));
    const phase = Math.floor(i / embeddingSize) * frequency;
    return column < half ? Math.sin(phase) : Math.cos(phase);
  });
}
