/**
 * Checks of the forward diffusion: the noise schedule, noising and Fourier features.
 *
 * @module
 */
import { fourierFeatures, fourierFeaturesReference } from "../autodiff/ops/fourier_features.ts";
import { noising, noisingReference, scheduleReference } from "../autodiff/ops/noising.ts";
import { type Check, compared } from "./check.ts";
import { map } from "../autodiff/matrix.ts";

const sizes = [[1, 1], [7, 13], [33, 257]] as const;

/** Maps a normal number to a diffusion time between 0.001 and 0.999, most often near the ends. */
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
        reference: ({ x, t, z }) => ({ xt: [noisingReference(x[0], t[0], z[0])] }),
      })
    )
  ),
};

/** x = 1 and z = 0 give α_t, x = 0 and z = 1 give σ_t, from the smallest time to the largest. */
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
        alpha: [map(t[0], (time) => scheduleReference(time).alpha)],
        sigma: [map(t[0], (time) => scheduleReference(time).sigma)],
      }),
    })
  ),
};

// The phase reaches a hundred turns, where a float32 is accurate to 4e-5 rad.
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
        reference: ({ t, frequencies }) => ({
          y: [fourierFeaturesReference(t[0], frequencies[0])],
        }),
      })
    )
  ),
};

/** Checks of the forward diffusion. */
export const diffusionChecks: readonly Check[] = [schedule, noise, features];
