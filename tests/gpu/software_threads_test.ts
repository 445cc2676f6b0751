/** Tests the detection and pinning of a software GPU's threads. */
import { assert, assertEquals } from "@std/assert";
import { Gpu } from "../../lib/gpu/device.ts";
import { computingThreads } from "../../lib/gpu/software_threads.ts";

/** Assigns ids to thread names in the order in which a process started them. */
function tasksOf(names: string): { id: number; name: string }[] {
  return names.split(" ").map((name, i) => ({ id: 100 + i, name }));
}

Deno.test("computingThreads(): finds the compute threads of every device", () => {
  // As started by Mesa 22.3 and 25.0 on two CPUs, for two devices.
  const tasks = tasksOf(
    "deno V8 tokio llvmpipe-0 llvmpipe-1 deno deno deno:disk$0 " +
      "deno llvmpipe-0 llvmpipe-1 deno deno deno:disk$0 deno",
  );
  assertEquals(computingThreads(tasks, "deno"), [105, 106, 111, 112]);
  assertEquals(computingThreads(tasks.toReversed(), "deno"), [105, 106, 111, 112]);
  assertEquals(computingThreads(tasksOf("deno llvmpipe-0 deno deno:disk$0 deno"), "deno"), [102]);
  // Another thread may start in between.
  assertEquals(computingThreads(tasksOf("deno llvmpipe-0 llvmpipe-1 deno V8 deno"), "deno"), [
    103,
    105,
  ]);
});

Deno.test("computingThreads(): finds none with another driver", () => {
  assertEquals(computingThreads(tasksOf("deno V8 tokio deno nvidia deno"), "deno"), []);
});

// Reading files in /proc requires all permissions.
const permitted = Deno.build.os === "linux" &&
  (["ffi", "read", "write", "env", "net", "run", "sys"] as const).every((name) =>
    Deno.permissions.querySync({ name }).state === "granted"
  );

Deno.test({
  name: "Gpu.open(): pins each thread of Mesa's software driver to one CPU",
  ignore: !permitted,
  fn: async () => {
    const gpu = await Gpu.open();
    const { name } = gpu.adapter;
    gpu.close();
    if (!name.startsWith("llvmpipe")) return;
    const status = (id: number | string, field: string) =>
      Deno.readTextFileSync(`/proc/self/task/${id}/status`).match(`${field}:\\s*(.*)`)![1]!;
    const tasks = [...Deno.readDirSync("/proc/self/task")].map(({ name: id }) => ({
      id: Number(id),
      name: status(id, "Name"),
    }));
    const opener = Deno.readTextFileSync("/proc/thread-self/comm").trim();
    const threads = computingThreads(tasks, opener);
    assert(threads.length > 0);
    const processors = threads.map((id) => status(id, "Cpus_allowed_list"));
    assert(processors.every((list) => /^\d+$/.test(list)), processors.join(", "));
    // The threads of one device are on different CPUs, as far as there are enough.
    const numbers = tasks.flatMap(({ name }) => name.match(/^llvmpipe-(\d+)$/)?.[1] ?? []);
    const count = Math.max(...numbers.map(Number)) + 1;
    const { hardwareConcurrency } = navigator;
    assertEquals(
      new Set(processors.slice(-count)).size,
      Math.min(count, hardwareConcurrency),
    );
    // The program's own thread is not pinned.
    assert(hardwareConcurrency === 1 || !/^\d+$/.test(status(Deno.pid, "Cpus_allowed_list")));
  },
});
