/**
 * Pins each thread of a software GPU to its own CPU.
 *
 * Mesa's software driver runs a dispatch on one thread per CPU. All threads wake at once and run
 * too briefly for Linux to migrate them. Two threads that land on the same CPU therefore stay
 * there, one waiting for the other while another CPU idles, for seconds or for a whole run.
 *
 * @module
 */

/** Size of glibc's `cpu_set_t` in bytes. */
const setBytes = 128;

/**
 * Pins each compute thread of Mesa's software driver in this process to a CPU. It does nothing
 * except in Deno on Linux with glibc and with the required permissions (`-A`). Pinning affects only
 * the speed, not the results.
 */
export function keepThreadsApart(): void {
  if (!("Deno" in globalThis) || Deno.build.os !== "linux") return;
  const permissions = (["ffi", "read"] as const).map((name) =>
    Deno.permissions.querySync({ name })
  );
  if (permissions.some(({ state }) => state !== "granted")) return;
  const threads = computingThreads(...tasks());
  const libc = threads.length > 0 ? openLibc() : null;
  if (!libc) return;
  const { sched_getaffinity, sched_setaffinity } = libc.symbols;
  const allowed = new Uint8Array(setBytes);
  if (sched_getaffinity(0, BigInt(setBytes), allowed) === 0) {
    const processors = Array.from({ length: 8 * setBytes }, (_, i) => i)
      .filter((i) => allowed[i >> 3]! & (1 << (i & 7)));
    threads.forEach((thread, i) => {
      const processor = processors[i % processors.length]!;
      const own = new Uint8Array(setBytes);
      own[processor >> 3] = 1 << (processor & 7);
      sched_setaffinity(thread, BigInt(setBytes), own);
    });
  }
  libc.close();
}

/** A thread of this process. */
export interface Task {
  readonly id: number;
  readonly name: string;
}

/**
 * Returns the ids of the compute threads, device by device. For each device the driver starts
 * rendering threads named `llvmpipe-0`, `llvmpipe-1`, …, and then the same number of compute
 * threads. These inherit the name `opener` of the thread that opened the device.
 */
export function computingThreads(tasks: readonly Task[], opener: string): number[] {
  const found: number[] = [];
  let expected = 0;
  for (const { id, name } of tasks.toSorted((a, b) => a.id - b.id)) {
    if (/^llvmpipe-\d+$/.test(name)) {
      expected = Number(name.slice("llvmpipe-".length)) + 1;
    } else if (expected > 0 && name === opener) {
      found.push(id);
      expected--;
    }
  }
  return found;
}

/** Returns the threads of this process and the name of the current one. */
function tasks(): [Task[], string] {
  const nameOf = (path: string) => Deno.readTextFileSync(`/proc/${path}/comm`).trim();
  try {
    const all = [...Deno.readDirSync("/proc/self/task")].map(({ name: id }) => ({
      id: Number(id),
      name: nameOf(`self/task/${id}`),
    }));
    return [all, nameOf("thread-self")];
  } catch {
    return [[], ""]; // not permitted, or a thread ended meanwhile
  }
}

function openLibc() {
  try {
    return Deno.dlopen("libc.so.6", {
      sched_getaffinity: { parameters: ["i32", "usize", "buffer"], result: "i32" },
      sched_setaffinity: { parameters: ["i32", "usize", "buffer"], result: "i32" },
    });
  } catch {
    return null; // another C library
  }
}
