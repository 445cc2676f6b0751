import { assert, assertAlmostEquals, assertEquals, assertRejects } from "@std/assert";
import { Engine } from "../../lib/autodiff/engine.ts";
import type { OfflineDataset } from "../../lib/data/offline_dataset.ts";
import type { Policy } from "../../lib/nn/host/policy.ts";
import { fittedQEstimate } from "../../lib/runs/fitted_q.ts";
import { UserError } from "../../lib/errors.ts";

/**
 * A chain of three states, 0 → 1 → 2, whose last step is terminal. The action's sign decides the
 * reward: 1 for positive actions, 0 for others. Every state and both actions occur equally often.
 */
function chain(): OfflineDataset {
  const episodes = 200;
  const rows = 3 * episodes;
  const action = (row: number) => (Math.floor(row / 3) >> (row % 3)) & 1 ? 0.5 : -0.5;
  return {
    sources: [],
    rows,
    observationSize: 2,
    actionSize: 1,
    observations: Float32Array.from({ length: 2 * rows }, (_, i) => {
      const state = Math.floor(i / 2) % 3;
      return i % 2 === 0 ? state : Number(state === 1);
    }),
    actions: Float32Array.from({ length: rows }, (_, row) => action(row)),
    rewards: Float32Array.from({ length: rows }, (_, row) => action(row) > 0 ? 1 : 0),
    terminals: Float32Array.from({ length: rows }, (_, row) => Number(row % 3 === 2)),
    timeouts: new Float32Array(rows),
    hasTimeouts: true,
    transitions: Uint32Array.from({ length: rows - 1 }, (_, row) => row),
  };
}

/** A policy that acts by the state's first entry. */
function acting(act: (state: number) => number): Policy {
  return {
    observationSize: 2,
    actionSize: 1,
    act: (observations) =>
      Float64Array.from({ length: observations.length / 2 }, (_, i) => act(observations[2 * i]!)),
  };
}

const quiet = { acted: () => {}, trained: () => {} };
const options = { steps: 800, discount: 0.8, width: 32, batchSize: 32 };

Deno.test("fittedQEstimate() finds the discounted returns of policies on a chain", async () => {
  using engine = await Engine.open();
  const { signal } = new AbortController();
  const estimate = (policy: Policy, seeds: number[]) =>
    fittedQEstimate(engine, chain(), policy, options, seeds, quiet, signal);
  // 1 + γ + γ², and γ.
  const always = await estimate(acting(() => 0.5), [0, 1]);
  const middle = await estimate(acting((state) => state === 1 ? 0.5 : -0.5), [0]);
  for (const value of always.values) assertAlmostEquals(value, 1 + 0.8 + 0.64, 0.1);
  assertAlmostEquals(middle.mean, 0.8, 0.1);

  assertEquals([always.starts, always.discount, always.steps], [200, 0.8, 800]);
  assert(always.values[0] !== always.values[1]);
  const [low, high] = always.interval!;
  assertEquals([low, high], [Math.min(...always.values), Math.max(...always.values)]);
  assertEquals(middle.interval, null);
});

Deno.test("fittedQEstimate() rejects policies of other sizes, and stops at a signal", async () => {
  using engine = await Engine.open();
  const stop = new AbortController();
  const estimate = (policy: Policy) =>
    fittedQEstimate(engine, chain(), policy, options, [0], {
      acted: () => {},
      trained: () => stop.abort(new UserError("stopped")),
    }, stop.signal);
  await assertRejects(
    () => estimate({ ...acting(() => 0), actionSize: 2 }),
    UserError,
    "2 action entries, but the data have 2 and 1",
  );
  await assertRejects(() => estimate(acting(() => NaN)), UserError, "is NaN for row 0");
  await assertRejects(() => estimate(acting(() => 0)), UserError, "stopped");
});
