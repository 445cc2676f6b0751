/**
 * The threads of a software GPU: how many compute, and on which CPUs.
 *
 * Mesa's software driver runs a dispatch on one thread per CPU. All threads wake at once and run
 * too briefly for Linux to migrate them. Two threads that land on the same CPU therefore stay
 * there, one waiting for the other while another CPU idles, for seconds or for a whole run. So each
 * thread is pinned to its own CPU, but only while nothing else needs the CPUs: a pinned thread
 * cannot evade another program, and all others would wait for it.
 *
 * @module
 */

/** Size of glibc's `cpu_set_t` in bytes. */
const setBytes = 128;
/** Milliseconds between two measurements of the CPU load. */
const interval = 1000;
/** Share of its time that a pinned thread may wait for its CPU before all are released. */
const longWait = 0.3;
/** CPUs that other programs keep busy, at which threads may be released and are pinned again. */
const busy = { release: 0.25, pin: 0.1 };

/**
 * Makes Mesa's software driver compute in the submitting thread. Call it before a GPU is opened. It
 * affects only the speed.
 *
 * @returns Whether it does: not if `LP_NUM_THREADS` is set, or without permission to set it.
 */
export function computeAlone(): boolean {
  if (!mayChooseThreads()) return false;
  Deno.env.set(threadsVariable, "0");
  alone = true;
  return true;
}

/** Restores the driver's default number of threads, after {@linkcode computeAlone}. */
export function computeWithAll(): void {
  if (alone) Deno.env.delete(threadsVariable);
  alone = false;
}

/** Whether this program chooses the threads of Mesa's software driver, and not the user. */
export function mayChooseThreads(): boolean {
  const { state } = Deno.permissions.querySync({ name: "env", variable: threadsVariable });
  return state === "granted" && (alone || !Deno.env.get(threadsVariable));
}

/** Environment variable with the number of the driver's threads, read when a GPU is opened. */
const threadsVariable = "LP_NUM_THREADS";

/** Whether {@linkcode computeAlone} has set the variable. */
let alone = false;

/** The compute threads of one device of Mesa's software driver. */
export class SoftwareThreads {
  readonly #threads: readonly number[];
  readonly #processors: readonly number[];
  #pinned = false;
  #use: ProcessorUse;
  #waits: ThreadTime[];
  #time = performance.now();

  private constructor(threads: readonly number[], processors: readonly number[]) {
    this.#threads = threads;
    this.#processors = processors;
    this.#use = processorUse();
    this.#waits = threads.map(threadTime);
    this.#place(true);
  }

  /**
   * Pins the compute threads of the device that was opened last. Returns null if there is nothing
   * to pin: with one thread, or with fewer threads than CPUs, Linux finds free CPUs. Also returns
   * null except on Linux with glibc and with the required permissions (`-A`).
   */
  static ofNewestDevice(): SoftwareThreads | null {
    if (Deno.build.os !== "linux") return null;
    const permissions = (["ffi", "read"] as const).map((name) =>
      Deno.permissions.querySync({ name })
    );
    if (permissions.some(({ state }) => state !== "granted")) return null;
    try {
      const threads = computingThreads(...tasks()).at(-1) ?? [];
      if (threads.length < 2) return null;
      const processors = allowedProcessors();
      if (processors.length !== threads.length) return null;
      return new SoftwareThreads(threads, processors);
    } catch {
      return null; // /proc is not readable, or a thread ended meanwhile
    }
  }

