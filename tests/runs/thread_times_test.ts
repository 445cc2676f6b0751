/** Tests the choice between all threads of a software GPU and one. */
import { assert, assertEquals } from "@std/assert";
import { join } from "node:path";
import { Gpu } from "../../lib/gpu/device.ts";
import { isAloneFaster, largeFlops, ThreadFile } from "../../lib/runs/thread_times.ts";

const granted = (["env", "read", "write"] as const)
  .every((name) => Deno.permissions.querySync({ name }).state === "granted");

/** Waking threads takes 30 µs more, and two threads are twice as fast as one. */
const times = {
  all: { small: 40e-6, large: 40e-6 + largeFlops / 80e9 },
  alone: { small: 10e-6, large: 10e-6 + largeFlops / 40e9 },
};

/** Stages of a thousand steps of ten dispatches. */
const stage = (megaflopsPerDispatch: number) => ({
  stage: "critic",
  steps: 1000,
  dispatches: 10,
  flops: 10 * 1e6 * megaflopsPerDispatch,
});

Deno.test("isAloneFaster() weighs the time to wake threads against the FLOPs", () => {
  // 30 µs are 2.4 MFLOP at the difference between 1 / 40 and 1 / 80 s per GFLOP.
  assertEquals(isAloneFaster(times, [[stage(2.3)]]), true);
  assertEquals(isAloneFaster(times, [[stage(2.5)]]), false);
  assertEquals(isAloneFaster(times, [[stage(2.5)], [stage(0.1)]]), true);
  const fast = { ...times, alone: times.all };
  assertEquals(isAloneFaster(fast, [[stage(1)]]), false);
});

Deno.test("isAloneFaster() takes into account that one thread per stage computes at once", () => {
  assertEquals(isAloneFaster(times, [[stage(5)], [stage(5)]]), false);
  assertEquals(isAloneFaster(times, [[stage(5), stage(5)]]), true);
  // The larger stage decides how long both take.
  assertEquals(isAloneFaster(times, [[stage(9), stage(0.1)]]), false);
});

Deno.test({
  name: "ThreadFile measures an adapter once, and forgets another one",
  ignore: !granted,
  fn: async () => {
    const folder = Deno.makeTempDirSync();
    const given = Deno.env.get("LP_NUM_THREADS");
    const path = join(folder, "threads.json");
    const choose = async (megaflops: number) => {
      Deno.env.delete("LP_NUM_THREADS");
      const alone = await new ThreadFile(path).computeAloneIfFaster([[stage(megaflops)]]);
      assertEquals(Deno.env.get("LP_NUM_THREADS"), alone ? "0" : undefined);
      return alone;
    };
    const gpu = await Gpu.open();
    try {
      // Nothing is measured for very small or large dispatches.
      assertEquals([await choose(0.01), await choose(30)], [true, false]);
      assertEquals([...Deno.readDirSync(folder)], []);
      await choose(1);
      const [[key, measured]] = Object.entries(JSON.parse(Deno.readTextFileSync(path))) as [
        [string, { adapter: string; times: typeof times | null }],
      ];
      if (gpu.adapter.software) {
        const { all, alone } = measured.times!;
        assert([all, alone].every(({ small, large }) => 0 < small && small < large));
      } else assertEquals(measured.times, null);
      // What is known is not measured again.
      const known = { adapter: measured.adapter, times };
      Deno.writeTextFileSync(path, JSON.stringify({ [key]: known }));
      assertEquals([await choose(2.3), await choose(2.5)], [true, false]);
      new ThreadFile(path).confirm(gpu.adapter);
      assertEquals(JSON.parse(Deno.readTextFileSync(path)), { [key]: known });
      new ThreadFile(path).confirm({ ...gpu.adapter, driverVersion: "Mesa 1" });
      assertEquals(JSON.parse(Deno.readTextFileSync(path)), {});
      // The user's choice counts.
      Deno.env.set("LP_NUM_THREADS", "3");
      assertEquals(await new ThreadFile(path).computeAloneIfFaster([[stage(0.01)]]), false);
    } finally {
      gpu.close();
      if (given === undefined) Deno.env.delete("LP_NUM_THREADS");
      else Deno.env.set("LP_NUM_THREADS", given);
      Deno.removeSync(folder, { recursive: true });
    }
  },
});
