import { assertEquals, assertThrows } from "@std/assert";
import { hyperparameterTable } from "../../../lib/algorithms/diffusion-ql/hyperparameters.ts";
import { findTask, isInPaper, tasks } from "../../../lib/data/catalog.ts";
import { UserError } from "../../../lib/errors.ts";

/** The official code's values for `hopper-medium`. */
const hopper = {
  rewardRule: "none",
  eta: 1,
  gradientNorm: 9,
  maxOverActions: false,
  diffusionSteps: 5,
  discount: 0.99,
  targetRate: 0.005,
  averageRate: 0.005,
  averageEvery: 5,
  averageFrom: 1000,
  steps: 2_000_000,
  batchSize: 256,
  learningRate: 3e-4,
  width: 256,
} as const;
const antmaze = { ...hopper, rewardRule: "plus_minus_two", steps: 1_000_000 } as const;

Deno.test("hyperparameterTable of Diffusion-QL: paper values match the official code for each task", () => {
  const of = (name: string) => hyperparameterTable.valuesFor(findTask(name), "paper");
  assertEquals(of("hopper-medium-v2"), hopper);
  assertEquals(of("walker2d-medium-expert-v2"), { ...hopper, gradientNorm: 5 });
  assertEquals(of("antmaze-umaze-v2"), { ...antmaze, eta: 0.5, gradientNorm: 2 });
  assertEquals(of("antmaze-medium-play-v2"), {
    ...antmaze,
    eta: 2,
    gradientNorm: 2,
    maxOverActions: true,
    learningRate: 1e-3,
  });
  const known = [...tasks.values()].filter((task) => isInPaper(task) && task.family !== "maze2d");
  assertEquals(known.length, 15);
  for (const task of known) hyperparameterTable.valuesFor(task, "paper");
});

Deno.test("hyperparameterTable of Diffusion-QL: the error for an unpublished task lists the required flags", () => {
  const error = assertThrows(
    () => hyperparameterTable.valuesFor(findTask("hopper-expert-v2"), "paper"),
    UserError,
    "for hopper-expert-v2",
  );
  const flags = [...error.message.matchAll(/--([a-z-]+)/g)].map(([, flag]) => flag!);
  const nulls = hyperparameterTable.names.filter((name) =>
    hyperparameterTable.rows[name].defaults.paper.antmaze === null
  );
  for (const name of nulls) {
    assertEquals(flags.includes(hyperparameterTable.flagName(name)), true, name);
  }
  const chosen = { eta: 1, gradientNorm: 9 };
  assertEquals(
    hyperparameterTable.valuesFor(findTask("hopper-expert-v2"), "paper", chosen),
    hopper,
  );
});

Deno.test("hyperparameterTable of Diffusion-QL: quick uses 10,000 steps and 64 units in every family", () => {
  const quick = { ...hopper, steps: 10_000, width: 64 };
  const maze = { ...quick, eta: 2, gradientNorm: 2 };
  const of = (family: "locomotion" | "antmaze" | "maze2d") =>
    hyperparameterTable.valuesFor(family, "quick");
  assertEquals(of("locomotion"), quick);
  assertEquals(of("maze2d"), maze);
  assertEquals(of("antmaze"), { ...maze, rewardRule: "plus_minus_two", maxOverActions: true });
});
