/** Weights of the first version of the official code (tests/fixtures/official/srpo_weights.py). */
import { assert, assertAlmostEquals } from "@std/assert";
import { type Matrix, matrix } from "../../../lib/autodiff/matrix.ts";
import {
  hyperparametersFor,
  type Weighting,
} from "../../../lib/algorithms/srpo/hyperparameters.ts";
import { regularizationOf } from "../../../lib/algorithms/srpo/policy.ts";
import { scoreDirectionReference } from "../../../lib/algorithms/srpo/score_regularized_loss.ts";
import fixture from "../../fixtures/official/srpo_weights.json" with { type: "json" };

const matrixOf = (rows: number[][]): Matrix => matrix(rows.length, rows[0]!.length, rows.flat());

Deno.test("scoreDirectionReference() has the official weights σ², σ⁴ and 2term", () => {
  const settings = Object.entries(fixture.settings);
  assert(settings.length === 5);
  for (const [name, setting] of settings) {
    const h = hyperparametersFor("locomotion", "quick", {
      beta: setting.beta,
      weighting: setting.weighting as Weighting,
      normalizeBeta: setting.normalizeQ,
      subtractBaseline: setting.subtractBaseline,
    });
    const direction = scoreDirectionReference({
      noiseHat: matrixOf(setting.noiseHat),
      z: matrixOf(setting.z),
      t: matrixOf(setting.t.map((t) => [t])),
      qGradient: matrixOf(setting.qGradient),
    }, regularizationOf(h));
    setting.direction.flat().forEach((expected, i) =>
      assertAlmostEquals(direction.values[i]!, expected, 1e-9, `${name}, entry ${i}`)
    );
  }
});
