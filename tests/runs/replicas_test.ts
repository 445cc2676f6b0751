import { assertEquals, assertThrows } from "@std/assert";
import { UserError } from "../../lib/errors.ts";
import { hyperparametersFor } from "../../lib/algorithms/srpo/hyperparameters.ts";
import { srpo } from "../../lib/algorithms/srpo/algorithm.ts";
import { groupsOf, variantsOf } from "../../lib/runs/replicas.ts";

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

Deno.test("groupsOf() groups stages that do not need each other, also for their evaluations", () => {
  const stages = ["critic", "behavior", "policy"];
  const names = (...args: [typeof srpo, readonly string[], number, boolean]) => {
    const [algorithm, given, every, together] = args;
    return groupsOf({ algorithm, stages: given }, every, together)
      .map((group) => group.map(({ name }) => name));
  };
  const alone = stages.map((stage) => [stage]);
  assertEquals(names(srpo, stages, Infinity, false), alone);
  assertEquals(names(srpo, stages, Infinity, true), [["critic", "behavior"], ["policy"]]);
  assertEquals(names(srpo, ["behavior", "policy"], Infinity, true), alone.slice(1));
  // IDQL's actor, which needs both, is only evaluated at the end of the behavior stage.
  assertEquals(names(srpo, stages, 100, true), [["critic", "behavior"], ["policy"]]);
  const often = {
    ...srpo,
    stages: srpo.stages.map(({ evaluatedOnce: _, ...stage }) => stage),
  };
  assertEquals(names(often, stages, 100, true), alone);
});
