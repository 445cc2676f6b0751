/**
 * Measures the time to load a file with a million rows: `deno run -A bench/load.ts`.
 *
 * It writes a file of hopper's sizes with random contents (so that gzip gains little, as with
 * D4RL's files) to a temporary folder. A separate process reads it, so that its peak memory can be
 * measured. Prints one JSON object.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { loadDataset } from "../lib/data/dataset.ts";
import { datasetHash } from "../lib/data/hash.ts";
import { writeDataset } from "../lib/data/writer.ts";

const rows = 1_000_000;
const [observationSize, actionSize] = [11, 3];

/** Returns uniform numbers in [−1, 1) from a seeded generator. */
function noise(length: number, seed: number): Float32Array {
  let state = seed;
  return Float32Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}

/** Loads the file and prints the seconds and the process's peak resident memory. */
async function load(path: string): Promise<void> {
  const start = performance.now();
  const dataset = await loadDataset([path]);
  const loaded = performance.now();
  const sha256 = datasetHash(dataset);
  const hashed = performance.now();
  const { size } = await Deno.stat(path);
  const arrays = [
    dataset.observations,
    dataset.actions,
    dataset.rewards,
    dataset.terminals,
    dataset.timeouts,
    dataset.transitions,
  ];
  console.log(JSON.stringify({
    rows: dataset.rows,
    transitions: dataset.transitions.length,
    file_mb: size / 1e6,
    load_seconds: (loaded - start) / 1e3,
    hash_seconds: (hashed - loaded) / 1e3,
    arrays_mb: arrays.reduce((sum, array) => sum + array.byteLength, 0) / 1e6,
    peak_memory_mb: await peakMemory() / 1e6,
    sha256,
  }));
}

/** Returns this process's peak resident memory in bytes; outside Linux, the current one. */
async function peakMemory(): Promise<number> {
  if (Deno.build.os !== "linux") return Deno.memoryUsage().rss;
  const status = await Deno.readTextFile("/proc/self/status");
  return 1024 * Number(/VmHWM:\s+(\d+) kB/.exec(status)![1]);
}

async function main(): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    const path = `${folder}/synthetic.hdf5`;
    await writeDataset(path, {
      observationSize,
      actionSize,
      observations: noise(rows * observationSize, 1),
      actions: noise(rows * actionSize, 2),
      rewards: noise(rows, 3),
      terminals: Uint8Array.from({ length: rows }, (_, row) => row % 500 === 499 ? 1 : 0),
      timeouts: Uint8Array.from({ length: rows }, (_, row) => row % 1000 === 249 ? 1 : 0),
    });
    const { success } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", fileURLToPath(import.meta.url), path],
      stdout: "inherit",
      stderr: "inherit",
    }).spawn().status;
    if (!success) throw new Error("loading failed");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

if (import.meta.main) {
  const [path] = Deno.args;
  await (path === undefined ? main() : load(path));
}
