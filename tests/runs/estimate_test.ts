import { assertAlmostEquals, assertEquals } from "@std/assert";
import { RunEstimate } from "../../lib/runs/estimate.ts";
import { formatProgress } from "../../lib/runs/progress.ts";

const estimate = new RunEstimate([
  { stage: "critic", steps: 100, flops: 2e6 },
  { stage: "behavior", steps: 50, flops: 8e6 },
  { stage: "policy", steps: 10, flops: 1e6 },
]);

Deno.test("RunEstimate.total() divides the FLOPs of all stages by the adapter's rate", () => {
  assertAlmostEquals(estimate.total(1e8), (2e8 + 4e8 + 1e7) / 1e8);
});

Deno.test("RunEstimate.after() uses the FLOP rate of the current stage for later ones", () => {
  // 50 steps/s of the critic are 1e8 FLOP/s.
  assertAlmostEquals(estimate.after("critic", 50), 4.1);
  assertAlmostEquals(estimate.after("behavior", 12.5), 0.1);
  assertEquals(estimate.after("policy", 3), 0);
});

Deno.test("formatProgress() shows the time left for the stage and for all stages", () => {
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
