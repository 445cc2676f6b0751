import { assertAlmostEquals, assertGreater } from "@std/assert";
import { gridPoints } from "../../lib/bandit/density.ts";
import {
  type Gaussian,
  regressionWeights,
  reverseKlPoint,
  weightedGaussian,
} from "../../lib/bandit/gaussian.ts";
import { interpolated, logOptimum, qOf } from "../../lib/bandit/optimum.ts";
import { drawToy, eightGaussians } from "../../lib/data/toy.ts";
import { gaussianLogDensity, klDivergence } from "./densities.ts";
import { Mixture } from "./mixture.ts";

const mixture = new Mixture(eightGaussians);
const grid = { half: 5, cells: 100 };
const points = gridPoints(grid);
const each = (of: (x: number, y: number) => number) =>
  Float64Array.from(
    { length: points.length / 2 },
    (_, i) => of(points[2 * i]!, points[2 * i + 1]!),
  );
const logMu = each((x, y) => mixture.logDensity(x, y));
const target = [4 / 3, -8 / 3] as const;
const beta = 0.4;

/**
 * Mean and covariance of Eq. 1's optimum in closed form. The product of a Gaussian with
 * exp(−β |a − target|²) is a Gaussian again: its precision is 1/s² + 2β, and its weight that of the
 * distance from the center to the target, whose variance is s² + 1/(2β).
 */
function exactMoments(): Gaussian {
  const s2 = mixture.deviation ** 2;
  const precision = 1 / s2 + 2 * beta;
  const parts = mixture.centers.map(([x, y]) => ({
    weight: Math.exp(qOf([x, y], target) / (2 * (s2 + 1 / (2 * beta)))),
    mean: [
      (x / s2 + 2 * beta * target[0]) / precision,
      (y / s2 + 2 * beta * target[1]) / precision,
    ],
  }));
  const total = parts.reduce((sum, { weight }) => sum + weight, 0);
  const mean = (of: (m: number[]) => number) =>
    parts.reduce((sum, part) => sum + part.weight * of(part.mean), 0) / total;
  const [x, y] = [mean((m) => m[0]!), mean((m) => m[1]!)];
  return {
    mean: [x, y],
    covariance: [
      mean((m) => (m[0]! - x) ** 2) + 1 / precision,
      mean((m) => (m[0]! - x) * (m[1]! - y)),
      mean((m) => (m[1]! - y) ** 2) + 1 / precision,
    ],
  };
}

function assertGaussian(found: Gaussian, expected: Gaussian, tolerance: number) {
  found.mean.forEach((m, i) => assertAlmostEquals(m, expected.mean[i]!, tolerance));
  found.covariance.forEach((c, i) => assertAlmostEquals(c, expected.covariance[i]!, tolerance));
}

Deno.test("logOptimum() has the moments of Eq. 1's optimum in closed form", () => {
  const log = logOptimum(logMu, grid, target, beta);
  assertGaussian(weightedGaussian(points, (i) => Math.exp(log[i]!)), exactMoments(), 1e-4);
});

Deno.test("weightedGaussian(): weights exp(β Q) on the data give the optimum's moments", () => {
  const data = drawToy("8gaussians", 200_000, 0);
  const weights = regressionWeights(data, target, beta);
  // The effective number of rows is about 20,000, the deviation about 0.9.
  assertGaussian(weightedGaussian(data, (row) => weights[row]!), exactMoments(), 0.03);
});

Deno.test("weightedGaussian(): minimizes the forward KL divergence to Eq. 1's optimum", () => {
  const log = logOptimum(logMu, grid, target, beta);
  const { mean: [x, y], covariance: [xx, xy, yy] } = weightedGaussian(
    points,
    (i) => Math.exp(log[i]!),
  );
  const divergence = (gaussian: Gaussian) =>
    klDivergence(log, each((px, py) => gaussianLogDensity(gaussian, [px, py])), grid);
  const least = divergence({ mean: [x, y], covariance: [xx, xy, yy] });
  const others: Gaussian[] = [-0.05, 0.05].flatMap((step) => [
    { mean: [x + step, y], covariance: [xx, xy, yy] },
    { mean: [x, y + step], covariance: [xx, xy, yy] },
    { mean: [x, y], covariance: [xx + step, xy, yy] },
    { mean: [x, y], covariance: [xx, xy + step, yy] },
    { mean: [x, y], covariance: [xx, xy, yy + step] },
  ]);
  for (const other of others) assertGreater(divergence(other), least + 1e-4);
});

Deno.test("klDivergence(): between two Gaussians it has the closed form", () => {
  const [a, b]: Gaussian[] = [
    { mean: [0.3, -0.2], covariance: [0.5, 0.1, 0.4] },
    { mean: [0, 0.1], covariance: [0.6, -0.1, 0.7] },
  ];
  const log = (gaussian: Gaussian) => each((x, y) => gaussianLogDensity(gaussian, [x, y]));
  const [xx, xy, yy] = b!.covariance;
  const determinant = ([x, m, y]: Gaussian["covariance"]) => x * y - m * m;
  const d = determinant(b!.covariance);
  const [dx, dy] = [a!.mean[0] - b!.mean[0], a!.mean[1] - b!.mean[1]];
  const [ax, am, ay] = a!.covariance;
  const trace = (yy * ax - 2 * xy * am + xx * ay) / d;
  const distance = (yy * dx * dx - 2 * xy * dx * dy + xx * dy * dy) / d;
  const expected = (trace + distance - 2 + Math.log(d / determinant(a!.covariance))) / 2;
  assertAlmostEquals(klDivergence(log(a!), log(b!), grid), expected, 1e-5);
});

Deno.test("reverseKlPoint(): no point has a higher Q + log μ / β", () => {
  const behavior: Gaussian = { mean: [0.5, -1], covariance: [2, 0.6, 1.2] };
  const value = (x: number, y: number) =>
    qOf([x, y], target) + gaussianLogDensity(behavior, [x, y]) / beta;
  const [x, y] = reverseKlPoint(behavior, target, beta);
  for (const [dx, dy] of [[1, 0], [0, 1], [1, 1], [1, -1]] as const) {
    const [up, down] = [1e-3, -1e-3].map((h) => value(x + h * dx, y + h * dy));
    // A zero slope along every direction, and a maximum.
    assertAlmostEquals((up! - down!) / 2e-3, 0, 1e-6);
    assertGreater(value(x, y), up!);
  }
});

Deno.test("interpolated() is exact for linear functions, also outside the outermost points", () => {
  const plane = each((x, y) => 2 * x - 3 * y + 1);
  for (const [x, y] of [[0.013, -1.7], [4.99, 4.2], [-5.3, 0]] as const) {
    assertAlmostEquals(interpolated(plane, grid, [x, y]), 2 * x - 3 * y + 1, 1e-4);
  }
});
