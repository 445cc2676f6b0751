import { UserError } from "../errors.ts";
import { cos, log, sin } from "./elementary.ts";

/**
 * A seeded random number generator for environments and policies: xoshiro128++ (Blackman and Vigna,
 * 2021), seeded through SplitMix32. The same seed gives the same bits on every machine and in every
 * browser.
 */
export class RandomStream {
  #a: number;
  #b: number;
  #c: number;
  #d: number;
  #spareNormal: number | undefined;

  /**
   * Creates the stream of a seed.
   *
   * @param seed An integer from 0 to 2^53 − 1.
   * @throws {UserError} The seed is out of range or not an integer.
   */
  constructor(seed: number) {
    if (!Number.isSafeInteger(seed) || seed < 0) {
      throw new UserError(`a seed must be a whole number from 0 to 2^53 - 1, got ${seed}`);
    }
    // The low and high words are mixed into one word, so there are 2^32 streams.
    let counter = splitMix(seed >>> 0) ^ Math.floor(seed / 2 ** 32);
    const next = () => splitMix(counter = (counter + 0x9e3779b9) | 0);
    [this.#a, this.#b, this.#c, this.#d] = [next(), next(), next(), next()];
  }

  #word(): number {
    const result = (rotateLeft(this.#a + this.#d, 7) + this.#a) >>> 0;
    const shifted = this.#b << 9;
    this.#c ^= this.#a;
    this.#d ^= this.#b;
    this.#b ^= this.#c;
    this.#a ^= this.#d;
    this.#c ^= shifted;
    this.#d = rotateLeft(this.#d, 11);
    return result;
  }

  /** Draws from the uniform distribution on [low, high), with 53 random bits. */
  uniform(low: number, high: number): number {
    const bits = (this.#word() >>> 5) * 2 ** 26 + (this.#word() >>> 6);
    return low + (high - low) * (bits / 2 ** 53);
  }

  /** Draws from the standard normal distribution (Box-Muller). */
  normal(): number {
    if (this.#spareNormal !== undefined) {
      const spare = this.#spareNormal;
      this.#spareNormal = undefined;
      return spare;
    }
    const radius = Math.sqrt(-2 * log(1 - this.uniform(0, 1)));
    const angle = this.uniform(0, 2 * Math.PI);
    this.#spareNormal = radius * sin(angle);
    return radius * cos(angle);
  }

  /** Returns one of `choices`, uniformly at random. */
  choice<T>(choices: readonly T[]): T {
    const chosen = choices[Math.floor(this.uniform(0, choices.length))];
    if (chosen === undefined) throw new RangeError("RandomStream.choice: nothing to choose from");
    return chosen;
  }
}

const rotateLeft = (word: number, bits: number): number => (word << bits) | (word >>> (32 - bits));

/** SplitMix32's finalizer. */
function splitMix(word: number): number {
  let z = word;
  z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
  z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
  return (z ^ (z >>> 15)) >>> 0;
}
