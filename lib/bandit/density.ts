/**
 * The log-density of a diffusion model by its probability-flow ODE (Song et al., 2021, arXiv
 * 2011.13456, Eq. 39), with the exact divergence.
 *
 * @module
 */
import { logAlphaSlope, sigma } from "../diffusion/schedule.ts";
import { sampleTimes } from "../diffusion/sampler.ts";
import type { Field } from "./field.ts";

/** A square grid of points, the centers of its cells. */
export interface Grid {
  /** Half the side of the square, which is centered at 0. */
  readonly half: number;
  /** Cells per side. */
  readonly cells: number;
}

/** Returns the points of a grid, `[cells², 2]`: x varies fastest, from low to high. */
export function gridPoints({ half, cells }: Grid): Float32Array {
  const side = 2 * half / cells;
  return Float32Array.from({ length: 2 * cells * cells }, (_, i) => {
    const cell = Math.floor(i / 2);
    return -half + side * ((i % 2 === 0 ? cell % cells : Math.floor(cell / cells)) + 0.5);
  });
}

/** Returns the area of a cell of a grid. */
export function cellArea({ half, cells }: Grid): number {
  return (2 * half / cells) ** 2;
}

/**
 * Returns the log-density of a diffusion model at points.
 *
 * The ODE dx/dt = f(t) x + g²(t)/(2σ_t) ε̂(x, t) is solved from the smallest time of the model to
 * 1, where the density is that of N(0, I). Along the way, log μ grows by the integral of the
 * divergence of the right-hand side. Heun's method; steps grow with t, as √t is divided evenly.
 *
 * @param points `[n, 2]`.
 * @param steps Solver steps, with two evaluations of the field each.
 * @param onStep Called after each step.
 * @returns `[n]`.
 */
export async function logDensity(
  field: Field,
  points: Float32Array,
  steps: number,
  onStep: (step: number) => void = () => {},
): Promise<Float64Array> {
  const count = points.length / 2;
  const x = Float64Array.from(points);
  const grown = new Float64Array(count);
  const { last, first } = sampleTimes;
  const [low, high] = [Math.sqrt(last), Math.sqrt(first)];
  const timeAt = (step: number) => (low + (high - low) * step / steps) ** 2;
  // The slope of x, and of log μ along the path.
  const slopes = async (at: Float64Array, t: number) => {
    const { noise, divergence } = await field(Float32Array.from(at), t);
    // f = (ln α)', and g² = (σ²)' − 2 f σ² = −2 f, because σ² = 1 − α².
    const f = logAlphaSlope(t);
    const weight = -f / sigma(t);
    return {
      x: at.map((value, i) => f * value + weight * noise[i]!),
      log: Float64Array.from(divergence, (value) => 2 * f + weight * value),
    };
  };
  for (let step = 0; step < steps; step++) {
    const [t, next] = [timeAt(step), timeAt(step + 1)];
    const h = next - t;
    const begin = await slopes(x, t);
    const end = await slopes(x.map((value, i) => value + h * begin.x[i]!), next);
    for (let i = 0; i < x.length; i++) x[i]! += h * (begin.x[i]! + end.x[i]!) / 2;
    for (let i = 0; i < count; i++) grown[i]! += h * (begin.log[i]! + end.log[i]!) / 2;
    onStep(step + 1);
  }
  return grown.map((log, i) =>
    log - Math.log(2 * Math.PI) - (x[2 * i]! ** 2 + x[2 * i + 1]! ** 2) / 2
  );
}
