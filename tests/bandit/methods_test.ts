/** The other methods of Figures 2, 4 and 9. */
import { assertAlmostEquals, assertEquals, assertGreater, assertLess } from "@std/assert";
import { readTensor, writeInput } from "../../lib/autodiff/compile.ts";
import { Engine } from "../../lib/autodiff/engine.ts";
import { Graph } from "../../lib/autodiff/graph.ts";
import { ParameterSet } from "../../lib/autodiff/parameters.ts";
import { normal } from "../../lib/autodiff/random.ts";
import { regressionRows } from "../../lib/bandit/diffusion_policy.ts";
import { regressionWeights, weightedGaussian } from "../../lib/bandit/gaussian.ts";
import { discrepancy, kernelWidth, optimizeMmdPolicies } from "../../lib/bandit/mmd.ts";
import { Support } from "../../lib/bandit/support.ts";
import {
  evidenceBound,
  latents,
  optimizeVaePoints,
  trainVae,
  vaeDeviation,
  vaeShapes,
} from "../../lib/bandit/vae.ts";
import { drawToy } from "../../lib/data/toy.ts";
import { Mlp } from "../../lib/nn/host/mlp.ts";
import { numbered } from "../../lib/nn/initialization.ts";

/** A graph of one seed with a VAE's untrained parameters. */
function untrainedVae() {
  const graph = new Graph({ seeds: [4] });
  const vae = new ParameterSet(graph, vaeShapes(), 1);
  const values = numbered(0)(vae.shapes, 4, 0);
  return { graph, vae, values };
}

Deno.test("evidenceBound(): a draw has the value of its definition", async () => {
  using engine = await Engine.open();
  const rows = 5;
  const { graph, vae, values } = untrainedVae();
  const action = graph.input(rows, 2);
  const bound = evidenceBound(graph, vae, action);
  const program = await engine.compile(graph, [bound]);
  vae.write(vae.store, 0, values);
  const actions = Float32Array.from(normal(0, 81, 0, 2 * rows));
  writeInput(program, action, actions);
  const [, found] = await Promise.all([program.submit(3, 1), readTensor(program, bound)]);
  program.destroy();

  const named = {
    source: "test",
    tensors: new Map(vae.shapes.map(({ name, rows, vector }) => {
      const data = values.get(name)!;
      return [name, { shape: vector ? [data.length] : [rows, data.length / rows], data }] as const;
    })),
  };
  const encoded = new Mlp(named, "encoder", "none").forward(actions, rows);
  const z = normal(4, 63, 3, rows * latents);
  const latent = Float32Array.from(z, (draw, i) => {
    const [row, column] = [Math.floor(i / latents), i % latents];
    const at = row * 2 * latents + column;
    return encoded[at]! + Math.exp(encoded[at + latents]!) * draw;
  });
  const decoded = new Mlp(named, "decoder", "none").forward(latent, rows);
  for (let row = 0; row < rows; row++) {
    let expected = 0;
    for (let axis = 0; axis < 2; axis++) {
      expected -= (actions[2 * row + axis]! - decoded[2 * row + axis]!) ** 2 /
        (2 * vaeDeviation ** 2);
    }
    for (let i = 0; i < latents; i++) {
      const [center, log] = [0, latents].map((part) => encoded[row * 2 * latents + part + i]!);
      expected += (1 + 2 * log! - center! ** 2 - Math.exp(2 * log!)) / 2;
    }
    assertAlmostEquals(found[row]!, expected, 1e-3 * Math.abs(expected));
  }
});

