/**
 * Finds the data of a run that is resumed or built on: at the recorded path, or by hash if the run
 * or the data were moved.
 *
 * @module
 */
import { basename, join } from "node:path";
import type { Task } from "../data/catalog.ts";
import { readDataset } from "../data/dataset.ts";
import { datasetHash } from "../data/hash.ts";
import { readingOptions } from "../data/own_task.ts";
import { dataFolder } from "../data/resolve.ts";
import { UserError } from "../errors.ts";
import { isFile } from "../files.ts";
import type { RunConfig } from "../runs/config.ts";

/**
 * Returns the files that hold the data of a run.
 *
 * @param run The run's directory, for messages.
 * @param given The value of `--data`, if given. Its hash is compared when the data are loaded.
 * @param folder Folder to search if the recorded files are missing.
 * @throws {UserError} If the data are not found.
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
  // Files with the recorded names come first, because hashing reads a whole file.
  const candidates = renamed.every(isFile) ? [renamed, ...files] : files;
  for (const paths of candidates) {
    if (await hashOf(paths, task) === sha256) return paths;
  }
  throw new UserError(
    `cannot find the data of ${run}: ${recorded.filter((path) => !isFile(path))} does not exist, ` +
      `and no file in ${folder} has the hash ${sha256.slice(0, 12)}…; pass the file with --data`,
  );
}

/** Returns the hash of a data set, or null if the files are not one. */
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
