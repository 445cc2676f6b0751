import { assertAlmostEquals, assertEquals } from "@std/assert";
import { summarize } from "../../lib/envs/evaluation.ts";
import { referenceReturn } from "../../lib/envs/scores.ts";
import { episodeSeed, evaluationSeeds, maxEpisodes, maxEpisodeSeed } from "../../lib/envs/seeds.ts";

const episodes = (...returns: number[]) =>
  returns.map((value, i) => ({ seed: i, return: value, length: 10 * i, reachedGoal: i % 2 === 0 }));

Deno.test("summarize(): returns mean, standard deviation, D4RL's score and the paper's score", () => {
  const found = summarize(
    "hopper-medium-v2",
    episodes(-20.272305, 3234.3),
    referenceReturn("hopper-medium-v2"),
  );
  assertAlmostEquals(found.return.mean, 1607.0138475, 1e-9);
  assertAlmostEquals(found.return.std, 1627.2861525, 1e-9);
  assertEquals(found.length, { mean: 5, std: 5 });
  assertAlmostEquals(found.score!.mean, 50, 1e-9);
  assertAlmostEquals(found.score!.std, 50, 1e-9);
});

Deno.test("summarize(): scores antmaze by successful episodes, whatever their return", () => {
  const task = "antmaze-umaze-v2";
  const found = summarize(task, episodes(1, 0, 3, 1), referenceReturn(task));
  assertEquals(found.score!.mean, 75);
});

Deno.test("summarize(): returns no score without reference returns", () => {
  const found = summarize("Pendulum-v1", episodes(-3), referenceReturn("Pendulum-v1"));
  assertEquals(found.score, null);
});

Deno.test("episodeSeed(): evaluation, collection and training seeds do not overlap", () => {
  const last = (purpose: "evaluation" | "collection") =>
    episodeSeed(purpose, maxEpisodeSeed, maxEpisodes - 1);
  const largestTrainingSeed = 2 ** 32 - 1;
  assertEquals(evaluationSeeds(0, 3), [10000000000, 10000000001, 10000000002]);
  assertEquals(largestTrainingSeed < episodeSeed("evaluation", 0, 0), true);
  assertEquals(last("evaluation") < episodeSeed("collection", 0, 0), true);
  assertEquals(episodeSeed("evaluation", 1, 0), episodeSeed("evaluation", 0, maxEpisodes - 1) + 1);
});
