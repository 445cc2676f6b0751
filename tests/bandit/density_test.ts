import { assertAlmostEquals, assertLess } from "@std/assert";
import { Engine } from "../../lib/autodiff/engine.ts";
import { normal } from "../../lib/autodiff/random.ts";
import { behaviorHyperparameters, trainBehavior } from "../../lib/bandit/behavior.ts";
import { cellArea, gridPoints, logDensity } from "../../lib/bandit/density.ts";
import { hostModel } from "../../lib/bandit/diffusion_policy.ts";
import { type Field, LearnedField } from "../../lib/bandit/field.ts";
import { Mixture } from "./mixture.ts";
import { drawToy, eightGaussians } from "../../lib/data/toy.ts";

const mixture = new Mixture(eightGaussians);

/** The exact noise prediction of the mixture, with its divergence by central differences. */
const exactField: Field = (points, t) => {
  const h = 1e-4;
  const count = points.length / 2;
  const noise = new Float32Array(2 * count);
  const divergence = new Float32Array(count);
  for (let i = 0; i < count; i++) {
    const [x, y] = [points[2 * i]!, points[2 * i + 1]!];
    noise.set(mixture.noise(x, y, t), 2 * i);
    divergence[i] = (mixture.noise(x + h, y, t)[0] - mixture.noise(x - h, y, t)[0] +
      mixture.noise(x, y + h, t)[1] - mixture.noise(x, y - h, t)[1]) / (2 * h);
  }
  return Promise.resolve({ noise, divergence });
};

Deno.test("logDensity(): with the exact score it is the log-density, and integrates to 1", async () => {
  const grid = { half: 4.8, cells: 24 };
  const points = gridPoints(grid);
  const found = await logDensity(exactField, points, 40);
  let difference = 0;
  let integral = 0;
  found.forEach((log, i) => {
    // At the smallest time of the ODE, to which it is solved.
    const exact = mixture.logDensity(points[2 * i]!, points[2 * i + 1]!, 1e-3);
    difference += Math.exp(exact) * Math.abs(log - exact) * cellArea(grid);
    integral += Math.exp(log) * cellArea(grid);
  });
  assertLess(difference, 0.01);
  assertAlmostEquals(integral, 1, 0.01);
});

const tiny = behaviorHyperparameters({
  steps: 400,
  batch: 128,
  width: 24,
  blocks: 1,
  learningRate: 1e-2,
});

Deno.test("trainBehavior(): without a state, SRPO's behavior stage learns a density of integral 1", async () => {
  using engine = await Engine.open();
  const data = { points: drawToy("moons", 5000, 0), states: new Float32Array() };
  const losses: number[] = [];
  const behavior = await trainBehavior(engine, data, tiny, 0, {
    onStep: (_, loss) => losses.push(loss),
  });
  const mean = (values: number[]) => values.reduce((a, b) => a + b, 0) / values.length;
  assertLess(mean(losses.slice(-30)), mean(losses.slice(0, 10)) - 0.3);

  const grid = { half: 9, cells: 60 };
  const points = gridPoints(grid);
  using field = await LearnedField.open(engine, behavior, points.length / 2);

  // The same network on the CPU, and the divergence by differences of it.
  const model = hostModel(behavior);
  const some = Float32Array.from(normal(0, 80, 0, 20), (value) => 2 * value);
  const { noise, divergence } = await field.at(some, 0.37);
  const host = (at: Float32Array) =>
    model.predict(at, new Float32Array(), Float32Array.of(0.37), at.length / 2).slice(0, at.length);
  host(some).forEach((each, i) => assertAlmostEquals(noise[i]!, each, 1e-4));
  const h = 2e-2;
  const moved = (axis: number, by: number) =>
    host(some.map((value, i) => i % 2 === axis ? value + by : value));
  const slopes = [0, 1].map((axis) => {
    const [up, down] = [moved(axis, h), moved(axis, -h)];
    return Array.from(divergence, (_, i) => (up[2 * i + axis]! - down[2 * i + axis]!) / (2 * h));
  });
  divergence.forEach((each, i) => assertAlmostEquals(each, slopes[0]![i]! + slopes[1]![i]!, 2e-3));

  const log = await logDensity((at, t) => field.at(at, t), points, 20);
  const integral = log.reduce((sum, each) => sum + Math.exp(each), 0) * cellArea(grid);
  assertAlmostEquals(integral, 1, 0.01);
});
