/**
 * The lock of a run directory, so that two processes do not train one run.
 *
 * `run.lock` names the process that uses the directory. The operating system holds the lock on the
 * open file and releases it when the process ends in any way, so a file that a killed process left
 * behind does not count. A folder with `run.lock` and without `config.json` is the beginning of a
 * run that was stopped before its settings were written.
 *
 * @module
 */
import { join } from "node:path";
import * as v from "valibot";
import { UserError } from "../errors.ts";
import { isFile } from "../files.ts";
import { kinds } from "../schema.ts";

const ownerSchema = v.object({
  pid: kinds.count,
  host: v.nullable(kinds.text),
  since: kinds.text,
});

/** The paths of a run directory that a lock uses. */
export interface LockedPaths {
  /** The directory. */
  readonly path: string;
  /** `run.lock`. */
  readonly lock: string;
  /** `config.json`. */
  readonly config: string;
}

/** A lock that this process holds, unless there is a {@linkcode RunLock.problem}. */
export class RunLock implements Disposable {
  /** Why the folder could not be locked; null if it is locked. */
  readonly problem: string | null;
  readonly #run: LockedPaths;
  readonly #file: Deno.FsFile;

  private constructor(run: LockedPaths, file: Deno.FsFile, problem: string | null) {
    this.#run = run;
    this.#file = file;
    this.problem = problem;
  }

  /**
   * Locks an existing directory. On a file system without locks, the result has a `problem`.
   *
   * @throws {UserError} If another process uses the directory; the message names it. Also if the
   * directory is not writable.
   */
  static take(run: LockedPaths): RunLock {
    for (;;) {
      const file = open(run);
      let problem: string | null = null;
      try {
        if (!file.tryLockSync(true)) throw inUse(run);
      } catch (error) {
        if (error instanceof UserError) {
          file.close();
          throw error;
        }
        problem = (error as Error).message;
      }
      if (problem === null && !isAt(file, run.lock)) {
        file.close(); // Its owner has just removed it.
        continue;
      }
      write(file);
      return new RunLock(run, file, problem);
    }
  }

  /** Releases the lock. The file stays in a directory without `config.json`. */
  [Symbol.dispose](): void {
    try {
      Deno.statSync(this.#run.config);
      Deno.removeSync(this.#run.lock);
    } catch { /* Without the lock, the file has no effect. */ }
    this.#file.close();
  }
}

function open(run: LockedPaths): Deno.FsFile {
  try {
    return Deno.openSync(run.lock, { read: true, write: true, create: true });
  } catch (error) {
    throw new UserError(
      `cannot write to the output folder ${run.path}: ${(error as Error).message}`,
    );
  }
}

function inUse(run: LockedPaths): UserError {
  const owner = ownerOf(run);
  const name = owner === null
    ? "another process"
    : `process ${owner.pid}${owner.host === null ? "" : ` on ${owner.host}`} since ${owner.since}`;
  return new UserError(
    `${run.path} is in use by ${name}; wait until it ends, or stop it (Ctrl-C saves a checkpoint)`,
  );
}

/** Returns the content of `run.lock`; null if there is none, or it is not readable or not valid. */
function ownerOf({ lock }: LockedPaths): v.InferOutput<typeof ownerSchema> | null {
  try {
    return v.parse(ownerSchema, JSON.parse(Deno.readTextFileSync(lock)));
  } catch {
    return null;
  }
}

/** Returns whether a folder holds the beginning of a run. */
export function isBeginning(run: LockedPaths): boolean {
  return !isFile(run.config) && ownerOf(run) !== null;
}

/** Returns whether an open file is the one at `path`. */
function isAt(file: Deno.FsFile, path: string): boolean {
  try {
    return Deno.statSync(path).ino === file.statSync().ino;
  } catch {
    return false;
  }
}

function write(file: Deno.FsFile): void {
  const named = Deno.permissions.querySync({ name: "sys", kind: "hostname" }).state === "granted";
  const owner = {
    pid: Deno.pid,
    host: named ? Deno.hostname() : null,
    since: new Date().toISOString(),
  };
  file.truncateSync();
  file.writeSync(new TextEncoder().encode(`${JSON.stringify(owner)}\n`));
}

/**
 * Removes what a killed process left in a locked directory: temporary files, and, without
 * `config.json`, everything.
 */
export function clearRemains(run: LockedPaths): void {
  const begun = isFile(run.config);
  const visit = (folder: string, depth: number): void => {
    for (const { name, isFile, isDirectory } of Deno.readDirSync(folder)) {
      const path = join(folder, name);
      if (path === run.lock) continue;
      if (!begun || (isFile && name.endsWith(".tmp"))) Deno.removeSync(path, { recursive: true });
      else if (isDirectory && depth > 0) visit(path, depth - 1);
    }
  };
  visit(run.path, 2); // seed-<k>/checkpoints/ lies deepest.
}
