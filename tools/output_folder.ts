/**
 * Output folders of the build tools.
 *
 * @module
 */
import { dirname, resolve } from "node:path";
import { UserError } from "../lib/errors.ts";

/**
 * Fills a folder, in place of an earlier build. If `build` fails, an earlier build stays.
 *
 * @param marks Files that every build has. A folder with other contents is left alone.
 * @param build Fills the empty folder that it is given.
 * @throws {UserError} The folder has contents that are no earlier build.
 */
export async function filled(
  path: string,
  marks: readonly string[],
  build: (folder: string) => Promise<void>,
): Promise<void> {
  const folder = resolve(path);
  const present = namesIn(folder);
  if (present.length > 0 && !marks.every((mark) => present.includes(mark))) {
    throw new UserError(
      `${folder} has contents that are no earlier build (it contains ${
        present[0]
      }); choose a new ` +
        "or empty folder",
    );
  }
  await Deno.mkdir(dirname(folder), { recursive: true });
  const beside = (name: string) => `${folder}.${crypto.randomUUID()}.${name}.tmp`;
  const [fresh, former] = [beside("new"), beside("old")];
  await Deno.mkdir(fresh);
  try {
    await build(fresh);
    await Deno.rename(folder, former).catch(ignoreMissing);
    await Deno.rename(fresh, folder);
    await Deno.remove(former, { recursive: true }).catch(ignoreMissing);
  } catch (error) {
    await Deno.remove(fresh, { recursive: true }).catch(() => {});
    throw error;
  }
}

/** Runs a tool. On a `UserError`, prints its message and exits with code 1. */
export async function reporting(tool: () => Promise<void>): Promise<void> {
  try {
    await tool();
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    console.error(`error: ${error.message}`);
    Deno.exit(1);
  }
}

/** Returns the names in a folder; none if it does not exist. */
function namesIn(folder: string): string[] {
  try {
    return [...Deno.readDirSync(folder)].map(({ name }) => name);
  } catch (error) {
    ignoreMissing(error);
    return [];
  }
}

function ignoreMissing(error: unknown): void {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
}
