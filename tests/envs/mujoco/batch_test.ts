import { assert, assertEquals, assertNotEquals, assertRejects } from "@std/assert";
import { UserError } from "../../../lib/errors.ts";
import { mjcf } from "../../../lib/envs/mujoco/mjcf.ts";
import { halfcheetah } from "../../../lib/envs/mujoco/robots/halfcheetah.ts";
import { hopper } from "../../../lib/envs/mujoco/robots/hopper.ts";
import { compile, mujoco, Simulation } from "../../../lib/envs/mujoco/simulation.ts";
import { makeEnvironment } from "../../../lib/envs/registry.ts";

const ignore = Deno.permissions.querySync({ name: "read" }).state !== "granted";

function test(name: string, fn: () => Promise<void>) {
  Deno.test({ name, ignore, fn });
}

test("MujocoBatch: the same seed gives bit-identical episodes in every environment", async () => {
  const batch = await makeEnvironment("walker2d", 3);
  const actions = Float64Array.from({ length: 3 * 6 }, (_, i) => Math.sin(i % 6));
  const run = async () => {
    const parts = [await batch.reset([11, 12, 11])];
    for (let t = 0; t < 8; t++) {
      const step = await batch.step(actions);
      parts.push(step.observations, step.rewards);
    }
    return parts;
  };
  const first = await run();
  assertEquals(await run(), first);
  const [start, next] = [first[0]!, first[1]!];
  assertEquals(start.slice(0, 17), start.slice(34, 51));
  assertEquals(next.slice(0, 17), next.slice(34, 51));
  assertNotEquals(start.slice(0, 17), start.slice(17, 34));
  await batch.close();
});

test("MujocoBatch.step(): moves only the environments of the given indices", async () => {
  const batch = await makeEnvironment("halfcheetah", 3);
  const all = await batch.reset([1, 2, 3]);
  const step = await batch.step(new Float64Array(12).fill(0.5), [2, 0]);
  assertEquals(step.rewards.length, 2);
  const { qpos } = (await batch.state([1]))!;
  assertEquals([...qpos.slice(1)], [...all.slice(17, 17 + 8)]);
  const { qpos: moved } = (await batch.state([2]))!;
  assertEquals([...moved.slice(1)], [...step.observations.slice(0, 8)]);
  await batch.close();
});

test("MujocoBatch.step(): truncates at the step limit, then requires a reset", async () => {
  const batch = await makeEnvironment("halfcheetah", 2);
  await batch.reset([1, 2]);
  const still = new Float64Array(12);
  for (let t = 1; t < 1000; t++) {
    const { terminated, truncated } = await batch.step(still);
    assertEquals([...terminated, ...truncated], [0, 0, 0, 0]);
    // The second environment restarts, so that it does not reach its limit with the first.
    if (t === 500) await batch.reset([3], [1]);
  }
  const { terminated, truncated } = await batch.step(still);
  assertEquals([...terminated, ...truncated], [0, 0, 1, 0]);
  const message = "environment 0 has finished its episode; reset it first";
  await assertRejects(() => batch.step(still), UserError, message);
  await batch.step(new Float64Array(6), [1]);
  await batch.reset([4], [0]);
  await batch.step(still);
  await batch.close();
});

test("MujocoBatch.step(): terminates after a fall, then requires a reset", async () => {
  const batch = await makeEnvironment("hopper", 2);
  const { qpos, qvel } = (await batch.state())!;
  qpos[6 + 1] = 0.5;
  await batch.resetTo(qpos, qvel);
  const { terminated, truncated } = await batch.step(new Float64Array(6));
  assertEquals([...terminated, ...truncated], [0, 1, 0, 0]);
  const message = "environment 1 has finished its episode; reset it first";
  await assertRejects(() => batch.step(new Float64Array(6)), UserError, message);
  await batch.close();
});

test("MujocoBatch.step(): rejects an environment without an episode", async () => {
  const batch = await makeEnvironment("hopper", 2);
  await batch.reset([1], [0]);
  const message = "environment 1 has no episode yet; reset it first";
  await assertRejects(() => batch.step(new Float64Array(6)), UserError, message);
  await batch.close();
});

test("MujocoBatch.step(): rejects NaN and infinite actions, naming the environment", async () => {
  const batch = await makeEnvironment("hopper", 4);
  await batch.reset([1, 2, 3, 4]);
  const before = await batch.state();
  for (const bad of [NaN, Infinity, -Infinity]) {
    const actions = new Float64Array(6);
    actions[4] = bad;
    const message = `the action of environment 3 is not finite (entry 1 is ${bad})`;
    await assertRejects(() => batch.step(actions, [0, 3]), UserError, message);
  }
  assertEquals(await batch.state(), before);
  await batch.close();
});

