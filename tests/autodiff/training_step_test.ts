/**
 * Tests training steps of several programs, with the example of small_td3.ts. Runs without
 * permissions.
 *
 * @module
 */
import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { Engine } from "../../lib/autodiff/engine.ts";
import { periodic } from "../../lib/optim/adam.ts";
import { bitsOf, build, type Built, reference, type SetName, sets, startOf } from "./small_td3.ts";

Deno.test("TrainingStep.submit(): delayed actor updates, targets and averages match double precision", async () => {
  using engine = await Engine.open();
  const seeds = [3, 8];
  const steps = 9;
  const { step, networks, store } = await build(engine, seeds);
  const metrics = await step.submit(0, steps);
  step.destroy();
  // The average covers only the steps in which the update runs.
  assertEquals(
    metrics.map((each) => Object.keys(each).toSorted().join()),
    Array.from(
      { length: steps },
      (_, i) => i % 3 === 1 ? "distance,loss_q,v_mean" : "loss_q,v_mean",
    ),
  );
  assert(metrics.every(({ distance }) => distance === undefined || distance.join() === "4,4"));
  for (const [replica, seed] of seeds.entries()) {
    const expected = reference(seed, steps);
    expected.losses.forEach((loss, i) => {
      const found = metrics[i]!.loss_q![replica]!;
      assert(Math.abs(found - loss) < 2e-6, `loss of step ${i}: ${found}, expected ${loss}`);
    });
    for (const name of sets) {
      const [values, start] = [
        [...(await networks[name].read())[replica]!.values()].flatMap((array) => [...array]),
        [...startOf(seed, name).values()].flatMap((array) => [...array]),
      ];
      const worst = Math.max(
        ...values.map((value, i) => Math.abs(value - expected.networks[name][i]!)),
      );
      assert(worst < 2e-6, `${name} differs by ${worst}`);
      assert(values.some((value, i) => Math.abs(value - start[i]!) > 1e-3), `${name} moved`);
    }
  }
  store.destroy();
});

Deno.test("TrainingStep.submit(): resuming at an odd step, in chunks of any size, is bit-identical", async () => {
  using engine = await Engine.open();
  const seeds = [3, 8];
  const whole = await build(engine, seeds);
  await whole.step.submit(0, 11);
  const expected = await bitsOf(whole);

  const before = await build(engine, seeds);
  await before.step.submit(0, 1);
  await before.step.submit(1, 4);
  // The contents of a checkpoint: weights, moments and the number of steps.
  const after = await build(engine, seeds);
  const pairs = [
    ...sets.map((name) => [name, undefined] as const),
    ...(["critic", "actor"] as const).flatMap((name) =>
      (["mean", "square"] as const).map((moment) => [name, moment] as const)
    ),
  ];
  for (const [name, moment] of pairs) {
    const storage = (built: Built) =>
      moment ? built.optimizers[name as "critic" | "actor"][moment] : built.networks[name].storage;
    const values = await before.networks[name].read(before.store, storage(before));
    values.forEach((each, replica) =>
      after.networks[name].write(after.store, replica, each, storage(after))
    );
  }
  await after.step.submit(5, 5);
  assertNotEquals(await bitsOf(after), expected);
  const [last] = await after.step.submit(10, 1);
  assertEquals(Object.keys(last!), ["loss_q", "v_mean", "distance"]);
  assertEquals(await bitsOf(after), expected);
  for (const { step, store } of [whole, before, after]) {
    step.destroy();
    store.destroy();
  }
});

Deno.test("TrainingStep: splitting the seeds among several buffers is bit-identical", async () => {
  using engine = await Engine.open();
  const seeds = [3, 8, 11, 12, 20, 21];
  const whole = await build(engine, seeds);
  await whole.step.submit(0, 6);
  const expected = await bitsOf(whole);
  const dispatches = whole.step.programs.map(({ dispatchesPerStep }) => dispatchesPerStep);
  for (const [slices, times] of [[2, [6, 2, 2]], [6, [6, 6, 6]]] as const) {
    const cut = await build(engine, seeds, (1.2 * whole.store.bytes) / slices);
    assertEquals(cut.store.slices, slices);
    // The activations of a program have as many slices as the store, or a multiple of that.
    const found = cut.step.programs.map(({ dispatchesPerStep }) => dispatchesPerStep);
    assertEquals(found, dispatches.map((each, program) => each * times[program]!));
    await cut.step.submit(0, 6);
    assertEquals(await bitsOf(cut), expected);
    cut.step.destroy();
    cut.store.destroy();
  }
  whole.step.destroy();
  whole.store.destroy();
});

Deno.test("TrainingStep.submit() makes one submission, one upload per program and no allocation", async () => {
  using engine = await Engine.open();
  const { step, store } = await build(engine, [3]);
  // The first chunk creates the staging buffers, and the bind groups of its rows of scalars.
  await step.submit(4, 60);
  const { device } = engine.gpu;
  const counts: Record<string, number> = {};
  const count = (object: object, name: string) => {
    const original = Reflect.get(object, name) as (...args: unknown[]) => unknown;
    counts[name] = 0;
    Object.defineProperty(object, name, {
      value: (...args: unknown[]) => {
        counts[name]!++;
        return original.apply(object, args);
      },
    });
  };
  for (const name of ["createBuffer", "createBindGroup", "createCommandEncoder"]) {
    count(device, name);
  }
  for (const name of ["writeBuffer", "submit"]) count(device.queue, name);
  await step.submit(4, 60);
  assertEquals(counts, {
    createBuffer: 0,
    createBindGroup: 0,
    createCommandEncoder: 1,
    writeBuffer: 3,
    submit: 1,
  });
  // In a step in which only the critic runs, only its scalars are uploaded.
  await step.submit(66, 1);
  assertEquals([counts.writeBuffer, counts.submit], [4, 2]);
  step.destroy();
  store.destroy();
});

Deno.test("minimize(): the gradient passes through a frozen network without changing it", async () => {
  using engine = await Engine.open();
  const built = await build(engine, [3]);
  const { networks, step, store } = built;
  const read = (name: SetName) => networks[name].read();
  const [critic, actor] = [await read("critic"), await read("actor")];
  // Runs only the actor's program, whose loss contains the critic.
  await step.programs[1]!.submit(0, 6);
  assertEquals(await read("critic"), critic);
  assertNotEquals(await read("actor"), actor);
  step.destroy();
  store.destroy();
});

Deno.test("periodic() returns the rate at every n-th update from the first one, and 0 otherwise", () => {
  const rate = periodic(0.5, { every: 3, first: 4 });
  assertEquals(Array.from({ length: 9 }, (_, k) => rate(k)), [0, 0, 0, 0, 0.5, 0, 0, 0.5, 0]);
});
