/**
 * Writes files of a run directory.
 *
 * @module
 */
import { UserError } from "../errors.ts";
import { isFile, replaceFile } from "../files.ts";

/**
 * Writes `contents` to `path` atomically.
 *
 * @throws {UserError} If the folder does not exist or is not writable, or the disk is full.
 */
export async function writeAtomic(path: string, contents: Uint8Array | string): Promise<void> {
  const bytes = typeof contents === "string" ? new TextEncoder().encode(contents) : contents;
  await replaceFile(path, async (temporary) => {
    using file = await Deno.open(temporary, { write: true, create: true, truncate: true });
    let written = 0;
    while (written < bytes.length) written += await file.write(bytes.subarray(written));
  });
}

/**
 * Copies a file atomically. On file systems that can share blocks, the copy takes no space until
 * one of the two changes.
 *
 * @throws {UserError} If `from` or the folder of `to` does not exist, the folder is not writable,
 * or the disk is full.
 */
export async function copyWhole(from: string, to: string): Promise<void> {
  await replaceFile(to, async (temporary) => {
    try {
      await Deno.copyFile(from, temporary);
    } catch (error) {
      if (isFile(from)) throw error;
      throw new UserError(`cannot read ${from}: no such file`);
    }
  });
}
