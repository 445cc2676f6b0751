import { assertAlmostEquals, assertEquals } from "@std/assert";
import { withActions } from "../../../lib/algorithms/fqe/evaluation.ts";

Deno.test("withActions() appends the policy's actions to normalized states, and scales rewards", () => {
  const dataset = {
    sources: [],
    rows: 3,
    observationSize: 2,
    actionSize: 1,
    observations: Float32Array.of(1, 5, 3, 5, 9, 9),
    actions: Float32Array.of(0.1, 0.2, 0.3),
    rewards: Float32Array.of(2, -1, 4),
    terminals: new Float32Array(3),
    timeouts: new Float32Array(3),
    hasTimeouts: true,
    transitions: Uint32Array.of(0, 1),
  };
  const { data, rewards, range } = withActions(dataset, Float32Array.of(-0.5, 0, 0.5), 0.75);
  assertEquals([data.observationSize, data.actionSize, data.actions], [3, 1, dataset.actions]);
  // The transitions' states have means 2 and 5, and deviations 1 and 0, plus 0.001.
  const expected = [-1 / 1.001, 0, -0.5, 1 / 1.001, 0, 0, 7 / 1.001, 4000, 0.5];
  expected.forEach((value, i) => assertAlmostEquals(data.observations[i]!, value, 1e-3));
  assertEquals([...rewards], [0.5, -0.25, 1]);
  // A discounted mean reward lies between the rewards; after a terminal state, rewards are 0.
  assertEquals(range, [-1, 4]);
});
