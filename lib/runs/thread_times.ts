/**
 * Chooses whether a software GPU computes with all of its threads or in the one that submits.
 * Waking threads and waiting for them takes 20 to 80 µs per dispatch, in which one thread computes
 * as much as a small network needs. Both are timed once per machine, in workers, because the driver
 * reads the number of threads when a GPU is opened.
 *
 * @module
 */
import { type AdapterDescription, adapterText } from "../gpu/device.ts";
import { processorFeatures } from "../gpu/processor_features.ts";
import { computeAlone, computeWithAll, mayChooseThreads } from "../gpu/software_threads.ts";
import { flopsPerDispatch, type StageWork } from "./estimate.ts";
import { cachePath, UserCacheFile } from "./user_cache.ts";

/** Seconds of a dispatch, by its FLOPs of matrix products. */
export interface DispatchSeconds {
  /** With a few thousand FLOPs. */
  readonly small: number;
  /** With {@linkcode largeFlops}. */
  readonly large: number;
}

/** The times of a software GPU: with all of its threads, and in the thread that submits. */
export interface ThreadTimes {
  readonly all: DispatchSeconds;
  readonly alone: DispatchSeconds;
}

/** What the worker measured. */
export interface ThreadMeasurement {
  /** The adapter. */
  readonly adapter: string;
  /** Times of a dispatch; null if the adapter is not a software GPU. */
  readonly seconds: DispatchSeconds | null;
}

/** FLOPs of the large dispatch: seven products of 128 × 64 and 64 × 64. */
export const largeFlops = 7 * 2 * 128 * 64 * 64;

/** Range of FLOPs per dispatch that is timed. One thread is used below it, all threads above it. */
const timedRange = { from: 0.1e6, to: 20e6 };

/**
 * Returns whether one thread per stage takes less time than all threads for one stage after
 * another. Times of dispatches grow linearly with their FLOPs.
 *
 * @param groups The stages, in groups that one thread each can train at the same time.
 */
export function isAloneFaster(
  { all, alone }: ThreadTimes,
  groups: readonly (readonly StageWork[])[],
): boolean {
  const secondsOf = ({ small, large }: DispatchSeconds) => (work: StageWork) =>
    work.steps * (work.dispatches * small + work.flops * (large - small) / largeFlops);
  const [oneByOne, together] = [
    groups.flat().map(secondsOf(all)),
    groups.map((group) => Math.max(...group.map(secondsOf(alone)))),
  ];
  const sum = (seconds: readonly number[]) => seconds.reduce((total, each) => total + each, 0);
  return sum(together) < sum(oneByOne);
}

/** The measured times of the machine's software GPU. */
export class ThreadFile {
  readonly #file: UserCacheFile;
  readonly #key: string;

  /** @param path Path of the file. Defaults to the one in the user's cache folder. */
  constructor(path: string | null = cachePath("threads.json")) {
    this.#file = new UserCacheFile(path);
    // Before a GPU is opened, no more is known of it.
    this.#key = `${processorFeatures() ?? "unknown processor"}, ${navigator.hardwareConcurrency}`;
  }

  /** Why times could not be stored, if they could not. */
  get problem(): string | undefined {
    return this.#file.problem;
  }

  /**
   * Makes a software GPU compute in the submitting thread if that is faster. Call it before a GPU
   * is opened.
   *
   * @param groups The stages, in groups that can be trained at the same time.
   * @returns Whether it does, if the GPU is a software GPU.
   */
  async computeAloneIfFaster(groups: readonly (readonly StageWork[])[]): Promise<boolean> {
    computeWithAll();
    const flops = flopsPerDispatch(groups.flat());
    if (!mayChooseThreads() || flops > timedRange.to) return false;
    if (flops < timedRange.from) return computeAlone();
    let entry = this.#entry();
    if (!entry) {
      try {
        entry = await measure();
      } catch {
        return false; // Without a usable GPU, opening it says why.
      }
      this.#file.store(this.#key, entry);
    }
    return entry.times !== null && isAloneFaster(entry.times, groups) && computeAlone();
  }

  /** Forgets the times if they are of another adapter, or of another version of its driver. */
  confirm(adapter: AdapterDescription): void {
    const known = this.#entry();
    if (known && known.adapter !== adapterText(adapter)) this.#file.store(this.#key, undefined);
  }

  #entry(): Entry | undefined {
    const entry = this.#file.entries()[this.#key] as Entry | undefined;
    const fits = (found: unknown) =>
      typeof (found as DispatchSeconds | undefined)?.small === "number" &&
      typeof (found as DispatchSeconds).large === "number";
    const valid = typeof entry?.adapter === "string" &&
      (entry.times === null || fits(entry.times?.all) && fits(entry.times?.alone));
    return valid ? entry : undefined;
  }
}

/** An entry of the file. */
interface Entry {
  readonly adapter: string;
  readonly times: ThreadTimes | null;
}

/** Times dispatches with all threads, then in one. */
async function measure(): Promise<Entry> {
  const { adapter, seconds: all } = await measureInWorker();
  if (all === null) return { adapter, times: null };
  computeAlone();
  try {
    const { seconds: alone } = await measureInWorker();
    return { adapter, times: { all, alone: alone! } };
  } finally {
    computeWithAll();
  }
}

async function measureInWorker(): Promise<ThreadMeasurement> {
  const worker = new Worker(new URL("./thread_worker.ts", import.meta.url), { type: "module" });
  try {
    return await new Promise((resolve, reject) => {
      worker.onmessage = ({ data }: MessageEvent<ThreadMeasurement | { error: string }>) =>
        "error" in data ? reject(new Error(data.error)) : resolve(data);
      worker.onerror = (event) => {
        event.preventDefault();
        reject(new Error(`timing a software GPU's threads failed: ${event.message}`));
      };
    });
  } finally {
    worker.terminate();
  }
}
