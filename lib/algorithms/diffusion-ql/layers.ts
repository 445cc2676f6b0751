/**
 * Layer names and time features of Diffusion-QL's networks, shared by the GPU and the CPU.
 *
 * @module
 */

/** Names of the linear layers, as in the official state dicts. */
export const layers = {
  /** The time embedding. */
  time: ["time_mlp.1", "time_mlp.3"],
  /** The noise prediction. */
  noise: ["mid_layer.0", "mid_layer.2", "mid_layer.4", "final_layer"],
  /** A Q-network. */
  q: ["0", "2", "4", "6"],
} as const;

/** Number of time features, and of outputs of the time embedding. */
export const embeddingSize = 16;

/** Longest period of the time features, divided by 2π. */
const longestPeriod = 10_000;

/**
 * Returns sines, then cosines, of the times 0 … T − 1 at geometrically spaced frequencies,
 * `[T, embeddingSize]`.
 */
export function timeFeatures(times: number): Float32Array {
  const half = embeddingSize / 2;
  return Float32Array.from({ length: times * embeddingSize }, (_, i) => {
    const column = i % embeddingSize;
    const frequency = longestPeriod ** -((column % half) / (half - 1));
    const phase = Math.floor(i / embeddingSize) * frequency;
    return column < half ? Math.sin(phase) : Math.cos(phase);
  });
}
