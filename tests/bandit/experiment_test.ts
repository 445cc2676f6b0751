import { assert, assertAlmostEquals, assertEquals, assertLess } from "@std/assert";
import { Engine } from "../../lib/autodiff/engine.ts";
import { type BanditBudget, budgets, targetGrid } from "../../lib/bandit/budget.ts";
import { type BanditResult, runBandit } from "../../lib/bandit/experiment.ts";
import { banditFigure, banditSummary } from "../../lib/bandit/figure.ts";
import { methods } from "../../lib/bandit/methods.ts";

const network = { batch: 32, width: 8, blocks: 1, learningRate: 1e-3, steps: 4 };
const tiny: BanditBudget = {
  points: 600,
  behavior: network,
  policy: network,
  vae: { steps: 4, batch: 32 },
  grid: { half: 4.8, cells: 12 },
  solverSteps: 2,
  targets: 3,
  point: { steps: 3, draws: 2 },
};

Deno.test("runBandit(): computes every policy of the figures, which are drawn", async () => {
  using engine = await Engine.open();
  const parts: string[] = [];
  const result = await runBandit(engine, "rings", tiny, 1, {
    onStep: (part, step, steps) => {
      if (step === steps) parts.push(part);
    },
  }) as BanditResult;
  assertEquals(parts, [
    "behavior",
    "density",
    "points",
    "diffusion policy",
    "VAE",
    "VAE points",
    "MMD policies",
  ]);
  assertEquals(new Set(result.policies.map(({ method }) => method)), new Set(Object.keys(methods)));
  for (const { method, actions, scores } of result.policies) {
    assertEquals(actions.length, method === "forwardDiffusion" ? 72 : 18, method);
    assert([...actions].every(Number.isFinite), method);
    assert(Object.values(scores).every((score) => score === null || Number.isFinite(score)));
  }
  // Without regularization a policy is its target.
  const [greedy] = result.policies;
  assertEquals(greedy!.inverseBeta, 0);
  assertEquals(greedy!.actions, result.targets);
  assertEquals(greedy!.scores.q, 0);

  for (const [svg, panels] of [[banditFigure(result), 28], [banditSummary(result), 8]] as const) {
    assertEquals([...svg.matchAll(/translate\(/g)].length, panels);
    assert(!svg.includes("NaN") && !svg.includes("undefined"));
    assertLess(svg.length, 300_000);
  }
  assertEquals(await runBandit(engine, "rings", tiny, 1, { shouldStop: () => true }), null);
});

Deno.test("targetGrid(): covers [−4, 4]² evenly, the center included", () => {
  const targets = targetGrid(7);
  assertEquals(targets.length, 98);
  assertEquals([...targets.slice(0, 2)], [-4, -4]);
  assertEquals([...targets.slice(48, 50)], [0, 0]);
  assertEquals([...targets.slice(-2)], [4, 4]);
  assertAlmostEquals(targets[2]! - targets[0]!, 4 / 3, 1e-6);
});

Deno.test("budgets: both use 7 × 7 targets, as the official figure does", () => {
  assertEquals(Object.values(budgets).map(({ targets }) => targets), [7, 7]);
});
