import { assertEquals } from "@std/assert";
import { goalOf, GoalWatch } from "../../lib/envs/goal.ts";
import { mazes } from "../../lib/envs/mazes.ts";
import { makeEnvironment } from "../../lib/envs/registry.ts";
import { rollout } from "../../lib/envs/rollout.ts";

const [goalX, goalY] = mazes.get("maze2d-umaze")!.point(mazes.get("maze2d-umaze")!.goal);
const at = (distance: number) => Float64Array.of(goalX + distance, goalY, 0, 0);

/** Returns whether an episode through points at these distances from the goal reaches it. */
function reaches(...distances: number[]): boolean {
  const [start, ...steps] = distances;
  const watch = new GoalWatch(goalOf("maze2d-umaze-v1")!, at(start!));
  for (const distance of steps) watch.step(at(distance), 0);
  return watch.reached;
}

Deno.test("GoalWatch: counts an episode that enters the goal from outside", () => {
  assertEquals(reaches(2, 1, 0.5), true);
  assertEquals(reaches(2, 1, 0.51), false);
  assertEquals(reaches(1, 0, 1), true);
});

Deno.test("GoalWatch: ignores a start inside the goal's circle, but counts a return to it", () => {
  assertEquals(reaches(0.3, 0.2, 0), false);
  assertEquals(reaches(0.3, 0.6, 0.7), false);
  assertEquals(reaches(0.3, 0.6, 0.4), true);
});

Deno.test("goalOf(): uses antmaze's reward, and is null for tasks without a goal", () => {
  const atGoal = goalOf("antmaze-umaze-v2")!;
  assertEquals([atGoal(at(0), 0), atGoal(at(9), 1)], [false, true]);
  assertEquals([goalOf("hopper-medium-v2"), goalOf("Pendulum-v1")], [null, null]);
});

Deno.test({
  name: "rollout(): reports whether maze episodes reached the goal",
  ignore: Deno.permissions.querySync({ name: "read" }).state !== "granted",
  async fn() {
    const environment = await makeEnvironment("maze2d-umaze-v1", 8);
    const still = {
      observationSize: 4,
      actionSize: 2,
      act: (_: Float64Array, random: readonly unknown[]) => new Float64Array(2 * random.length),
    };
    const seeds = Array.from({ length: 40 }, (_, i) => i);
    const episodes = await rollout(environment, still, seeds);
    await environment.close();
    // Some episodes start at the goal and earn rewards there, but none enters it from outside.
    assertEquals(episodes.some((episode) => episode.return > 0), true);
    assertEquals(episodes.filter(({ reachedGoal }) => reachedGoal !== false), []);
  },
});
