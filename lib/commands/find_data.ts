/**
 * Finds the data of a run that is continued or built on: at the recorded place, or by its hash where
 * the run, or the data, were moved.
 *
 * @module
 */
import { basename, join } from "node:path";
import type { Task } from "../data/catalog.ts";
import { datasetHash, readDataset } from "../data/dataset.ts";
import { readingOptions } from "../data/own_task.ts";
import { dataFolder } from "../data/resolve.ts";
import { UserError } from "../errors.ts";
import type { RunConfig } from "../runs/directory.ts";

/**
 * The files with the data of a run.
 *
 * @param run Its directory, for messages.
 * @param given The value of `--data`, if there is one; its hash is compared when it is loaded.
 * @param folder Where else data are looked for.
 * @throws {UserError} They are nowhere.
 */
export async function findData(
  run: string,
  { file, sha256 }: RunConfig["data"],
  task: Task,
  given?: string,
  folder: string = dataFolder,
): Promise<readonly string[]> {
  if (given !== undefined) return given.split(",");
  const recorded = file.split(",");
  if (recorded.every(isFile)) return recorded;
  const renamed = recorded.map((path) => join(folder, basename(path)));
  const files = filesIn(folder).map((path) => [path]);
  // What has the recorded name comes first: hashing reads the whole file.
  const candidates = renamed.every(isFile) ? [renamed, ...files] : files;
  for (const paths of candidates) {
    if (await hashOf(paths, task) === sha256) return paths;
  }
  throw new UserError(
    `the data of ${run} are not there: there is no ${recorded.filter((path) => !isFile(path))}, ` +
      `and no file in ${folder} has their hash (${
        sha256.slice(0, 12)
      }…); name the file with --data`,
  );
}

/** The hash of a data set; null where the files are none. */
async function hashOf(paths: readonly string[], task: Task): Promise<string | null> {
  try {
    return datasetHash(await readDataset(paths, readingOptions(task)));
  } catch (error) {
    if (error instanceof UserError) return null;
    throw error;
  }
}

function filesIn(folder: string): string[] {
  try {
    return [...Deno.readDirSync(folder)].map(({ name }) => name)
      .filter((name) => /\.h(df)?5$/i.test(name)).sort().map((name) => join(folder, name));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) {
      return false;
    }
    throw new UserError(`${path}: cannot be looked at: ${(error as Error).message}`);
  }
}
