import { assertAlmostEquals, assertEquals } from "@std/assert";
import { hyperparametersFor, weightings } from "../../../lib/algorithms/srpo/hyperparameters.ts";
import { regularizationOf } from "../../../lib/algorithms/srpo/policy.ts";
import { meanWeight, weightAt } from "../../../lib/algorithms/srpo/score_regularized_loss.ts";

Deno.test("meanWeight() integrates ω(t)", () => {
  // ∫ (1 − α_t²) dt with α_t² = exp(−9.95 t² − 0.1 t), by the error function.
  const [a, b] = [9.95, 0.1];
  const erf = (x: number) => { // Abramowitz and Stegun 7.1.26, error below 1.5e-7
    const t = 1 / (1 + 0.3275911 * x);
    const polynomial = t *
      (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
    return 1 - polynomial * Math.exp(-x * x);
  };
  const antiderivative = (t: number) =>
    Math.sqrt(Math.PI / a) / 2 * Math.exp(b * b / (4 * a)) * erf(Math.sqrt(a) * (t + b / (2 * a)));
  const alphas = antiderivative(0.98) - antiderivative(0.02);
  assertAlmostEquals(meanWeight("sigma2", 0.02, 0.98), 1 - alphas / 0.96, 1e-6);
  assertEquals(meanWeight("constant", 0.02, 0.98), 1);
});

Deno.test("regularizationOf() with normalizeWeighting gives every ω(t) the mean of σ²", () => {
  const usual = meanWeight("sigma2", 0.02, 0.98);
  for (const weighting of weightings) {
    const h = hyperparametersFor("maze2d", "quick", {
      weighting,
      normalizeWeighting: true,
      fixedTime: 0.98,
    });
    const { weighting: omega, scale, weightedQ } = regularizationOf(h);
    const mean = weighting === "fixed_time"
      ? weightAt(omega, 0.98)
      : meanWeight(omega, h.policyMinTime, h.policyMaxTime);
    assertAlmostEquals(scale! * mean, usual, 1e-12, weighting);
    if (weighting === "two_term") assertAlmostEquals(weightedQ! * scale! * mean, 1, 1e-12);
    else assertEquals(weightedQ, undefined);
  }
});

Deno.test("regularizationOf() leaves the published weights as they are", () => {
  for (const weighting of weightings) {
    const { scale } = regularizationOf(hyperparametersFor("maze2d", "quick", { weighting }));
    assertEquals(scale, undefined, weighting);
  }
});
