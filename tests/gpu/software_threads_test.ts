/** Tests how many threads of a software GPU compute, and where. */
import { assert, assertEquals } from "@std/assert";
import { Gpu } from "../../lib/gpu/device.ts";
import {
  busyElsewhere,
  computeAlone,
  computingThreads,
  mayChooseThreads,
  parseProcessorUse,
  waitingShare,
} from "../../lib/gpu/software_threads.ts";
import { inOwnProcess } from "../support/own_process.ts";

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
  assertEquals(computingThreads(tasks, "deno"), [[105, 106], [111, 112]]);
  assertEquals(computingThreads(tasks.toReversed(), "deno"), [[105, 106], [111, 112]]);
  assertEquals(computingThreads(tasksOf("deno llvmpipe-0 deno deno:disk$0 deno"), "deno"), [[102]]);
  // Another thread may start in between.
  assertEquals(computingThreads(tasksOf("deno llvmpipe-0 llvmpipe-1 deno V8 deno"), "deno"), [
    [103, 105],
  ]);
});

Deno.test("computingThreads(): finds none with another driver", () => {
  assertEquals(computingThreads(tasksOf("deno V8 tokio deno nvidia deno"), "deno"), []);
});

const use = (busy: number, idle: number, own: number) =>
  parseProcessorUse(
    `cpu  ${busy} 0 0 ${idle} 0 0 0 0 0 0\ncpu0 1 0 0 1 0\ncpu1 1 0 0 1 0\nintr 5`,
    `77 (a (name) 1) S 1 1 1 0 -1 0 0 0 0 0 ${own - 2} 2 0 0 20 0`,
  );

Deno.test("busyElsewhere() counts the CPUs that other processes keep busy", () => {
  // 200 ticks on two CPUs: 150 busy, of which 100 by this process, so 50 of 100 ticks of one CPU.
  assertEquals(busyElsewhere(use(1000, 500, 10), use(1150, 550, 110)), 0.5);
  assertEquals(busyElsewhere(use(1000, 500, 10), use(1150, 550, 170)), 0);
  assertEquals(busyElsewhere(use(1000, 500, 10), use(1000, 500, 10)), 0);
});

Deno.test("waitingShare() is the part of a thread's time that it waited for a CPU", () => {
  assertEquals(waitingShare({ ran: 100, waited: 50 }, { ran: 160, waited: 90 }), 0.4);
  assertEquals(waitingShare({ ran: 100, waited: 50 }, { ran: 100, waited: 50 }), 0);
});

Deno.test({
  name: "computeAlone() sets LP_NUM_THREADS, but not over a given value",
  ignore: Deno.permissions.querySync({ name: "env" }).state !== "granted",
  fn: () => {
    const given = Deno.env.get("LP_NUM_THREADS");
    try {
      Deno.env.set("LP_NUM_THREADS", "3");
      assertEquals([mayChooseThreads(), computeAlone()], [false, false]);
      assertEquals(Deno.env.get("LP_NUM_THREADS"), "3");
      Deno.env.delete("LP_NUM_THREADS");
      assertEquals([mayChooseThreads(), computeAlone()], [true, true]);
      assertEquals(Deno.env.get("LP_NUM_THREADS"), "0");
    } finally {
      if (given === undefined) Deno.env.delete("LP_NUM_THREADS");
      else Deno.env.set("LP_NUM_THREADS", given);
    }
  },
});

// Reading files in /proc requires all permissions.
const permitted = Deno.build.os === "linux" &&
  (["ffi", "read", "write", "env", "net", "run", "sys"] as const).every((name) =>
    Deno.permissions.querySync({ name }).state === "granted"
  );

const pins = "Gpu.open() pins the threads of a software driver that has one for every CPU, or none";

Deno.test({
  name: pins,
  ignore: !permitted,
  // Files that are tested at the same time have devices and threads in this process.
  fn: inOwnProcess(import.meta.url, pins, async () => {
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
    const threads = computingThreads(tasks, opener).at(-1) ?? [];
    const { hardwareConcurrency } = navigator;
    const allowed = threads.map((id) => status(id, "Cpus_allowed_list"));
    const pinned = threads.length === hardwareConcurrency && threads.length > 1;
    assert(allowed.every((list) => /^\d+$/.test(list) === pinned), allowed.join(", "));
    if (pinned) assertEquals(new Set(allowed).size, threads.length);
    // The program's own thread is not pinned.
    assert(hardwareConcurrency === 1 || !/^\d+$/.test(status(Deno.pid, "Cpus_allowed_list")));
  }),
});
