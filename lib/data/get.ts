/**
 * Downloads a task's data file, checks it, and moves it into its folder when it is complete.
 *
 * `downloads/` in the folder holds, for each file, the part that has arrived (`.part`), the lock
 * that a download holds (`.lock`), and the size and hash of the file when it was first seen
 * (`.json`).
 *
 * @module
 */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { UserError } from "../errors.ts";
import { makeFolder, replaceFile } from "../files.ts";
import { addressOf, type D4rlTask, knownFileOf } from "./catalog.ts";
import { download, type DownloadOptions } from "./download.ts";
import { sizeProblem } from "./fit.ts";
import { D4rlFile } from "./hdf5.ts";
import { discardPartial, partialBytes } from "./transfer.ts";

/** The first eight bytes of an HDF5 file. */
const hdf5Signature = Uint8Array.of(0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a);

/** Options of {@linkcode getData}. */
export interface GetOptions
  extends Pick<DownloadOptions, "persistence" | "signal" | "announce" | "progress"> {
  /** The folder for the file. */
  readonly folder: string;
  /** A mirror, as for {@linkcode addressOf}; null for D4RL's own host. */
  readonly mirror: string | null;
}

/** A data file that is in place. */
export interface GotFile {
  /** Its path. */
  readonly path: string;
  /** Size in bytes. */
  readonly bytes: number;
  /** SHA-256 in hexadecimal. */
  readonly sha256: string;
  /** Whether this call downloaded it. */
  readonly downloaded: boolean;
  /** What its hash was compared with; `nothing` if it was seen for the first time. */
  readonly compared: "catalog" | "first download" | "nothing";
}

/** Size, hash and origin of a file when it was first seen. */
interface Seen {
  /** Address, or null if the file was already in the folder. */
  readonly url: string | null;
  readonly bytes: number;
  readonly sha256: string;
  /** Time in ISO 8601. */
  readonly date: string;
}

/** Returns the path of the part of a task's file that has arrived. */
export function partOf(folder: string, { file }: D4rlTask): string {
  return join(folder, "downloads", `${file}.part`);
}

/**
 * Downloads a task's data file to `folder` if it is not there, and checks its size and hash.
 *
 * @throws {UserError} If another process is downloading it, the download fails (see
 * {@linkcode download}), or the file is not the known one or not the task's.
 */
export async function getData(task: D4rlTask, options: GetOptions): Promise<GotFile> {
  const { folder, mirror } = options;
  const url = addressOf(task, mirror);
  const path = join(folder, task.file);
  const part = partOf(folder, task);
  makeFolder(join(folder, "downloads"));
  using _lock = await lockFile(join(folder, "downloads", `${task.file}.lock`), task.file);
  const present = await partialBytes(path) > 0;
  if (!present) {
    const known = knownFileOf(task);
    await download(url, {
      ...options,
      path: part,
      bytes: known.bytes,
      hashKnown: known.sha256 !== null,
      signature: hdf5Signature,
      format: "an HDF5 file",
    }).catch((error) => {
      throw explained(part, error);
    });
  }
  const record = join(folder, "downloads", `${task.file}.json`);
  const found = await checkedFile(task, present ? path : part, record, present ? null : url)
    .catch(async (error) => {
      if (!present && error instanceof UserError) await discardPartial(part);
      throw error;
    });
  if (!present) {
    await Deno.rename(part, path);
    await discardPartial(part);
  }
  return { ...found, path, downloaded: !present };
}

/** Compares a file with the catalog or the record of its first download, or makes the record. */
async function checkedFile(
  task: D4rlTask,
  path: string,
  record: string,
  url: string | null,
): Promise<Pick<GotFile, "bytes" | "sha256" | "compared">> {
  const sha256 = await hashOf(path);
  const bytes = await partialBytes(path);
  const known = knownFileOf(task).sha256;
  const seen = await readSeen(record);
  const from = url ?? path;
  const advice = url === null
    ? `if it is damaged, delete it and run \`data get ${task.name}\` again`
    : "it was not kept; run the command again, or name another source with --mirror";
  if (known !== null && known !== sha256) {
    throw new UserError(
      `${from} has the SHA-256 ${sha256}, but the known file has ${known}; ${advice}`,
    );
  }
  if (known === null && seen !== null && seen.sha256 !== sha256) {
    throw new UserError(
      `${from} has the SHA-256 ${sha256}, but ${task.file} had ${seen.sha256} when it was first ` +
        `seen (${seen.date.slice(0, 10)}, ${seen.url ?? "in the folder"}); ${advice}. To accept ` +
        `the new file, delete ${record}`,
    );
  }
  await checkContents(task, path, from, advice);
  if (seen === null) {
    const made: Seen = { url, bytes, sha256, date: new Date().toISOString() };
    await replaceFile(record, (name) => Deno.writeTextFile(name, `${JSON.stringify(made)}\n`));
  }
  const compared = known !== null ? "catalog" : seen !== null ? "first download" : "nothing";
  return { bytes, sha256, compared };
}

/** Rejects a file that is not whole, not in D4RL's format or not of the task's sizes. */
async function checkContents(task: D4rlTask, path: string, from: string, advice: string) {
  let problem: string | null;
  try {
    const file = await D4rlFile.open(path);
    const { observationSize, actionSize, task: recorded } = file;
    file.close();
    const sources = [{ path: from, firstRow: 0, task: recorded }];
    problem = sizeProblem({ sources, observationSize, actionSize }, task);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    problem = error.message.replace(path, from);
  }
  if (problem !== null) throw new UserError(`${problem}; ${advice}`);
}

/** Returns the SHA-256 of a file, read in blocks. */
async function hashOf(path: string): Promise<string> {
  const hash = createHash("sha256");
  using file = await Deno.open(path);
  const block = new Uint8Array(1 << 20);
  for (let read; (read = await file.read(block)) !== null;) hash.update(block.subarray(0, read));
  return hash.digest("hex");
}

async function readSeen(path: string): Promise<Seen | null> {
  try {
    return JSON.parse(await Deno.readTextFile(path));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    if (!(error instanceof SyntaxError)) throw error;
    throw new UserError(`${path}: not readable as JSON; delete it to record the hash anew`);
  }
}

/**
 * Takes the lock of a download. The operating system frees it when the process ends, however it
 * ends.
 */
async function lockFile(path: string, file: string): Promise<Disposable> {
  let lock: Deno.FsFile;
  try {
    lock = await Deno.open(path, { read: true, write: true, create: true });
  } catch (error) {
    throw explained(path, error);
  }
  if (!await lock.tryLock(true)) {
    lock.close();
    // Windows does not let others read a locked file.
    const owner = (await Deno.readTextFile(path).catch(() => "")).trim();
    throw new UserError(`${file} is being downloaded by process ${owner || "unknown"}`);
  }
  await lock.truncate();
  await lock.write(new TextEncoder().encode(`${Deno.pid}\n`));
  return lock;
}

/** Returns a `UserError` for an unwritable folder or a full disk, otherwise the error itself. */
function explained(path: string, error: unknown): unknown {
  if (error instanceof Deno.errors.PermissionDenied) {
    return new UserError(`${path}: cannot be written: ${error.message}`);
  }
  if (error instanceof Error && "code" in error && error.code === "ENOSPC") {
    return new UserError(
      `${path}: no space left on the disk; the part that arrived is kept, and the same command ` +
        "continues",
    );
  }
  return error;
}
