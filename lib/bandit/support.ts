/**
 * Whether actions lie in the support of the data, judged by points that no model has seen.
 *
 * @module
 */
import { drawToy, type ToyName } from "../data/toy.ts";

/** Largest seed of an experiment. The next two seeds draw the points of the support. */
export const maxBanditSeed = 2 ** 31 - 3;

/** Share of fresh points of the data that count as in the support. */
const covered = 0.95;

/** The support of a density, estimated from two independent draws of points `[n, 2]`. */
export class Support {
  /**
   * Radius: the distance from a point of the data to the nearest reference point is smaller in 95 %
   * of the cases.
   */
  readonly radius: number;
  readonly #reference: Float32Array;

  /** Creates the support from reference points, and fresh points that set the radius. */
  constructor(reference: Float32Array, fresh: Float32Array) {
    this.#reference = reference;
    const distances = Array.from(
      { length: fresh.length / 2 },
      (_, row) => this.distance(fresh[2 * row]!, fresh[2 * row + 1]!),
    ).sort((a, b) => a - b);
    this.radius = distances[Math.floor(covered * distances.length)]!;
  }

  /** Returns the distance to the nearest reference point. */
  distance(x: number, y: number): number {
    let smallest = Infinity;
    for (let i = 0; i < this.#reference.length; i += 2) {
      const square = (this.#reference[i]! - x) ** 2 + (this.#reference[i + 1]! - y) ** 2;
      if (square < smallest) smallest = square;
    }
    return Math.sqrt(smallest);
  }

  /** Whether a point lies within the radius of a reference point. */
  contains(x: number, y: number): boolean {
    return this.distance(x, y) <= this.radius;
  }
}

/** Returns the support of a density for an experiment with a seed. */
export function supportOf(density: ToyName, seed: number): Support {
  return new Support(drawToy(density, 10_000, seed + 1), drawToy(density, 2000, seed + 2));
}
