import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import type { EnvironmentBatch } from "../../../lib/envs/environment.ts";
import { makeEnvironment } from "../../../lib/envs/registry.ts";

const ignore = Deno.permissions.querySync({ name: "read" }).state !== "granted";

function test(name: string, fn: () => Promise<void>) {
  Deno.test({ name, ignore, fn });
}

/** Expected properties of a robot's task. */
interface Row {
  readonly duration: number;
  readonly hidden: number;
  readonly clip: number;
  readonly zeros: number;
  readonly bonus: number;
  readonly cost: number;
  readonly positionNoise: number;
  readonly normalVelocity: boolean;
}

const planarWalker = {
  duration: 0.008,
  hidden: 1,
  clip: 10,
  zeros: 0,
  bonus: 1,
  cost: 0.001,
  positionNoise: 0.005,
  normalVelocity: false,
};

const rows: Record<string, Row> = {
  hopper: planarWalker,
  walker2d: planarWalker,
  halfcheetah: {
    duration: 0.05,
    hidden: 1,
    clip: Infinity,
    zeros: 0,
    bonus: 0,
    cost: 0.1,
    positionNoise: 0.1,
    normalVelocity: true,
  },
  ant: {
    duration: 0.05,
    hidden: 2,
    clip: Infinity,
    zeros: 84,
    bonus: 1,
    cost: 0.5,
    positionNoise: 0.1,
    normalVelocity: true,
  },
};

async function stateOf(batch: EnvironmentBatch) {
  const { qpos, qvel } = (await batch.state())!;
  return { qpos, qvel };
}

for (const [robot, row] of Object.entries(rows)) {
  test(`${robot}: observes all positions except the first ${row.hidden}, and all velocities`, async () => {
    const batch = await makeEnvironment(robot, 1);
    const { qpos, qvel } = await stateOf(batch);
    qvel.forEach((_, i) => qvel[i] = i % 2 === 0 ? 12 + i : -12 - i);
    const observation = await batch.resetTo(qpos, qvel);
    assertEquals([...observation!], [
      ...qpos.slice(row.hidden),
      ...qvel.map((speed) => Math.max(-row.clip, Math.min(row.clip, speed))),
      ...Array(row.zeros).fill(0),
    ]);
    await batch.close();
  });

  test(`${robot}: the reward is speed plus healthy reward minus the cost of unclipped actions`, async () => {
    const batch = await makeEnvironment(robot, 1);
    await batch.reset([3]);
    const action = Float64Array.from(
      { length: batch.spec.actionSize },
      (_, k) => 2 * Math.sin(k + 1),
    );
    const squared = action.reduce((sum, entry) => sum + entry * entry, 0);
    for (let t = 0; t < 3; t++) {
      const before = (await stateOf(batch)).qpos;
      const { rewards } = await batch.step(action);
      const after = (await stateOf(batch)).qpos;
      const speed = (after[0]! - before[0]!) / row.duration;
      // The ant's torso position is read before the last of five timesteps (0.01 s each) is
      // integrated, so its speed is less precise.
      const tolerance = robot === "ant" ? 0.4 : 1e-9;
      assertAlmostEquals(rewards[0]!, speed + row.bonus - row.cost * squared, tolerance);
    }
    await batch.close();
  });

  test(`${robot}: starts in the initial pose with the specified noise`, async () => {
    const count = 1500;
    const batch = await makeEnvironment(robot, 1);
    const initial = (await stateOf(batch)).qpos;
    const positions: number[] = [];
    const velocities: number[] = [];
    for (let seed = 0; seed < count; seed++) {
      await batch.reset([seed]);
      const { qpos, qvel } = await stateOf(batch);
      positions.push(...qpos.map((at, i) => at - initial[i]!));
      velocities.push(...qvel);
    }
    await batch.close();
    const deviation = (values: number[]) =>
      Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length);
    const largest = (values: number[]) => Math.max(...values.map(Math.abs));
    // Tolerances are five standard errors: n is at least 9000, and the relative standard error of a
    // standard deviation is below 1 / √(2n) = 0.75 %.
    const noise = row.positionNoise;
    assert(largest(positions) <= noise + 1e-15 && largest(positions) > 0.99 * noise);
    assertAlmostEquals(deviation(positions), noise / Math.sqrt(3), 0.0375 * noise);
    if (row.normalVelocity) {
      assertAlmostEquals(deviation(velocities), 0.1, 0.00375);
      assert(largest(velocities) > 0.3);
    } else {
      assert(largest(velocities) <= 0.005 && largest(velocities) > 0.00495);
      assertAlmostEquals(deviation(velocities), 0.005 / Math.sqrt(3), 0.0375 * 0.005);
    }
  });
}

/** Returns whether a step from the given positions and speeds (0 by default) ends the episode. */
async function ends(
  robot: string,
  positions: Record<number, number>,
  speeds: Record<number, number> = {},
): Promise<boolean> {
  const batch = await makeEnvironment(robot, 1);
  const { qpos, qvel } = await stateOf(batch);
  for (const [i, value] of Object.entries(positions)) qpos[Number(i)] = value;
  for (const [i, value] of Object.entries(speeds)) qvel[Number(i)] = value;
  await batch.resetTo(qpos, qvel);
  const { terminated } = await batch.step(new Float64Array(batch.spec.actionSize));
  await batch.close();
  return terminated[0] === 1;
}

