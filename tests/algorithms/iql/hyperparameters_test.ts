import { assertEquals } from "@std/assert";
import { hyperparameterTable } from "../../../lib/algorithms/iql/hyperparameters.ts";

/** Locomotion values from Appendix B of the paper and otherwise from the official code. */
const published = {
  rewardRule: "episode_return_range",
  discount: 0.99,
  expectile: 0.7,
  temperature: 3,
  weightLimit: 100,
  targetRate: 0.005,
  steps: 1e6,
  batchSize: 256,
  learningRate: 3e-4,
  width: 256,
  layers: 2,
} as const;

Deno.test("iql's hyperparameters, paper: match Appendix B, with τ 0.9 and β 10 for mazes", () => {
  const values = (family: "locomotion" | "antmaze" | "maze2d") =>
    hyperparameterTable.valuesFor(family, "paper");
  const maze = { ...published, expectile: 0.9, temperature: 10 };
  assertEquals(values("locomotion"), published);
  assertEquals(values("antmaze"), { ...maze, rewardRule: "minus_one" });
  assertEquals(values("maze2d"), { ...maze, rewardRule: "none" });
});

Deno.test("iql's hyperparameters, quick: match the paper's except for 20,000 steps and 64 units", () => {
  for (const family of ["locomotion", "antmaze", "maze2d"] as const) {
    assertEquals(hyperparameterTable.valuesFor(family, "quick"), {
      ...hyperparameterTable.valuesFor(family, "paper"),
      steps: 20_000,
      width: 64,
    });
  }
});
