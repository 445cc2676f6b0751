/**
 * Writes files of a run directory.
 *
 * @module
 */
import { replaceFile } from "../files.ts";

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
 * @throws {UserError} If the folder of `to` does not exist or is not writable, or the disk is full.
 */
export async function copyWhole(from: string, to: string): Promise<void> {
  await replaceFile(to, (temporary) => Deno.copyFile(from, temporary));
}
