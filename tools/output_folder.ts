/**
 * Folders that a tool fills anew.
 *
 * @module
 */
import { join } from "node:path";
import { UserError } from "../lib/errors.ts";

/**
 * Makes an empty folder, in place of an earlier build.
 *
 * @param marks Files that every build has. A folder with other contents is left alone.
 * @throws {UserError} The folder has contents that are no earlier build.
 */
export async function emptied(folder: string, marks: readonly string[]): Promise<void> {
  try {
    const names = [...Deno.readDirSync(folder)].map(({ name }) => name);
    if (names.length > 0 && !marks.every((mark) => names.includes(mark))) {
      throw new UserError(
        `${folder} has contents that are no earlier build (it contains ${names[0]}); ` +
          `choose a new or empty folder, for example ${join(folder, "build")}`,
      );
    }
    await Deno.remove(folder, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  await Deno.mkdir(folder, { recursive: true });
}

/** Runs a tool. Prints the message of a mistake of the user's, and exits with code 1. */
export async function reporting(tool: () => Promise<void>): Promise<void> {
  try {
    await tool();
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    console.error(`error: ${error.message}`);
    Deno.exit(1);
  }
}
