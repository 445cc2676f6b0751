import { assertEquals, assertThrows } from "@std/assert";
import { UserError } from "../../lib/errors.ts";
import { hyperparametersFor } from "../../lib/algorithms/srpo/hyperparameters.ts";
import { srpo } from "../../lib/algorithms/srpo/algorithm.ts";
import { variantsOf } from "../../lib/runs/replicas.ts";

const h = hyperparametersFor("maze2d", "quick");

Deno.test("variantsOf() is empty if nothing is swept", () => {
  assertEquals(variantsOf(srpo, h, {}), []);
});

Deno.test("variantsOf() changes and names only swept hyperparameters", () => {
  assertEquals(variantsOf(srpo, h, { betas: [0.02, 1e-7] }), [
    { name: "beta-0.02", hyperparameters: { ...h, beta: 0.02 } },
    { name: "beta-1e-7", hyperparameters: { ...h, beta: 1e-7 } },
  ]);
});

Deno.test("variantsOf() combines lists, with β varying slowest", () => {
  const variants = variantsOf(srpo, h, {
    betas: [0.1, 0.2],
    weightings: ["constant", "fixed_time"],
    baselines: [true, false],
  });
  assertEquals(variants.map(({ name }) => name), [
    "beta-0.1-weighting-constant-baseline-true",
    "beta-0.1-weighting-constant-baseline-false",
    "beta-0.1-weighting-fixed_time-baseline-true",
    "beta-0.1-weighting-fixed_time-baseline-false",
    "beta-0.2-weighting-constant-baseline-true",
    "beta-0.2-weighting-constant-baseline-false",
    "beta-0.2-weighting-fixed_time-baseline-true",
    "beta-0.2-weighting-fixed_time-baseline-false",
  ]);
  assertEquals(variants[3]!.hyperparameters, {
    ...h,
    beta: 0.1,
    weighting: "fixed_time",
    subtractBaseline: false,
  });
});

Deno.test("variantsOf() crosses times only with the weighting that uses them", () => {
  const variants = variantsOf(srpo, h, {
    weightings: ["sigma2", "fixed_time"],
    times: [0.02, 0.98],
  });
  assertEquals(variants.map(({ name, hyperparameters }) => [name, hyperparameters["fixedTime"]]), [
    ["weighting-sigma2", 0.02],
    ["weighting-fixed_time-t-0.02", 0.02],
    ["weighting-fixed_time-t-0.98", 0.98],
  ]);
  assertThrows(
    () => variantsOf(srpo, h, { times: [0.02, 0.98] }),
    UserError,
    "--times has an effect only with weighting fixed_time",
  );
});
