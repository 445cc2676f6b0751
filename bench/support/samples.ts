/**
 * Numbers that every contestant makes alike, in whatever language it is written: weights and batches
 * from which all of them must compute the same losses.
 *
 * @module
 */

/** `count` numbers in [−1, 1), a hash of (`seed`, place); `samples` of `pytorch_stages.py` agrees. */
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

/** `count` zeros and ones, one with probability `share`. */
export function coins(seed: number, count: number, share: number): Float32Array<ArrayBuffer> {
  return samples(seed, count).map((x) => (x + 1) / 2 < share ? 1 : 0);
}

/**
 * Parameters of linear layers, weight `[outputs, inputs]` and bias in turn, uniform in ±1/√inputs.
 *
 * @param sizes Inputs of the first layer, then outputs of each.
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
  /** And one more for each further block. */
  keep: 8,
  mlp: 100,
  /** And 100 more for the second. */
  q: 200,
  v: 400,
  policy: 500,
  behavior: 600,
  frequencies: 700,
} as const;

/** Sizes of the hopper's networks and batches, as the paper trains them. */
export const hopper = { observations: 11, actions: 3 } as const;

/** Rows of the synthetic data set that the stages are timed on. */
export const dataRows = 100_000;
