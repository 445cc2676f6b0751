/**
 * Checks of the forward diffusion: the noise schedule, noising, Fourier features.
 *
 * @module
 */
import { fourierFeatures, noising } from "../autodiff/ops/diffusion.ts";
import { type Check, compared } from "./check.ts";
import { beside, map, mapRows, type Matrix } from "../autodiff/matrix.ts";

const sizes = [[1, 1], [7, 13], [33, 257]] as const;

/** α_t and σ_t of the variance-preserving schedule, β from 0.1 to 20. */
export function scheduleAt(t: number): { alpha: number; sigma: number } {
  const logAlpha = (-t * t * (20 - 0.1)) / 4 - (t * 0.1) / 2;
  return { alpha: Math.exp(logAlpha), sigma: Math.sqrt(-Math.expm1(2 * logAlpha)) };
}

/** α_t x + σ_t z with a time for each row. */
export function noised(x: Matrix, t: Matrix, z: Matrix): Matrix {
  return mapRows(x, (row, r) => {
    const { alpha, sigma } = scheduleAt(t.values[r]!);
    return Array.from(row, (value, i) => alpha * value + sigma * z.values[r * x.columns + i]!);
  });
}

/** Sines, then cosines, of 2π t W. */
export function fourier(t: Matrix, frequencies: Matrix): Matrix {
  const phases = mapRows(
    t,
    ([time]) => Array.from(frequencies.values, (w) => 2 * Math.PI * time! * w),
  );
  return beside(map(phases, Math.sin), map(phases, Math.cos));
}

/** A normal number to a diffusion time between 0.001 and 0.999, most often near the ends. */
export function timeFrom(z: number): number {
  return 0.5 - 0.499 * Math.cos(2 * z);
}

const noise: Check = {
  name: "noising",
  limit: 5e-6,
  cases: sizes.flatMap(([rows, columns]) =>
    [1, 3].map((replicas) =>
      compared({
        shape: `${rows}×${columns}`,
        replicas,
        inputs: {
          x: { rows, columns, wanted: true },
          t: { rows, columns: 1, from: timeFrom },
          z: { rows, columns },
        },
        record: (graph, { x, t, z }) => ({
          results: { xt: noising(graph, x, t, { given: z }).xt },
          objective: "xt",
        }),
        reference: ({ x, t, z }) => ({ xt: [noised(x[0], t[0], z[0])] }),
      })
    )
  ),
};

/** x = 1, z = 0 shows α_t alone, x = 0, z = 1 shows σ_t; from the smallest time to the largest. */
const schedule: Check = {
  name: "noise schedule",
  limit: 2e-6,
  cases: [1, 3].map((replicas) =>
    compared({
      shape: "257 times",
      replicas,
      inputs: {
        t: { rows: 257, columns: 1, from: (z) => Math.min(1, 1e-3 * Math.exp(7 * Math.abs(z))) },
        zero: { rows: 257, columns: 1, from: () => 0 },
        one: { rows: 257, columns: 1, from: () => 1 },
      },
      record: (graph, { t, zero, one }) => ({
        results: {
          alpha: noising(graph, one, t, { given: zero }).xt,
          sigma: noising(graph, zero, t, { given: one }).xt,
        },
      }),
      reference: ({ t }) => ({
        alpha: [map(t[0], (time) => scheduleAt(time).alpha)],
        sigma: [map(t[0], (time) => scheduleAt(time).sigma)],
      }),
    })
  ),
};

// The phase reaches a hundred turns; a float32's share of that is 4e-5 rad.
const features: Check = {
  name: "fourier features",
  limit: 1e-4,
  cases: [[1, 1], [7, 13], [33, 32], [128, 257]].flatMap(([rows, columns]) =>
    [1, 3].map((replicas) =>
      compared({
        shape: `${rows}×${columns}`,
        replicas,
        inputs: {
          t: { rows: rows!, columns: 1, from: timeFrom },
          frequencies: { rows: 1, columns: columns!, parameter: true, from: (z) => 30 * z },
        },
        record: (graph, { t, frequencies }) => ({
          results: { y: fourierFeatures(graph, { given: t }, frequencies).features },
        }),
        reference: ({ t, frequencies }) => ({ y: [fourier(t[0], frequencies[0])] }),
      })
    )
  ),
};

/** Checks of the forward diffusion. */
export const diffusionChecks: readonly Check[] = [schedule, noise, features];
