/** Threads of a software GPU: which they are, and that each has a processor of its own. */
import { assert, assertEquals } from "@std/assert";
import { Gpu } from "../../lib/gpu/device.ts";
import { computingThreads } from "../../lib/gpu/software_threads.ts";

/** Numbers the names as a process started them. */
function tasksOf(names: string): { id: number; name: string }[] {
  return names.split(" ").map((name, i) => ({ id: 100 + i, name }));
}

Deno.test("computingThreads() finds the threads that compute, of every device", () => {
  // As Mesa 22.3 and 25.0 start them on two processors: a device to ask, and one to compute with.
  const tasks = tasksOf(
    "deno V8 tokio llvmpipe-0 llvmpipe-1 deno deno deno:disk$0 " +
      "deno llvmpipe-0 llvmpipe-1 deno deno deno:disk$0 deno",
  );
  assertEquals(computingThreads(tasks, "deno"), [105, 106, 111, 112]);
  assertEquals(computingThreads(tasks.toReversed(), "deno"), [105, 106, 111, 112]);
  assertEquals(computingThreads(tasksOf("deno llvmpipe-0 deno deno:disk$0 deno"), "deno"), [102]);
  // Another thread may be started in between.
  assertEquals(computingThreads(tasksOf("deno llvmpipe-0 llvmpipe-1 deno V8 deno"), "deno"), [
    103,
    105,
  ]);
});

Deno.test("computingThreads() finds none where another driver computes", () => {
  assertEquals(computingThreads(tasksOf("deno V8 tokio deno nvidia deno"), "deno"), []);
});

// Files of /proc take all permissions.
const permitted = Deno.build.os === "linux" &&
  (["ffi", "read", "write", "env", "net", "run", "sys"] as const).every((name) =>
    Deno.permissions.querySync({ name }).state === "granted"
  );

Deno.test({
  name: "Gpu.open() binds the threads of Mesa's software driver to a processor each",
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
    // Those of one device lie on different processors, as far as there are any.
    const numbers = tasks.flatMap(({ name }) => name.match(/^llvmpipe-(\d+)$/)?.[1] ?? []);
    const count = Math.max(...numbers.map(Number)) + 1;
    const { hardwareConcurrency } = navigator;
    assertEquals(
      new Set(processors.slice(-count)).size,
      Math.min(count, hardwareConcurrency),
    );
    // The program's own thread goes where the system puts it.
    assert(hardwareConcurrency === 1 || !/^\d+$/.test(status(Deno.pid, "Cpus_allowed_list")));
  },
});
