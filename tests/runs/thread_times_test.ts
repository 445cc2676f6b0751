/** Tests the choice between all threads of a software GPU and one. */
import { assertEquals } from "@std/assert";
import { isAloneFaster } from "../../lib/runs/thread_times.ts";
import { projectFile } from "../data/files.ts";
import { stage, times } from "./thread_work.ts";

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
  name: "ThreadFile measures an adapter once, forgets another one, and leaves the user's choice",
  ignore: (["run", "env", "read", "write"] as const)
    .some((name) => Deno.permissions.querySync({ name }).state !== "granted"),
  fn: async () => {
    // In a process of its own, because the number of threads is one of the process's variables.
    const { success, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", projectFile("tests/runs/thread_choice.ts")],
      env: { LP_NUM_THREADS: "" },
    }).output();
    assertEquals([new TextDecoder().decode(stderr), success], ["", true]);
  },
});
