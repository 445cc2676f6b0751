/**
 * Counter-based random numbers on the host: the same function of (seed, stream, step, index) as
 * `shaders/random.wgsl`. Used to initialize networks and by tests. Every consumer has its own
 * stream or steps of one, so adding one does not change the numbers of another. Streams 1 to 15
 * initialize networks (`lib/nn/initialization.ts`); each algorithm numbers its own streams from 16.
 *
 * @module
 */

function rotate(x: number, by: number): number {
  return ((x << by) | (x >>> (32 - by))) >>> 0;
}

const rotations = [[13, 15, 26, 6], [17, 29, 16, 24]] as const;

/**
 * Threefry-2x32 with 20 rounds (Salmon et al., 2011): returns two random words for a key and a
 * counter.
 */
export function threefry(
  key: readonly [number, number],
  counter: readonly [number, number],
): [number, number] {
  const schedule = [key[0] >>> 0, key[1] >>> 0, (0x1BD11BDA ^ key[0] ^ key[1]) >>> 0];
  let a = (counter[0] + schedule[0]!) >>> 0;
  let b = (counter[1] + schedule[1]!) >>> 0;
  for (let group = 0; group < 5; group++) {
    for (const rotation of rotations[group % 2]!) {
      a = (a + b) >>> 0;
      b = (rotate(b, rotation) ^ a) >>> 0;
    }
    a = (a + schedule[(group + 1) % 3]!) >>> 0;
    b = (b + schedule[(group + 2) % 3]! + group + 1) >>> 0;
  }
  return [a, b];
}

/** Returns the random words `4 index … 4 index + 3` of a stream at a step. */
export function randomWords(seed: number, stream: number, step: number, index: number): number[] {
  return [
    ...threefry([seed, stream], [2 * index, step]),
    ...threefry([seed, stream], [2 * index + 1, step]),
  ];
}

/** Returns `count` numbers uniform in [0, 1), multiples of 2⁻²⁴. */
export function uniform(seed: number, stream: number, step: number, count: number): Float64Array {
  return draw(seed, stream, step, count, (words) => words.map((word) => (word >>> 8) * 2 ** -24));
}

/** Returns `count` standard normal numbers (Box–Muller). */
export function normal(seed: number, stream: number, step: number, count: number): Float64Array {
  return draw(seed, stream, step, count, (words) => {
    const [a, b] = [words[0]!, words[1]!].map((word) =>
      Math.sqrt(-2 * Math.log((word + 0.5) * 2 ** -32))
    ) as [number, number];
    const [p, q] = [words[2]!, words[3]!].map((word) => 2 * Math.PI * (word >>> 8) * 2 ** -24) as [
      number,
      number,
    ];
    return [a * Math.cos(p), b * Math.cos(q), a * Math.sin(p), b * Math.sin(q)];
  });
}

function draw(
  seed: number,
  stream: number,
  step: number,
  count: number,
  four: (words: number[]) => number[],
): Float64Array {
  const numbers = new Float64Array(Math.ceil(count / 4) * 4);
  for (let i = 0; i < numbers.length; i += 4) {
    numbers.set(four(randomWords(seed, stream, step, i / 4)), i);
  }
  return numbers.subarray(0, count);
}