  /**
   * Releases the threads if one of them waits long for its CPU while other programs use CPUs, and
   * pins them again when others use little. Looks at most once per second, so call it at every
   * submission.
   */
  adjust(): void {
    const now = performance.now();
    if (now - this.#time < interval) return;
    const before = { use: this.#use, waits: this.#waits };
    this.#time = now;
    try {
      this.#use = processorUse();
      this.#waits = this.#threads.map(threadTime);
    } catch {
      return; // the threads have ended
    }
    const others = busyElsewhere(before.use, this.#use);
    const longest = Math.max(
      ...this.#waits.map((wait, i) => waitingShare(before.waits[i]!, wait)),
    );
    if (this.#pinned && longest > longWait && others > busy.release) this.#place(false);
    else if (!this.#pinned && others < busy.pin) this.#place(true);
  }

  /** Pins each thread to its CPU, or allows every thread all of them. */
  #place(pinned: boolean): void {
    const libc = openLibc();
    if (!libc) return;
    this.#threads.forEach((thread, i) => {
      const allowed = new Uint8Array(setBytes);
      for (const processor of pinned ? [this.#processors[i]!] : this.#processors) {
        allowed[processor >> 3]! |= 1 << (processor & 7);
      }
      libc.symbols.sched_setaffinity(thread, BigInt(setBytes), allowed);
    });
    libc.close();
    this.#pinned = pinned;
  }
}

/** Time that the CPUs have worked, in clock ticks since the machine started. */
export interface ProcessorUse {
  /** Ticks of all CPUs, idle ones included. */
  readonly total: number;
  /** Ticks in which a CPU was busy. */
  readonly busy: number;
  /** Ticks of this process, on all CPUs. */
  readonly own: number;
  /** Number of CPUs. */
  readonly processors: number;
}

/** Parses `/proc/stat` and `/proc/self/stat`. */
export function parseProcessorUse(stat: string, self: string): ProcessorUse {
  const lines = stat.split("\n").filter((line) => line.startsWith("cpu"));
  const [user, nice, system, idle, iowait, irq, softirq, steal] = lines[0]!.trim().split(/\s+/)
    .slice(1).map(Number) as [number, number, number, number, number, number, number, number];
  // The second field is the name in parentheses, which may contain spaces.
  const fields = self.slice(self.lastIndexOf(")") + 2).split(" ").map(Number);
  const busy = user + nice + system + irq + softirq;
  return {
    total: busy + idle + iowait + steal,
    busy,
    own: fields[11]! + fields[12]!,
    processors: lines.length - 1,
  };
}

/** Returns how many CPUs, on average, other programs kept busy between two observations. */
export function busyElsewhere(before: ProcessorUse, after: ProcessorUse): number {
  const total = after.total - before.total;
  if (total <= 0) return 0;
  const others = after.busy - before.busy - (after.own - before.own);
  return Math.max(0, others) / total * after.processors;
}

function processorUse(): ProcessorUse {
  return parseProcessorUse(
    Deno.readTextFileSync("/proc/stat"),
    Deno.readTextFileSync("/proc/self/stat"),
  );
}

/** Time that a thread ran and time that it waited for a CPU, in nanoseconds. */
export interface ThreadTime {
  readonly ran: number;
  readonly waited: number;
}

function threadTime(id: number): ThreadTime {
  const [ran, waited] = Deno.readTextFileSync(`/proc/self/task/${id}/schedstat`).split(" ");
  return { ran: Number(ran), waited: Number(waited) };
}

/** Returns the share of the time in which a thread could run that it waited for a CPU. */
export function waitingShare(before: ThreadTime, after: ThreadTime): number {
  const waited = after.waited - before.waited;
  return waited === 0 ? 0 : waited / (waited + after.ran - before.ran);
}

/** A thread of this process. */
export interface Task {
  readonly id: number;
  readonly name: string;
}

/**
 * Returns the ids of the compute threads of each device. For each device the driver starts
 * rendering threads named `llvmpipe-0`, `llvmpipe-1`, …, and then the same number of compute
 * threads. These inherit the name `opener` of the thread that opened the device.
 */
export function computingThreads(tasks: readonly Task[], opener: string): number[][] {
  const devices: number[][] = [];
  let expected = 0;
  for (const { id, name } of tasks.toSorted((a, b) => a.id - b.id)) {
    if (/^llvmpipe-\d+$/.test(name)) {
      const number = Number(name.slice("llvmpipe-".length));
      if (number === 0) devices.push([]);
      expected = number + 1;
    } else if (expected > 0 && name === opener) {
      devices.at(-1)?.push(id);
      expected--;
    }
  }
  return devices;
}

/** Returns the threads of this process and the name of the current one. */
function tasks(): [Task[], string] {
  const nameOf = (path: string) => Deno.readTextFileSync(`/proc/${path}/comm`).trim();
  const all = [...Deno.readDirSync("/proc/self/task")].map(({ name: id }) => ({
    id: Number(id),
    name: nameOf(`self/task/${id}`),
  }));
  return [all, nameOf("thread-self")];
}

/** Returns the numbers of the CPUs on which the current thread may run. */
function allowedProcessors(): number[] {
  const status = Deno.readTextFileSync("/proc/thread-self/status");
  const list = /^Cpus_allowed_list:\s*(\S+)$/m.exec(status)?.[1] ?? "";
  return list.split(",").filter(Boolean).flatMap((range) => {
    const [first, last = first] = range.split("-").map(Number) as [number, number?];
    return Array.from({ length: last! - first + 1 }, (_, i) => first + i);
  });
}

function openLibc() {
  try {
    return Deno.dlopen("libc.so.6", {
      sched_setaffinity: { parameters: ["i32", "usize", "buffer"], result: "i32" },
    });
  } catch {
    return null; // another C library
  }
}