test("MujocoBatch.step(): reports a diverged simulation; the others continue and it recovers after a reset", async () => {
  const batch = await makeEnvironment("halfcheetah", 3);
  await batch.reset([1, 2, 3]);
  const { qpos, qvel } = (await batch.state([1]))!;
  await batch.resetTo(qpos, qvel.fill(1e11), [1]);
  const before = (await batch.state([2]))!.qpos;
  const message = "environment 1: the simulation broke down (NaN, infinite or huge velocity";
  const still = new Float64Array(18);
  await assertRejects(() => batch.step(still), UserError, message);
  assertNotEquals((await batch.state([2]))!.qpos, before);
  await assertRejects(() => batch.step(still), UserError, "environment 1 has finished");
  await batch.step(new Float64Array(12), [0, 2]);
  await batch.reset([5], [1]);
  await batch.step(still);
  await batch.close();
});

test("MujocoBatch.step(): reports a simulation that diverges during a step", async () => {
  const batch = await makeEnvironment("ant", 1);
  await batch.reset([1]);
  const { qpos, qvel } = (await batch.state())!;
  // The speed itself is accepted, but the joints diverge within the step.
  await batch.resetTo(qpos, qvel.fill(1e9));
  const error = await assertRejects(() => batch.step(new Float64Array(8)), UserError, "broke down");
  assert(/NaN, infinite or huge (position|velocity|acceleration)/.test(error.message));
  await batch.close();
});

test("MujocoBatch.resetTo(): starts an episode at the given state with step count zero", async () => {
  const batch = await makeEnvironment("maze2d-open-v0", 1);
  await batch.reset([1]);
  for (let t = 0; t < 100; t++) await batch.step(new Float64Array(2));
  const start = await batch.resetTo(Float64Array.of(2, 3), Float64Array.of(0.5, -0.5));
  assertEquals([...start!], [2, 3, 0.5, -0.5]);
  for (let t = 1; t <= 150; t++) {
    assertEquals((await batch.step(new Float64Array(2))).truncated[0], Number(t === 150));
  }
  await batch.close();
});

test("MujocoBatch: rejects wrong sizes, indices and seeds, and use after close()", async () => {
  const batch = await makeEnvironment("hopper", 2);
  const six = new Float64Array(6);
  const refusals: [() => Promise<unknown>, string][] = [
    [() => batch.reset([1]), "one seed for each of the 2 environments, got 1"],
    [() => batch.reset([1, -1]), "a seed must be a whole number from 0 to 2^53 - 1, got -1"],
    [() => batch.reset([1], [2]), "there is no environment 2, only 0 to 1"],
    [() => batch.reset([1, 2], [0, 0]), "environment indices must be distinct, got 0, 0"],
    [() => batch.step(new Float64Array(3)), "needs 2 × 3 action entries, got 3"],
    [() => batch.resetTo(six, six), "2 × 6 positions and 2 × 6 velocities, got 6 and 6"],
    [() => batch.resetTo(six.slice().fill(NaN), six, [0]), "must be finite"],
  ];
  for (const [refused, message] of refusals) await assertRejects(refused, UserError, message);
  await batch.close();
  await batch.close();
  await assertRejects(() => batch.reset([1, 2]), UserError, "these environments are closed");
});

test("Simulation: recreates its views after the heap has grown", async () => {
  const module = await mujoco();
  const model = compile(module, mjcf(hopper, "mjpy", "1M"));
  const first = new Simulation(module, model);
  const stale = first.qpos;
  const others: Simulation[] = [];
  while (stale.length > 0) others.push(new Simulation(module, model));
  first.reset();
  first.qpos[1] = 3;
  first.ctrl[0] = 1;
  first.step(1);
  assert(first.qpos[1]! > 2.99 && first.qvel[3]! !== 0);
  for (const simulation of [first, ...others]) simulation.delete();
  model.delete();
});

test("MujocoBatch.close(): creating and closing 10,000 environments does not grow memory", async () => {
  const module = await mujoco();
  const model = compile(module, mjcf(hopper, "mjpy", "256K"));
  const probe = new Simulation(module, model);
  const makeAndDelete = async (count: number) => {
    for (let made = 0; made < count; made += 100) {
      const batch = await makeEnvironment("hopper", 100);
      await batch.reset(Array.from({ length: 100 }, (_, i) => i));
      await batch.step(new Float64Array(300));
      await batch.close();
    }
    return probe.qpos.buffer.byteLength;
  };
  const warm = await makeAndDelete(200);
  assertEquals(await makeAndDelete(10_000), warm);
  probe.delete();
  model.delete();
});

test("mjcf(): hopper's bodies have the masses of the profile's MuJoCo, and the cheetah has 14 kg", async () => {
  const module = await mujoco();
  const masses = (robot: typeof hopper, profile: "mjpy" | "mj22") => {
    const model = compile(module, mjcf(robot, profile, "256K"));
    const mass = Array.from(model.body_mass as Float64Array).slice(1);
    model.delete();
    return mass;
  };
  const rounded = (values: number[]) => values.map((value) => value.toFixed(3));
  assertEquals(rounded(masses(hopper, "mjpy")), ["3.534", "3.927", "2.714", "5.089"]);
  assertEquals(rounded(masses(hopper, "mj22")), ["3.665", "4.058", "2.781", "5.316"]);
  const total = masses(halfcheetah, "mjpy").reduce((sum, mass) => sum + mass);
  assertEquals(total.toFixed(9), "14.000000000");
});
