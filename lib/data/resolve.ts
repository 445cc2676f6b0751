/**
 * Resolves a task name, or paths given on the command line, to data files.
 *
 * @module
 */
import { join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { UserError } from "../errors.ts";
import { addressOf, type D4rlTask, findTask, taskOfFile, tasks } from "./catalog.ts";
import { D4rlFile } from "./hdf5.ts";

/** The files of a data set. */
export interface DataSource {
  /** The task of the data; null if unknown. */
  readonly task: D4rlTask | null;
  /** Files in D4RL's format, in the order of concatenation. */
  readonly paths: readonly string[];
  /**
   * Task or environment in the files' metadata, even if `task` is another one or null. Null if the
   * metadata name none or several, or if the data were given by task name.
   */
  readonly recorded: string | null;
}

/** The folder that is searched for D4RL's files: `data/` of this project. */
export const dataFolder: string = fileURLToPath(new URL("../../data", import.meta.url));

/**
 * Returns the files that `what` refers to.
 *
 * A task name refers to D4RL's file in `folder`. If that file is missing, it refers to the files of
 * the task's parts (`medium-expert` is medium, then expert), then to the sample bundled with the
 * project. Anything else is a path, or several paths separated by commas. Their task is `taskName`,
 * or else the task in the files' metadata, or else the task whose file on D4RL's host has this
 * name.
 *
 * @param what A task name or paths.
 * @param taskName The value of `--task`, if given.
 * @param folder The folder to search for D4RL's files.
 * @throws {UserError} If the task is unknown, `what` and `taskName` are different tasks, or the
 * file is missing, a folder, or not in D4RL's format. For a missing file, the message says where it
 * was expected and how to get it. Files converted from elsewhere belong to no task of D4RL.
 */
export async function resolveData(
  what: string,
  taskName?: string,
  folder: string = dataFolder,
): Promise<DataSource> {
  const task = taskName === undefined ? null : findTask(taskName);
  // A task's name is not looked up as a path, because `train` may be permitted to read `data` only.
  if (
    tasks.has(what) || (!looksLikePath(what) && !await exists(what) && !await isFolder(what))
  ) {
    const named = findTask(what);
    if (task !== null && task !== named) {
      throw new UserError(
        `two tasks are given, ${what} and --task ${taskName}; to train on the data of one with ` +
          `the hyperparameters of the other, give the data as a path`,
      );
    }
    return { task: named, paths: await filesOf(named, folder), recorded: null };
  }
  const paths = what.split(",");
  for (const path of paths) {
    if (await isFolder(path)) {
      throw new UserError(
        `${path} is a folder; expected an HDF5 file` +
          (await exists(join(path, "main_data.hdf5"))
            ? `. To convert this Minari data set: data convert ${path} --out FILE.hdf5`
            : ""),
      );
    }
    if (!await exists(path)) {
      throw new UserError(`${path}: no such file; give a task name or the path of an HDF5 file`);
    }
  }
  const { recorded, origin } = await recordedTask(paths);
  if (origin !== null) {
    if (task === null) return { task, paths, recorded };
    throw new UserError(
      `${what} was converted from ${origin}, so it is not data of D4RL's ${task.name} and has no ` +
        "D4RL score; remove --task",
    );
  }
  const found = (recorded === null ? undefined : tasks.get(recorded)) ??
    (paths.length === 1 ? taskOfFile(what) : null);
  return { task: task ?? found, paths, recorded };
}

/**
 * Returns the task in the metadata of all files, null if they do not all name the same task, and
 * the origin of the first file that does not come from D4RL's environments.
 */
async function recordedTask(
  paths: readonly string[],
): Promise<{ recorded: string | null; origin: string | null }> {
  const recorded = new Set<string | null>();
  let origin: string | null = null;
  for (const path of paths) {
    const file = await D4rlFile.open(path);
    recorded.add(file.task);
    origin ??= file.origin;
    file.close();
  }
  const [only, ...others] = recorded;
  return { recorded: others.length === 0 ? only ?? null : null, origin };
}

/** Returns whether `what` can only be a path, so that a typo in it is not read as a task name. */
function looksLikePath(what: string): boolean {
  return /[/\\,]|\.(h(df)?5|npz)$/i.test(what);
}

async function filesOf(task: D4rlTask, folder: string): Promise<string[]> {
  const inFolder = (file: string) => resolve(folder, file);
  if (await exists(inFolder(task.file))) return [inFolder(task.file)];
  const parts = task.parts.map((part) => inFolder(findTask(part).file));
  if (parts.length > 0 && (await Promise.all(parts.map(exists))).every(Boolean)) return parts;
  if (task.sample !== null && await exists(inFolder(task.sample))) return [inFolder(task.sample)];
  const shown = relative(Deno.cwd(), inFolder(task.file));
  throw new UserError(
    `no data for ${task.name}: ${
      shown.startsWith("..") ? inFolder(task.file) : shown
    } does not exist` +
      (task.parts.length > 0 ? `, nor do both of its parts (${task.parts.join(", ")})` : "") +
      `. To download it: data get ${task.name} (from ${addressOf(task, null)}, or a mirror). To ` +
      `use another file in D4RL's format: train <file> --task ${task.name}. To collect data ` +
      `instead: data collect --task ${task.name} --policy random --out my.hdf5`,
  );
}

async function exists(path: string): Promise<boolean> {
  return (await statOf(path))?.isFile ?? false;
}

async function isFolder(path: string): Promise<boolean> {
  return (await statOf(path))?.isDirectory ?? false;
}

async function statOf(path: string): Promise<Deno.FileInfo | null> {
  try {
    return await Deno.stat(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) {
      return null;
    }
    throw new UserError(`cannot access ${path}: ${(error as Error).message}`);
  }
}
