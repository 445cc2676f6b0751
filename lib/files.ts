/**
 * Folders, and atomic file writes: data is written to a temporary file in the same folder, which is
 * renamed once it is complete.
 *
 * @module
 */
import { dirname, join } from "node:path";
import { UserError } from "./errors.ts";

/**
 * Lets `write` fill a temporary file next to `path`, flushes it to disk and renames it to `path`. A
 * reader, or the next process after a crash, finds either the old or the new file, never a part. If
 * `write` throws, the temporary file is removed and an existing file at `path` is unchanged.
 *
 * @param write Creates, fills and closes the file with the given name.
 * @throws {UserError} The folder does not exist or is not writable, or the disk is full.
 */
export async function replaceFile(
  path: string,
  write: (temporary: string) => void | Promise<void>,
): Promise<void> {
  // Process ids are not unique where containers or machines share a folder.
  const temporary = `${path}.${crypto.randomUUID()}.tmp`;
  try {
    await write(temporary);
    await syncFile(temporary);
    await Deno.rename(temporary, path);
    syncFolder(dirname(path));
  } catch (error) {
    await Deno.remove(temporary).catch(() => {});
    throw explained(path, error);
  }
}

/**
 * Creates a folder, and those above it, unless it exists.
 *
 * @throws {UserError} The folder cannot be created.
 */
export function makeFolder(path: string): void {
  try {
    Deno.mkdirSync(path, { recursive: true });
  } catch (error) {
    throw explained(path, error);
  }
}

/**
 * Returns whether a file exists.
 *
 * @throws {UserError} The path cannot be accessed, for example because a folder is not readable.
 */
export function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) {
      return false;
    }
    throw new UserError(`cannot access ${path}: ${(error as Error).message}`);
  }
}

async function syncFile(path: string): Promise<void> {
  using file = await Deno.open(path, { write: true });
  await file.sync();
}

/** Flushes the names in a folder to disk, so that a rename survives a power failure. */
export function syncFolder(path: string): void {
  if (Deno.build.os === "windows") return; // There, folders cannot be opened, and need no flush.
  using folder = Deno.openSync(path, { read: true });
  folder.syncSync();
}

/**
 * Checks that a file can be written at `path`, before the work that produces its content.
 *
 * @throws {UserError} The folder does not exist or is not writable, or `path` is a folder.
 */
export async function checkWritable(path: string): Promise<void> {
  try {
    await Deno.remove(await Deno.makeTempFile({ dir: dirname(path) }));
  } catch (error) {
    throw explained(path, error);
  }
  if ((await statIfAny(path))?.isDirectory) {
    throw new UserError(
      `${path}: is a folder, expected the name of the file to write, for example ` +
        join(path, "file"),
    );
  }
}

/**
 * Checks like {@linkcode checkWritable} that a file can be written at `path`, and that none exists.
 *
 * @throws {UserError} Also when a file exists at `path`; the message names `flag` to replace it.
 */
export async function checkNew(path: string, flag: string): Promise<void> {
  await checkWritable(path);
  if (await statIfAny(path) !== null) {
    throw new UserError(`${path}: already exists; ${flag} replaces it, or choose another name`);
  }
}

async function statIfAny(path: string): Promise<Deno.FileInfo | null> {
  try {
    return await Deno.stat(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw explained(path, error);
  }
}

/** Returns a `UserError` for an error of the operating system, and other errors unchanged. */
function explained(path: string, error: unknown): unknown {
  if (error instanceof Deno.errors.NotFound) {
    return new UserError(`${path}: cannot be written: there is no folder ${dirname(path)}`);
  }
  if (!(error instanceof Error) || !("code" in error)) return error;
  const reason = error.code === "ENOSPC" ? "no space left on the disk" : error.message;
  return new UserError(`${path}: cannot be written: ${reason}`);
}
