/**
 * Downloads that survive faults: attempts are repeated after growing pauses, and each continues
 * where the last one ended.
 *
 * @module
 */
import { UserError } from "../errors.ts";
import { partialBytes, transfer, TransferError, type TransferOptions } from "./transfer.ts";

/** How attempts are repeated. */
export interface Persistence {
  /** Number of consecutive attempts without a new byte after which the download fails. */
  readonly attempts: number;
  /** Milliseconds before the second attempt. The pause doubles with each failure in a row. */
  readonly pauseMilliseconds: number;
  /** Largest pause in milliseconds, also if the server asks for a longer one. */
  readonly maxPauseMilliseconds: number;
  /** Milliseconds without a byte after which an attempt is given up. */
  readonly stallMilliseconds: number;
}

/** Persistence for hosts that are slow or restarting. */
export const persistence: Persistence = {
  attempts: 6,
  pauseMilliseconds: 1000,
  maxPauseMilliseconds: 60_000,
  stallMilliseconds: 30_000,
};

/** Options of {@linkcode download}. */
export interface DownloadOptions extends Omit<TransferOptions, "stallMilliseconds"> {
  /** How attempts are repeated. */
  readonly persistence: Persistence;
  /** Tells the user of a failed attempt and the pause before the next one. */
  readonly announce: (line: string) => void;
}

/**
 * Downloads `url` into the partial file `options.path`, which is complete when this returns.
 *
 * @throws {UserError} If the server refuses, sends something other than the file, or no attempt
 * brings a new byte any more. What has arrived stays in the partial file.
 */
export async function download(url: string, options: DownloadOptions): Promise<void> {
  const { path, signal, announce, persistence } = options;
  const { attempts, pauseMilliseconds, maxPauseMilliseconds, stallMilliseconds } = persistence;
  let furthest = await partialBytes(path);
  for (let failures = 0;;) {
    try {
      return await transfer(url, { ...options, stallMilliseconds });
    } catch (error) {
      if (!(error instanceof TransferError)) throw error;
      const bytes = await partialBytes(path);
      // A server without ranges starts anew in each attempt. Only more bytes than ever count.
      failures = bytes > furthest ? 1 : failures + 1;
      furthest = Math.max(furthest, bytes);
      if (failures >= attempts) {
        throw new UserError(
          `${url}: ${error.message}, ${attempts} times in a row. ` +
            (bytes > 0 ? `The ${bytes} bytes that arrived are kept; the` : "The") +
            " same command tries again, and --mirror names another source",
        );
      }
      const pause = Math.min(
        maxPauseMilliseconds,
        error.retryAfter ?? pauseMilliseconds * 2 ** (failures - 1),
      );
      announce(`${error.message}; trying again in ${Number((pause / 1000).toFixed(1))} s`);
      await wait(pause, signal);
    }
  }
}

/** Waits, and throws the signal's reason if it is aborted meanwhile. */
async function wait(milliseconds: number, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, milliseconds);
  const stop = () => reject(signal.reason);
  signal.addEventListener("abort", stop);
  try {
    await promise;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", stop);
  }
}
