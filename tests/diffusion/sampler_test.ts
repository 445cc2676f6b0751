import { assert, assertAlmostEquals, assertEquals, assertGreater } from "@std/assert";
import { type NoisePrediction, sample, sampleTimes } from "../../lib/diffusion/sampler.ts";
import { alpha, sigma } from "../../lib/diffusion/schedule.ts";
import { RandomStream } from "../../lib/envs/random.ts";

function noise(entries: number): Float32Array {
  const random = new RandomStream(1);
  return Float32Array.from({ length: entries }, () => random.normal());
}

const [mean, deviation] = [0.7, 0.4];

/** Standard deviation at time t of a variable that is N(mean, deviation²) at time 0. */
const spread = (t: number) => Math.hypot(alpha(t) * deviation, sigma(t));

/** E[ε | x_t] for data distributed as N(mean, deviation²). */
const gaussian: NoisePrediction = (x, t) =>
  x.map((value) => sigma(t) * (value - alpha(t) * mean) / spread(t) ** 2);

/** Largest error of samples of the Gaussian against the exact solution of the ODE. */
function gaussianError(steps: number): number {
  const start = noise(200);
  const samples = start.slice();
  sample(samples, gaussian, steps);
  const { first, last } = sampleTimes;
  return samples.reduce((most, value, i) => {
    const distance = (start[i]! - alpha(first) * mean) / spread(first);
    return Math.max(most, Math.abs(value - (alpha(last) * mean + spread(last) * distance)));
  }, 0);
}

Deno.test("sample(): matches the ODE's closed-form solution for a Gaussian", () => {
  assert(gaussianError(400) < 2e-4, `off by ${gaussianError(400)}`);
});

Deno.test("sample(): halving the step quarters the error", () => {
  for (const steps of [25, 50]) {
    assertGreater(gaussianError(steps) / gaussianError(2 * steps), 3.5);
  }
});

Deno.test("sample(): predicts the noise once per step, starting at the first time", () => {
  const times: number[] = [];
  sample(noise(2), (x, t) => {
    times.push(t);
    return x;
  }, 15);
  assertEquals(times.length, 15);
  assertEquals(times[0], sampleTimes.first);
  assertEquals(times.toSorted((a, b) => b - a), times);
});

Deno.test("sample(): samples of the eight Gaussians with exact noise are distributed like the data", () => {
  // Eight Gaussians with σ = 0.5/√2 on a circle of radius 4/√2, as in the paper's 2-D experiments.
  const data = 0.5 / Math.SQRT2;
  const modes = Array.from({ length: 8 }, (_, k) => {
    const angle = k * Math.PI / 4;
    return [4 / Math.SQRT2 * Math.cos(angle), 4 / Math.SQRT2 * Math.sin(angle)] as const;
  });
  const mixture: NoisePrediction = (x, t) => {
    const [a, s] = [alpha(t), sigma(t)];
    const variance = (a * data) ** 2 + s ** 2;
    const predicted = new Float32Array(x.length);
    for (let i = 0; i < x.length; i += 2) {
      const offsets = modes.map(([u, v]) => [x[i]! - a * u, x[i + 1]! - a * v] as const);
      const exponents = offsets.map(([u, v]) => -(u * u + v * v) / (2 * variance));
      const largest = Math.max(...exponents);
      const weights = exponents.map((exponent) => Math.exp(exponent - largest));
      const total = weights.reduce((sum, weight) => sum + weight, 0);
      offsets.forEach(([u, v], k) => {
        predicted[i]! += s * weights[k]! / total * u / variance;
        predicted[i + 1]! += s * weights[k]! / total * v / variance;
      });
    }
    return predicted;
  };
  const count = 8000;
  const samples = noise(2 * count);
  sample(samples, mixture, 100);
  const perMode = new Array<number>(8).fill(0);
  let inside = 0;
  for (let i = 0; i < samples.length; i += 2) {
    const distances = modes.map(([u, v]) => Math.hypot(samples[i]! - u, samples[i + 1]! - v));
    const nearest = Math.min(...distances);
    perMode[distances.indexOf(nearest)]!++;
    if (nearest < 2 * data) inside++;
  }
  // 0.867 of the data lie within two standard deviations of a mode (1 − e⁻² in theory). The
  // tolerance is three standard errors for this number of samples.
  assertAlmostEquals(inside / count, 0.867, 3 * Math.sqrt(0.867 * 0.133 / count));
  for (const samplesOfMode of perMode) {
    assertAlmostEquals(samplesOfMode / count, 1 / 8, 4 * Math.sqrt(7 / 64 / count));
  }
});