Deno.test("discrepancy(): is the sum of four kernels, whose mean tells distributions apart", async () => {
  using engine = await Engine.open();
  const rows = 4000;
  const graph = new Graph({ seeds: [0] });
  const inputs = [0, 1, 2, 3].map(() => graph.input(rows, 2));
  const [x, x2, y, y2] = inputs as [
    typeof inputs[0],
    typeof inputs[0],
    typeof inputs[0],
    typeof inputs[0],
  ];
  const same = discrepancy(graph, [x!, x2!], [y!, y2!]);
  const program = await engine.compile(graph, [same]);
  const draws = inputs.map((_, i) => Float32Array.from(normal(0, 90 + i, 0, 2 * rows)));
  const run = async (shift: number) => {
    inputs.forEach((input, i) =>
      writeInput(program, input, i < 2 ? draws[i]! : draws[i]!.map((value) => value + shift))
    );
    const [, values] = await Promise.all([program.submit(0, 1), readTensor(program, same)]);
    return values;
  };
  const mean = (values: Float32Array) => values.reduce((a, b) => a + b, 0) / rows;
  const kernel = (a: Float32Array, b: Float32Array, i: number) =>
    Math.exp(
      -(Math.abs(a[2 * i]! - b[2 * i]!) + Math.abs(a[2 * i + 1]! - b[2 * i + 1]!)) /
        (2 * kernelWidth),
    );
  const equal = await run(0);
  const [a, b, c, d] = draws as [Float32Array, Float32Array, Float32Array, Float32Array];
  for (const i of [0, 17, rows - 1]) {
    const expected = kernel(a, b, i) + kernel(c, d, i) - kernel(a, d, i) - kernel(b, c, i);
    assertAlmostEquals(equal[i]!, expected, 1e-5);
  }
  // The standard error is about 0.005.
  assertAlmostEquals(mean(equal), 0, 0.025);
  assertGreater(mean(await run(1)), 0.1);
  program.destroy();
});

Deno.test("VAE: training raises the bound, and 1/β moves points and MMD policies off their targets", async () => {
  using engine = await Engine.open();
  const losses: number[] = [];
  const values = await trainVae(
    engine,
    drawToy("8gaussians", 2000, 0),
    { steps: 250, batch: 64 },
    0,
    {
      onStep: (_, loss) => losses.push(loss),
    },
  );
  const mean = (some: number[]) => some.reduce((a, b) => a + b, 0) / some.length;
  assertLess(mean(losses.slice(-20)), mean(losses.slice(0, 20)) / 2);
  const targets = Float32Array.of(4, 4, -4, 4);
  const options = { steps: 60, draws: 4, seed: 0 };
  // Both corners lie outside the data: they move inwards, and further with a larger 1/β.
  for (const optimize of [optimizeVaePoints, optimizeMmdPolicies]) {
    const [free, held] = await optimize(engine, values, targets, [1e6, 0.02], options);
    const distance = (points: Float32Array) => Math.hypot(points[0]!, points[1]!);
    assertAlmostEquals(distance(free!), Math.hypot(4, 4), 0.1);
    assertLess(distance(held!), distance(free!) - 0.3);
  }
});

Deno.test("regressionRows(): rows of a target have its weighted moments, and the target as state", () => {
  const points = drawToy("rings", 5000, 0);
  const targets = Float32Array.of(0, 0, 2, -1);
  const perTarget = 4000;
  const { points: drawn, states } = regressionRows(points, targets, 0.7, perTarget, 3);
  assertEquals([...states.subarray(2 * perTarget - 2, 2 * perTarget + 2)], [0, 0, 2, -1]);
  const weights = regressionWeights(points, [2, -1], 0.7);
  const expected = weightedGaussian(points, (row) => weights[row]!);
  const found = weightedGaussian(drawn.subarray(2 * perTarget));
  // Four standard errors of a mean of 4,000 rows with deviation below 1.
  found.mean.forEach((m, axis) => assertAlmostEquals(m, expected.mean[axis]!, 0.06));
  found.covariance.forEach((c, i) => assertAlmostEquals(c, expected.covariance[i]!, 0.08));
});

Deno.test("Support: contains 95 % of the data's points, and none far away", () => {
  const support = new Support(drawToy("moons", 3000, 1), drawToy("moons", 1000, 2));
  const points = drawToy("moons", 1000, 3);
  let inside = 0;
  for (let i = 0; i < points.length; i += 2) {
    inside += Number(support.contains(points[i]!, points[i + 1]!));
  }
  assertAlmostEquals(inside / 1000, 0.95, 0.03);
  assertEquals(support.contains(0, 4), false);
});
