import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { srpo } from "../../lib/algorithms/srpo/algorithm.ts";
import { hyperparametersFor } from "../../lib/algorithms/srpo/hyperparameters.ts";
import { ReplayBuffer } from "../../lib/data/replay_buffer.ts";
import { RunDirectory } from "../../lib/runs/directory.ts";
import { flopsPerDispatch, RunEstimate, workOf } from "../../lib/runs/estimate.ts";
import { formatProgress } from "../../lib/runs/progress.ts";
import { tiny } from "./tiny_run.ts";

const stages = [
  { stage: "critic", steps: 100, flops: 2e6, dispatches: 16 },
  { stage: "behavior", steps: 50, flops: 8e6, dispatches: 32 },
  { stage: "policy", steps: 10, flops: 1e6, dispatches: 26 },
] as const;
const estimate = new RunEstimate(stages.map((stage) => [stage]));

Deno.test("RunEstimate.total() divides the FLOPs of all stages by the adapter's rate", () => {
  assertAlmostEquals(estimate.total(1e8), (2e8 + 4e8 + 1e7) / 1e8);
});

Deno.test("RunEstimate.after() uses the FLOP rate of the current stage for later ones", () => {
  // 50 steps/s of the critic are 1e8 FLOP/s.
  assertAlmostEquals(estimate.after("critic", 50), 4.1);
  assertAlmostEquals(estimate.after("behavior", 12.5), 0.1);
  assertEquals(estimate.after("policy", 3), 0);
});

Deno.test("RunEstimate counts the longest of the stages that are trained at the same time", () => {
  const [critic, behavior, policy] = stages;
  const together = new RunEstimate([[critic, behavior], [policy]]);
  assertAlmostEquals(together.total(1e8), (4e8 + 1e7) / 1e8);
  assertAlmostEquals(together.after("critic", 50), 0.1);
  assertAlmostEquals(together.after("behavior", 12.5), 0.1);
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

Deno.test("workOf() counts FLOPs and dispatches of a run without a GPU", async () => {
  const rows = 20;
  const outline = new ReplayBuffer(null, {
    ...{ rows, observationSize: 4, actionSize: 2 },
    observations: new Float32Array(rows * 4),
    actions: new Float32Array(rows * 2),
    terminals: new Float32Array(rows),
    transitions: Uint32Array.from({ length: rows - 1 }, (_, i) => i),
  }, new Float32Array(rows));
  const hyperparameters = hyperparametersFor("maze2d", "quick", tiny);
  const work = await workOf(
    {
      algorithm: srpo,
      directory: new RunDirectory("none"),
      hyperparameters,
      seeds: [0, 1],
      variants: [],
    },
    ["critic", "policy"],
    outline,
  );
  assertEquals(work.map(({ stage, steps }) => [stage, steps]), [["critic", 40], ["policy", 40]]);
  const [critic, policy] = work as [typeof work[0], typeof work[0]];
  assertEquals(critic.dispatches, 16);
  // As many steps of both, so the average weighs both stages by their dispatches.
  assertAlmostEquals(
    flopsPerDispatch(work),
    (critic.flops + policy.flops) / (critic.dispatches + policy.dispatches),
  );
  // The first layer of one Q-network alone: 8 rows, 6 inputs, 8 outputs, two networks, two seeds.
  assert(critic.flops > 2 * 8 * 6 * 8 * 4, String(critic.flops));
});
