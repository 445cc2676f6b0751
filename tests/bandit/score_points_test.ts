import { assertAlmostEquals, assertEquals } from "@std/assert";
import { readTensor, writeInput } from "../../lib/autodiff/compile.ts";
import { Engine } from "../../lib/autodiff/engine.ts";
import { Graph } from "../../lib/autodiff/graph.ts";
import { normal, uniform } from "../../lib/autodiff/random.ts";
import { Mixture } from "./mixture.ts";
import { writeNetworks } from "../../lib/bandit/prediction.ts";
import { ensemble, optimizePoints, singleTime } from "../../lib/bandit/score_points.ts";
import { eightGaussians } from "../../lib/data/toy.ts";
import { meanWeight, weightAt } from "../../lib/algorithms/srpo/score_regularized_loss.ts";
import { exactRows, figuresOf, referenceTargets } from "./reference.ts";

const mixture = new Mixture(eightGaussians);

Deno.test("optimizePoints(): with the exact score it reaches PyTorch's figures", async () => {
  using engine = await Engine.open();
  // All rows of the table: deno task bandit-reference.
  const chosen = exactRows.filter(({ name }) =>
    ["ensemble, β = 0.1", "score, β = 1"].includes(name)
  );
  assertEquals(chosen.length, 2);
  const found = await optimizePoints(
    engine,
    mixture,
    referenceTargets,
    chosen.map(({ regularization }) => regularization),
    { steps: 1500, draws: 32, seed: 0 },
  );
  chosen.forEach(({ name, fraction, q }, row) => {
    const figures = figuresOf(found[row]!);
    assertAlmostEquals(figures.fraction, fraction, 0.02, name);
    assertAlmostEquals(figures.q / q, 1, 0.03, name);
  });
});

Deno.test("Mixture.describe(): the recorded prediction is the exact one", async () => {
  using engine = await Engine.open();
  const rows = 60;
  const points = Float32Array.from(normal(0, 81, 0, 2 * rows), (value) => 2.5 * value);
  const times = Float32Array.from(uniform(0, 82, 0, rows), (u) => 0.02 + 0.96 * u);
  const graph = new Graph({ seeds: [0] });
  const [xt, t] = [graph.input(rows, 2), graph.input(rows, 1)];
  const { networks, predict } = mixture.describe(graph);
  const noise = predict(xt, t);
  const program = await engine.compile(graph, [noise]);
  writeNetworks(networks);
  writeInput(program, xt, points);
  writeInput(program, t, times);
  const [, found] = await Promise.all([program.submit(0, 1), readTensor(program, noise)]);
  times.forEach((time, i) => {
    mixture.noise(points[2 * i]!, points[2 * i + 1]!, time).forEach((expected, axis) =>
      assertAlmostEquals(found[2 * i + axis]!, expected, 1e-4)
    );
  });
  program.destroy();
});

Deno.test("singleTime(): its weight is the mean of σ² over the times of the ensemble", () => {
  const { weighting, scale, times } = singleTime(0.1, 0.4);
  assertAlmostEquals(scale! * weightAt(weighting, 0.4), meanWeight("sigma2", 0.02, 0.98), 1e-12);
  assertEquals(times, [0.4, 0.4]);
  assertEquals(ensemble(0.1).times, [0.02, 0.98]);
});
