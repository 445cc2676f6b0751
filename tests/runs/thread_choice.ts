/**
 * Checks `ThreadFile` in a process of its own, for `thread_times_test.ts`. It fails with an error.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { join } from "node:path";
import { Gpu } from "../../lib/gpu/device.ts";
import { ThreadFile } from "../../lib/runs/thread_times.ts";
import { stage, times } from "./thread_work.ts";

const folder = Deno.makeTempDirSync();
const path = join(folder, "threads.json");
const threads = () => Deno.env.get("LP_NUM_THREADS") || undefined;
const choose = async (megaflops: number) => {
  const alone = await new ThreadFile(path).computeAloneIfFaster([[stage(megaflops)]]);
  assertEquals(threads(), alone ? "0" : undefined);
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
  assertEquals(threads(), "3");
} finally {
  gpu.close();
  Deno.removeSync(folder, { recursive: true });
}
