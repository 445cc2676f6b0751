/**
 * Files of a run directory.
 *
 * @module
 */
import { replaceFile } from "../files.ts";

/**
 * Writes `contents` to `path` so that a reader, or the next run after a crash, finds the old file or
 * the new one and never a part: temporary name, flush to the disk, rename.
 *
 * @throws UserError when the folder does not exist or may not be written to, or the disk is full.
 */
export async function writeAtomic(path: string, contents: Uint8Array | string): Promise<void> {
  const bytes = typeof contents === "string" ? new TextEncoder().encode(contents) : contents;
  await replaceFile(path, async (temporary) => {
    using file = await Deno.open(temporary, { write: true, create: true, truncate: true });
    let written = 0;
    while (written < bytes.length) written += await file.write(bytes.subarray(written));
    await file.sync();
  });
}

/**
 * Gives a file that is only ever replaced, never written into, a second place: by a hard link, or as a
 * copy where the file system has none between the two.
 *
 * @throws UserError when the folder of `to` does not exist or may not be written to.
 */
export async function shareFile(from: string, to: string): Promise<void> {
  await replaceFile(to, async (temporary) => {
    try {
      await Deno.link(from, temporary);
    } catch {
      await Deno.copyFile(from, temporary);
    }
  });
}
