/**
 * Sample weights and batches that every contestant generates identically, in any language. All
 * contestants must compute the same losses from them.
 *
 * @module
 */

/** Returns `count` numbers in [−1, 1), hashed from seed and index, as in `pytorch_stages.py`. */
export function samples(seed: number, count: number): Float32Array<ArrayBuffer> {
  const numbers = new Float32Array(count);
  for (let i = 0; i < count; i++) {
    let x = (i + Math.imul(seed, 0x9E3779B9)) | 0;
    x = Math.imul(x ^ (x >>> 16), 0x21F0AAAD);
    x = Math.imul(x ^ (x >>> 15), 0x735A2D97);
    x = (x ^ (x >>> 15)) >>> 0;
    numbers[i] = (x >>> 8) / 2 ** 23 - 1;
  }
  return numbers;
}

/** Returns `count` zeros and ones, where one has probability `share`. */
export function coins(seed: number, count: number, share: number): Float32Array<ArrayBuffer> {
  return samples(seed, count).map((x) => (x + 1) / 2 < share ? 1 : 0);
}

/**
 * Returns weight `[outputs, inputs]` and bias of each linear layer, uniform in ±1/√inputs.
 *
 * @param sizes Inputs of the first layer, then the outputs of each layer.
 */
export function layers(seed: number, sizes: readonly number[]): Float32Array<ArrayBuffer>[] {
  return sizes.slice(1).flatMap((outputs, layer) => {
    const inputs = sizes[layer]!;
    return [outputs * inputs, outputs].map((count, i) =>
      samples(seed + 2 * layer + i, count).map((x) => x / Math.sqrt(inputs))
    );
  });
}

/** Seeds of the sample weights and batches, the same in every contestant. */
export const sampleSeeds = {
  state: 1,
  action: 2,
  reward: 3,
  terminal: 4,
  nextState: 5,
  time: 6,
  noise: 7,
  /** Plus the block index. */
  keep: 8,
  mlp: 100,
  /** Plus 100 for the second head. */
  q: 200,
  v: 400,
  policy: 500,
  behavior: 600,
  frequencies: 700,
} as const;

/** Observation and action sizes of hopper. */
export const hopper = { observations: 11, actions: 3 } as const;

/** Rows of the synthetic data set that is used to time the stages. */
export const dataRows = 100_000;
