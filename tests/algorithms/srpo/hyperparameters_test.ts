import { assertEquals, assertThrows } from "@std/assert";
import { UserError } from "../../../lib/errors.ts";
import { findTask } from "../../../lib/data/catalog.ts";
import {
  hyperparametersFor,
  hyperparameterTable,
} from "../../../lib/algorithms/srpo/hyperparameters.ts";

const { names, rows } = hyperparameterTable;

/** Locomotion values from Appendix C and otherwise from the official code. */
const published = {
  rewardRule: "return_range",
  discount: 0.99,
  expectile: 0.7,
  targetRate: 0.005,
  awrTemperature: 3,
  awrClip: 100,
  criticSteps: 1.5e6,
  criticBatchSize: 256,
  criticLearningRate: 3e-4,
  criticWidth: 256,
  criticLayers: 2,
  behaviorSteps: 2e6,
  behaviorBatchSize: 2048,
  behaviorLearningRate: 3e-4,
  behaviorSchedule: "constant",
  behaviorWeightDecay: 0.01,
  behaviorDropout: 0.1,
  behaviorWidth: 256,
  behaviorBlocks: 3,
  fourierFrequencies: 32,
  fourierScale: 30,
  embeddingWidth: 128,
  behaviorMinTime: 1e-3,
  behaviorMaxTime: 1,
  policySteps: 1e6,
  policyBatchSize: 256,
  policyLearningRate: 3e-4,
  policyWidth: 256,
  policyLayers: 2,
  normalizeBeta: false,
  weighting: "sigma2",
  normalizeWeighting: false,
  fixedTime: 0.02,
  policyMinTime: 0.02,
  policyMaxTime: 0.98,
  subtractBaseline: true,
} as const;

Deno.test("hyperparametersFor() paper, locomotion: matches Appendix C and Table 2", () => {
  const values = hyperparametersFor(findTask("walker2d-medium-replay-v2"), "paper");
  assertEquals(values, { ...published, beta: 0.5 });
});

Deno.test("hyperparametersFor() paper, mazes: τ 0.9, temperature 10, four layers, β_norm", () => {
  const maze = {
    ...published,
    expectile: 0.9,
    awrTemperature: 10,
    policyLayers: 4,
    normalizeBeta: true,
  };
  assertEquals(hyperparametersFor(findTask("antmaze-medium-play-v2"), "paper"), {
    ...maze,
    rewardRule: "minus_one",
    beta: 0.08,
  });
  assertEquals(hyperparametersFor(findTask("maze2d-large-v1"), "paper"), {
    ...maze,
    rewardRule: "none",
    beta: 0.3,
  });
});

Deno.test("hyperparametersFor() quick: reduces the budgets of locomotion, and those of maze2d further", () => {
  const hopper = hyperparametersFor(findTask("hopper-medium-v2"), "quick");
  assertEquals(hopper, {
    ...published,
    criticSteps: 10_000,
    criticWidth: 128,
    behaviorSteps: 20_000,
    behaviorBatchSize: 256,
    behaviorLearningRate: 1e-3,
    behaviorSchedule: "cosine",
    behaviorWidth: 128,
    policySteps: 10_000,
    policyWidth: 128,
    beta: 0.003,
  });
  assertEquals(hyperparametersFor(findTask("maze2d-umaze-v1"), "quick"), {
    ...hopper,
    rewardRule: "none",
    expectile: 0.9,
    awrTemperature: 10,
    targetRate: 0.02,
    criticSteps: 24_000,
    criticBatchSize: 128,
    criticWidth: 64,
    behaviorSteps: 4_000,
    behaviorBatchSize: 128,
    behaviorWidth: 64,
    behaviorBlocks: 2,
    policySteps: 3_000,
    policyWidth: 64,
    policyLayers: 4,
    beta: 0.3,
    normalizeBeta: true,
  });
});

