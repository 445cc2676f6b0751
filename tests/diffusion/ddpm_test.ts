import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import {
  ancestralSteps,
  noisingWeights,
  sampleAncestral,
  variancePreservingBetas,
} from "../../lib/diffusion/ddpm.ts";
import { RandomStream } from "../../lib/envs/random.ts";
import { decode } from "../../lib/runs/safetensors.ts";
import { mayReadFixtures } from "../nn/host/fixtures.ts";
import { projectFile } from "../data/files.ts";

/** Returns values computed by official code in double precision. */
function official(name: string): (tensor: string) => number[] {
  const path = projectFile(`tests/fixtures/official/${name}.safetensors`);
  const { tensors } = decode(Deno.readFileSync(path), path);
  return (tensor) => Array.from(tensors.get(tensor)!.data as Float64Array);
}

function assertAllClose(found: readonly number[], expected: readonly number[], relative: number) {
  assertEquals(found.length, expected.length);
  expected.forEach((value, i) =>
    assertAlmostEquals(found[i]!, value, relative * Math.max(1e-3, Math.abs(value)))
  );
}

Deno.test({
  name:
    "ancestralSteps(), noisingWeights(): match the coefficients of Diffusion-QL's official code",
  ignore: !mayReadFixtures,
  fn() {
    const schedule = official("diffusion_ql");
    const get = (name: string) => schedule(`f64.mean.schedule.${name}`);
    const betas = variancePreservingBetas(5);
    // The official code always stores its schedule in single precision.
    assertAllClose(betas, get("betas"), 1e-6);
    const steps = ancestralSteps(betas, "posterior").reverse();
    assertEquals(steps.map(({ t }) => t), [0, 1, 2, 3, 4]);
    const products = get("alphas_cumprod");
    assertAllClose(steps.map(({ cleanOfX }) => cleanOfX), products.map((p) => p ** -0.5), 1e-5);
    assertAllClose(
      steps.map(({ cleanOfNoise }) => cleanOfNoise),
      products.map((p) => -Math.sqrt(1 / p - 1)),
      1e-5,
    );
    assertAllClose(
      steps.map(({ meanOfClean }) => meanOfClean),
      get("posterior_mean_coef1"),
      1e-5,
    );
    assertAllClose(steps.map(({ meanOfX }) => meanOfX), get("posterior_mean_coef2"), 1e-5);
    // For the last step, the official code stores a clipped logarithm and multiplies it by 0.
    assertAllClose(
      steps.slice(1).map(({ deviation }) => deviation),
      get("posterior_log_variance_clipped").slice(1).map((log) => Math.exp(log / 2)),
      1e-5,
    );
    assertEquals(steps[0]!.deviation, 0);
    const weights = noisingWeights(betas);
    assertAllClose(weights.map(({ clean }) => clean), products.map(Math.sqrt), 1e-5);
    assertAllClose(weights.map(({ noise }) => noise), products.map((p) => Math.sqrt(1 - p)), 1e-5);
  },
});

Deno.test({
  name: "ancestralSteps(): variance β gives the steps of the published IDQL, in another form",
  ignore: !mayReadFixtures,
  fn() {
    const schedule = official("idql");
    const get = (name: string) => schedule(`f64.loco.schedule.${name}`);
    const [betas, alphas, products] = [get("betas"), get("alphas"), get("alpha_hats")];
    assertAllClose(variancePreservingBetas(5), betas, 1e-6);
    const [x, noise] = [0.37, -0.81];
    for (const step of ancestralSteps(variancePreservingBetas(5), "beta")) {
      const { t, cleanOfX, cleanOfNoise, meanOfClean, meanOfX, deviation } = step;
      const mean = meanOfClean * (cleanOfX * x + cleanOfNoise * noise) + meanOfX * x;
      const share = (1 - alphas[t]!) / Math.sqrt(1 - products[t]!);
      assertAlmostEquals(mean, (x - share * noise) / Math.sqrt(alphas[t]!), 1e-6);
      assertAlmostEquals(deviation, t > 0 ? Math.sqrt(betas[t]!) : 0, 1e-6);
    }
  },
});

Deno.test("sampleAncestral(): with a Gaussian's exact noise, matches its mean and bounds its deviation", () => {
  const [mean, deviation] = [0.4, 0.2];
  const betas = variancePreservingBetas(100);
  const products = betas.map((_, t) =>
    betas.slice(0, t + 1).reduce((product, beta) => product * (1 - beta), 1)
  );
  const count = 4000;
  const sampled = (variance: "posterior" | "beta") => {
    const random = new RandomStream(2);
    const x = Float32Array.from({ length: count }, () => random.normal());
    sampleAncestral(
      x,
      (at, t) => {
        const [signal, variance] = [Math.sqrt(products[t]!), 1 - products[t]!];
        const spread = products[t]! * deviation ** 2 + variance;
        return at.map((value) => Math.sqrt(variance) * (value - signal * mean) / spread);
      },
      ancestralSteps(betas, variance),
      "prediction",
      () => random.normal(),
    );
    const found = x.reduce((sum, value) => sum + value, 0) / count;
    assertAlmostEquals(found, mean, 4 * deviation / Math.sqrt(count));
    return Math.sqrt(x.reduce((sum, value) => sum + (value - found) ** 2, 0) / count) / deviation;
  };
  // Ho et al., 2020, Section 3.2: the two variances give a lower and an upper bound.
  const [lower, upper] = [sampled("posterior"), sampled("beta")];
  assert(lower > 0.88 && lower < 0.97, `posterior variance: ${lower} of the deviation`);
  assert(upper > 1.01 && upper < 1.12, `variance β: ${upper} of the deviation`);
});

Deno.test("sampleAncestral(): clips the result of every step if requested, and draws noise in all but the last", () => {
  let draws = 0;
  const steps = ancestralSteps(variancePreservingBetas(5), "beta");
  const x = new Float32Array([3, -2]);
  const seen: number[] = [];
  sampleAncestral(
    x,
    (at) => {
      seen.push(...at);
      return new Float32Array(2);
    },
    steps,
    "result",
    () => {
      draws++;
      return 10;
    },
  );
  assertEquals(draws, 2 * 4);
  assertEquals([...new Set(seen.slice(2))], [1]);
  assertEquals([...x], [1, 1]);
});
