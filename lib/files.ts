/**
 * Files that are whole or not there: what is written goes to a temporary name in the same folder,
 * which takes the file's name when everything is in it.
 *
 * @module
 */
import { dirname, join } from "node:path";
import { UserError } from "./errors.ts";

/**
 * Lets `write` fill a temporary file beside `path` and renames it to `path`; when `write` throws,
 * the temporary file is removed and what stood at `path` stays as it was.
 *
 * @param write Creates and closes the file whose name it is given.
 * @throws UserError when the folder does not exist or may not be written to, or the disk is full.
 */
export async function replaceFile(
  path: string,
  write: (temporary: string) => void | Promise<void>,
): Promise<void> {
  const temporary = `${path}.${Deno.pid}.tmp`;
  try {
    await write(temporary);
    await Deno.rename(temporary, path);
  } catch (error) {
    await Deno.remove(temporary).catch(() => {});
    throw explained(path, error);
  }
}

/**
 * Proves that a file can be written at `path`, before the work whose result it is to hold.
 *
 * @throws UserError when the folder does not exist or may not be written to, or `path` is a folder.
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
 * Proves like {@linkcode checkWritable} that a file can be written at `path`, and that none is there.
 *
 * @throws UserError also when there is a file at `path`, naming `flag` as the way to replace it.
 */
export async function checkNew(path: string, flag: string): Promise<void> {
  await checkWritable(path);
  if (await statIfAny(path) !== null) {
    throw new UserError(`${path}: exists already; ${flag} replaces it, or choose another name`);
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

function explained(path: string, error: unknown): unknown {
  if (error instanceof Deno.errors.NotFound) {
    return new UserError(`${path}: cannot be written: there is no folder ${dirname(path)}`);
  }
  if (error instanceof Deno.errors.PermissionDenied || error instanceof Deno.errors.IsADirectory) {
    return new UserError(`${path}: cannot be written: ${error.message}`);
  }
  if (error instanceof Error && "code" in error && error.code === "ENOSPC") {
    return new UserError(`${path}: cannot be written: no space is left on the disk`);
  }
  return error;
}