Deno.test("hyperparametersFor() applies overrides and ignores undefined ones", () => {
  const overrides = { beta: 0.7, criticSteps: 12, subtractBaseline: false, discount: undefined };
  const values = hyperparametersFor(findTask("hopper-medium-v2"), "paper", overrides);
  assertEquals(values, {
    ...published,
    beta: 0.7,
    criticSteps: 12,
    subtractBaseline: false,
  });
});

Deno.test("hyperparametersFor() asks for β if the paper has none", () => {
  const random = findTask("hopper-random-v2");
  assertThrows(() => hyperparametersFor(random, "paper"), UserError, "no β for hopper-random-v2");
  assertThrows(() => hyperparametersFor("antmaze", "paper"), UserError, "--beta");
  assertEquals(hyperparametersFor(random, "paper", { beta: 0.2 }).beta, 0.2);
  assertEquals(hyperparametersFor("locomotion", "quick").beta, 0.003);
});

Deno.test("hyperparametersFor() rejects invalid values, naming flag, range and value", () => {
  const refused = (overrides: Parameters<typeof hyperparametersFor>[2], message: string) =>
    assertThrows(
      () => hyperparametersFor(findTask("hopper-medium-v2"), "paper", overrides),
      UserError,
      message,
    );
  refused({ criticSteps: -5 }, "--critic-steps needs a whole number from 1 to");
  refused({ criticSteps: 1.5 }, "got 1.5");
  refused({ policySteps: NaN }, "--policy-steps needs");
  refused({ expectile: 1.2 }, "--expectile needs a number from 0.001 to 0.999, got 1.2");
  refused({ weighting: "sigma" as "sigma2" }, "--weighting needs one of sigma2, ");
  refused(
    { normalizeBeta: 1 as unknown as boolean },
    "--normalize-beta needs true or false, got 1",
  );
  refused(
    { policyMinTime: 0.99 },
    "--policy-min-time (0.99) must be smaller than --policy-max-time (0.98)",
  );
  // The behavior model must know the times that the policy asks for.
  refused({ behaviorMaxTime: 0.6 }, "the policy (--policy-min-time and --policy-max-time: 0.02 to");
  refused(
    { behaviorMinTime: 0.1 },
    "--behavior-max-time: 0.1 to 1), which is not trained at other times",
  );
  const fixed = { weighting: "fixed_time", behaviorMaxTime: 0.6 } as const;
  refused({ ...fixed, fixedTime: 0.7 }, "the policy (--fixed-time: 0.7 to 0.7) must be");
  hyperparametersFor(findTask("hopper-medium-v2"), "paper", { ...fixed, beta: 1 });
});

Deno.test("hyperparameterTable: every row has a unique flag, a help text and a source", () => {
  const flags = names.map((name) => hyperparameterTable.flagName(name));
  assertEquals(new Set(flags).size, flags.length);
  assertEquals(flags.includes("critic-steps") && flags.includes("beta"), true);
  for (const name of names) {
    const { help, source } = rows[name];
    assertEquals(help.length > 4 && source.length > 4, true, name);
  }
});

Deno.test("HyperparameterTable.defaultText() lists presets and families that differ", () => {
  assertEquals(hyperparameterTable.defaultText("discount"), "0.99");
  assertEquals(hyperparameterTable.defaultText("expectile"), "0.7, mazes 0.9");
  assertEquals(
    hyperparameterTable.defaultText("behaviorBatchSize"),
    "2048; quick: 256, maze2d 128",
  );
  assertEquals(hyperparameterTable.defaultText("behaviorLearningRate"), "0.0003; quick: 0.001");
  assertEquals(
    hyperparameterTable.defaultText("criticSteps"),
    "1500000; quick: 10000, maze2d 24000",
  );
  assertEquals(
    hyperparameterTable.defaultText("beta"),
    "the paper's value, maze2d 0.3; quick: 0.003, antmaze the paper's value, maze2d 0.3",
  );
});
