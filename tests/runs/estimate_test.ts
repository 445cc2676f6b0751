import { assertAlmostEquals, assertEquals } from "@std/assert";
import { RunEstimate } from "../../lib/runs/estimate.ts";
import { formatProgress } from "../../lib/runs/progress.ts";

const estimate = new RunEstimate([
  { stage: "critic", steps: 100, flops: 2e6 },
  { stage: "behavior", steps: 50, flops: 8e6 },
  { stage: "policy", steps: 10, flops: 1e6 },
]);

Deno.test("RunEstimate.total() is the operations of all stages over the adapter's rate", () => {
  assertAlmostEquals(estimate.total(1e8), (2e8 + 4e8 + 1e7) / 1e8);
});

Deno.test("RunEstimate.after() takes the pace of the stage under way for those that follow", () => {
  // 50 steps a second of the critic are 1e8 operations.
  assertAlmostEquals(estimate.after("critic", 50), 4.1);
  assertAlmostEquals(estimate.after("behavior", 12.5), 0.1);
  assertEquals(estimate.after("policy", 3), 0);
});

Deno.test("formatProgress() shows the time left of the stage and of all", () => {
  const state = { stage: "critic", step: 40, total: 100, stepsPerSecond: 10, losses: {} };
  assertEquals(
    formatProgress({ ...state, laterSeconds: 60 }),
    "critic    40/100  40 %  10.0 steps/s  0:06 left (all stages 1:06)",
  );
  assertEquals(
    formatProgress({ ...state, laterSeconds: 0 }),
    "critic    40/100  40 %  10.0 steps/s  0:06 left",
  );
});
