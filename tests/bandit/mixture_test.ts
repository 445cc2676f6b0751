/** The exact density, Remark 2 and Proposition 1, in double precision. */
import { assert, assertAlmostEquals, assertGreater, assertLess } from "@std/assert";
import { scoreDirectionReference } from "../../lib/algorithms/srpo/score_regularized_loss.ts";
import { matrix } from "../../lib/autodiff/matrix.ts";
import { normal, uniform } from "../../lib/autodiff/random.ts";
import { gridPoints } from "../../lib/bandit/density.ts";
import { Mixture } from "./mixture.ts";
import { klDivergence } from "./densities.ts";
import { eightGaussians } from "../../lib/data/toy.ts";
import { alpha, sigma } from "../../lib/diffusion/schedule.ts";

const mixture = new Mixture(eightGaussians);
const grid = { half: 6, cells: 60 };
const points = gridPoints(grid);
const at = (of: (x: number, y: number) => number) =>
  Float64Array.from(
    { length: points.length / 2 },
    (_, i) => of(points[2 * i]!, points[2 * i + 1]!),
  );

Deno.test("Mixture: its noise prediction is −σ ∇ log μ_t, which integrates to 1", () => {
  const h = 1e-5;
  for (const t of [0.02, 0.3, 0.9]) {
    for (const [x, y] of [[2.5, 0.3], [-1, 3.2], [0.1, 0]] as const) {
      const noise = mixture.noise(x, y, t);
      const slope = [
        (mixture.logDensity(x + h, y, t) - mixture.logDensity(x - h, y, t)) / (2 * h),
        (mixture.logDensity(x, y + h, t) - mixture.logDensity(x, y - h, t)) / (2 * h),
      ];
      noise.forEach((each, axis) => assertAlmostEquals(each, -sigma(t) * slope[axis]!, 1e-6));
    }
    const integral = at((x, y) => mixture.logDensity(x, y, t)).reduce(
      (sum, log) => sum + Math.exp(log) * 0.04,
      0,
    );
    assertAlmostEquals(integral, 1, 1e-3);
  }
});

/** Returns mean and variance of the first entry of ω(t) (ε̂ − ε), or of ω(t) ε̂, over draws. */
function direction(x: number, y: number, times: [number, number], subtractBaseline: boolean) {
  const count = 8000;
  const t = uniform(1, 16, 0, count).map((u) => times[0] + (times[1] - times[0]) * u);
  const z = normal(1, 17, 0, 2 * count);
  const noiseHat = new Float64Array(2 * count);
  for (let i = 0; i < count; i++) {
    const [a, s] = [alpha(t[i]!), sigma(t[i]!)];
    noiseHat.set(mixture.noise(a * x + s * z[2 * i]!, a * y + s * z[2 * i + 1]!, t[i]!), 2 * i);
  }
  const { values } = scoreDirectionReference({
    noiseHat: matrix(count, 2, noiseHat),
    z: matrix(count, 2, z),
    t: matrix(count, 1, t),
    qGradient: matrix(count, 2, new Float64Array(2 * count).fill(1)),
  }, { beta: 0, weighting: "sigma2", subtractBaseline, normalizeQ: false });
  const firsts = values.filter((_, i) => i % 2 === 0);
  const mean = firsts.reduce((a, b) => a + b, 0) / count;
  const variance = firsts.reduce((sum, value) => sum + (value - mean) ** 2, 0) / count;
  return { mean, variance, error: Math.sqrt(variance / count) };
}

Deno.test("Remark 2: subtracting ε keeps the mean gradient and lowers its variance", () => {
  for (const [x, y] of [[2.83, 0], [2.4, 1.3], [0.5, 0.5], [4, 4]] as const) {
    const with_ = direction(x, y, [0.02, 0.98], true);
    const without = direction(x, y, [0.02, 0.98], false);
    assertAlmostEquals(with_.mean, without.mean, 5 * (with_.error + without.error));
    assertLess(with_.variance, without.variance / 3);
  }
});

Deno.test("Remark 2: at a single small time, subtracting ε raises the variance", () => {
  const with_ = direction(2.83, 0, [0.02, 0.02], true);
  const without = direction(2.83, 0, [0.02, 0.02], false);
  assertAlmostEquals(with_.mean, without.mean, 5 * (with_.error + without.error));
  assertGreater(with_.variance, without.variance);
});

Deno.test("Proposition 1: at every time the divergence is least, and zero, where π is μ", () => {
  for (const t of [0, 0.1, 0.3, 0.6]) {
    const logMu = at((x, y) => mixture.logDensity(x, y, t));
    for (const spread of [0.85, 1, 1.15]) {
      for (const width of [0.7, 1, 1.4]) {
        const policy = new Mixture({
          centers: eightGaussians.centers.map(([x, y]) => [spread * x, spread * y] as const),
          deviation: width * eightGaussians.deviation,
        });
        const divergence = klDivergence(
          at((x, y) => policy.logDensity(x, y, t)),
          logMu,
          grid,
        );
        if (spread === 1 && width === 1) assert(divergence === 0);
        // The error of the quadrature is about 1e-7 at t = 0, and falls to 1e-9 at t = 0.6.
        else assertGreater(divergence, t === 0 ? 1e-5 : 1e-6);
      }
    }
  }
});
