/**
 * The two-dimensional densities of the paper's bandit experiments (Figures 3 and 9). The formulas
 * and constants are those of `inf_train_gen` in the official code (`dataset.py` of thu-ml/SRPO at
 * commit 0b427a5); the random numbers are not.
 *
 * @module
 */
import { normal, uniform } from "../autodiff/random.ts";

/** Names of the densities. */
export const toyNames = [
  "8gaussians",
  "swissroll",
  "checkerboard",
  "2spirals",
  "rings",
  "moons",
] as const;

/** One of {@linkcode toyNames}. */
export type ToyName = (typeof toyNames)[number];

/** Centers and standard deviation of the eight Gaussians, all of equal weight. */
export const eightGaussians = {
  centers: Array.from({ length: 8 }, (_, i): readonly [number, number] => {
    const [radius, angle] = [4 / Math.SQRT2, (i * Math.PI) / 4];
    return [radius * Math.cos(angle), radius * Math.sin(angle)];
  }),
  deviation: 0.5 / Math.SQRT2,
} as const;

/** Independent random numbers of one point. */
interface Numbers {
  /** Three numbers uniform in [0, 1). */
  readonly u: readonly [number, number, number];
  /** Two standard normal numbers. */
  readonly n: readonly [number, number];
}

const { PI, cos, sin, sqrt, floor } = Math;

const points: Readonly<Record<ToyName, (numbers: Numbers) => readonly [number, number]>> = {
  "8gaussians": ({ u, n }) => {
    const [x, y] = eightGaussians.centers[floor(8 * u[0])]!;
    return [x + eightGaussians.deviation * n[0], y + eightGaussians.deviation * n[1]];
  },
  swissroll: ({ u, n }) => {
    const turn = 1.5 * PI * (1 + 2 * u[0]);
    return [(turn * cos(turn) + n[0]) / 5, (turn * sin(turn) + n[1]) / 5];
  },
  checkerboard: ({ u }) => {
    const x = 4 * u[0] - 2;
    const column = floor(x) & 1;
    return [2 * x, 2 * (u[1] - 2 * floor(2 * u[2]) + column)];
  },
  "2spirals": ({ u, n }) => {
    // The sign takes one half of the first number, and the turn is drawn by the other half.
    const sign = u[0] < 0.5 ? 1 : -1;
    const turn = 3 * PI * sqrt((2 * u[0]) % 1);
    return [
      sign * (-cos(turn) * turn + 0.5 * u[1]) / 3 + 0.1 * n[0],
      sign * (sin(turn) * turn + 0.5 * u[2]) / 3 + 0.1 * n[1],
    ];
  },
  rings: ({ u, n }) => {
    const radius = 0.75 * (1 + floor(4 * u[0]));
    const angle = 2 * PI * u[1];
    return [radius * cos(angle) + 0.08 * n[0], radius * sin(angle) + 0.08 * n[1]];
  },
  moons: ({ u, n }) => {
    const angle = PI * u[1];
    const [x, y] = u[0] < 0.5 ? [cos(angle), sin(angle)] : [1 - cos(angle), 0.5 - sin(angle)];
    return [2 * (x + 0.1 * n[0]) - 1, 2 * (y + 0.1 * n[1]) - 0.2];
  },
};

/**
 * The random stream of the points. Each density uses two of its first 12 steps, which initialize
 * network 0. With the same seed, networks of these data need other numbers.
 */
const stream = 1;

/**
 * Draws points of a density, independent of each other.
 *
 * @param seed Points with different seeds are independent.
 * @returns `[count, 2]`, row-major.
 */
export function drawToy(name: ToyName, count: number, seed: number): Float32Array {
  const place = toyNames.indexOf(name);
  const us = uniform(seed, stream, 2 * place, 3 * count);
  const ns = normal(seed, stream, 2 * place + 1, 2 * count);
  const drawn = new Float32Array(2 * count);
  for (let i = 0; i < count; i++) {
    const point = points[name]({
      u: [us[3 * i]!, us[3 * i + 1]!, us[3 * i + 2]!],
      n: [ns[2 * i]!, ns[2 * i + 1]!],
    });
    drawn.set(point, 2 * i);
  }
  return drawn;
}