// A step of 0.008 s in free fall loses 0.3 mm; tested heights are farther from their bounds.
test("hopper: terminates below a height of 0.7, beyond an angle of 0.2, and with a state beyond 100", async () => {
  assertEquals(await ends("hopper", { 1: 1.25 }), false);
  assertEquals(await ends("hopper", { 1: 5 }), false);
  assertEquals(await ends("hopper", { 1: 5, 2: 0.199 }), false);
  assertEquals(await ends("hopper", { 1: 5, 2: 0.201 }), true);
  assertEquals(await ends("hopper", { 1: 5, 2: -0.201 }), true);
  assertEquals(await ends("hopper", { 1: 0.701, 3: -1.2, 4: -2.4 }, { 1: 0.5 }), false);
  assertEquals(await ends("hopper", { 1: 0.699, 3: -1.2, 4: -2.4 }), true);
  assertEquals(await ends("hopper", { 0: 1000, 1: 5 }), false);
  assertEquals(await ends("hopper", { 1: 5 }, { 0: 99 }), false);
  assertEquals(await ends("hopper", { 1: 5 }, { 0: 101 }), true);
});

test("walker2d: terminates outside heights of 0.8 to 2 and beyond an angle of 1", async () => {
  assertEquals(await ends("walker2d", { 1: 1.25 }), false);
  assertEquals(await ends("walker2d", { 1: 1.999 }), false);
  assertEquals(await ends("walker2d", { 1: 2.001 }), true);
  assertEquals(await ends("walker2d", { 1: 0.799, 3: -1.2, 6: -1.2, 4: -2.4, 7: -2.4 }), true);
  assertEquals(
    await ends("walker2d", { 1: 0.801, 3: -1.2, 6: -1.2, 4: -2.4, 7: -2.4 }, { 1: 0.5 }),
    false,
  );
  assertEquals(await ends("walker2d", { 1: 1.9, 2: 0.999 }), false);
  assertEquals(await ends("walker2d", { 1: 1.9, 2: 1.001 }), true);
  assertEquals(await ends("walker2d", { 1: 1.9, 2: -1.001 }), true);
  assertEquals(await ends("walker2d", { 1: 1.9 }, { 0: 200 }), false);
});

test("halfcheetah: never terminates, not even on its back", async () => {
  assertEquals(await ends("halfcheetah", { 2: Math.PI }), false);
  assertEquals(await ends("halfcheetah", { 1: 20 }), false);
});

test("ant: terminates outside heights of 0.2 to 1", async () => {
  // Ankles within their limits. A step of 0.05 s in free fall loses 12 mm.
  const ankles = { 8: 1, 10: -1, 12: -1, 14: 1 };
  assertEquals(await ends("ant", { ...ankles, 2: 1.005 }), false);
  assertEquals(await ends("ant", { ...ankles, 2: 1.02 }), true);
  assertEquals(await ends("ant", { ...ankles, 2: 0.9 }, { 2: 3 }), true);
  // The ground pushes the ant out at once unless it starts far below and moves downwards.
  const batch = await makeEnvironment("ant", 1);
  const { qpos, qvel } = await stateOf(batch);
  qpos[2] = -1;
  qvel[2] = -40;
  await batch.resetTo(qpos, qvel);
  const { observations, terminated } = await batch.step(new Float64Array(8));
  assert(observations[0]! < 0.2);
  assertEquals(terminated[0], 1);
  await batch.close();
});

test("locomotion: random actions earn the known returns of random policies", async () => {
  // Known returns over many episodes: walker2d 1.6, halfcheetah -302 ± 86, hopper 18 ± 16.
  const meanReturn = async (robot: string, count: number) => {
    const batch = await makeEnvironment(robot, count);
    let state = 1;
    const uniform = () => (state = (state * 48271) % 2147483647) / 2147483647 * 2 - 1;
    await batch.reset(Array.from({ length: count }, (_, i) => i));
    let running = Array.from({ length: count }, (_, i) => i);
    let sum = 0;
    while (running.length > 0) {
      const actions = Float64Array.from(
        { length: running.length * batch.spec.actionSize },
        uniform,
      );
      const step = await batch.step(actions, running);
      sum += step.rewards.reduce((total, reward) => total + reward);
      running = running.filter((_, i) => step.terminated[i] === 0 && step.truncated[i] === 0);
    }
    await batch.close();
    return sum / count;
  };
  // Tolerances are three standard errors of the mean return.
  assertAlmostEquals(await meanReturn("hopper", 100), 18, 3 * 16 / 10);
  assertAlmostEquals(await meanReturn("halfcheetah", 6), -302, 3 * 86 / Math.sqrt(6));
  assertAlmostEquals(await meanReturn("walker2d", 100), 1.6, 3 * 6.5 / 10);
});
