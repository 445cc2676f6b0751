/**
 * From what a person typed (a task's name, or paths of files) to the files that hold the data.
 *
 * @module
 */
import { relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { UserError } from "../errors.ts";
import { type D4rlTask, dataHost, findTask, taskOfFile, tasks } from "./catalog.ts";

/** Files to train on. */
export interface DataSource {
  /** The task they are data of; null for files of no known task. */
  readonly task: D4rlTask | null;
  /** Files of D4RL's layout, to be joined in this order. */
  readonly paths: readonly string[];
  /**
   * Task or environment that the files' own metadata name, also where `task` is another or null; null
   * where they name none or several, or where the data were named by their task.
   */
  readonly recorded: string | null;
}

/** The folder in which D4RL's files are looked for: `data/` of this project. */
export const dataFolder: string = fileURLToPath(new URL("../../data", import.meta.url));

/**
 * The files that `what` stands for.
 *
 * A task's name stands for D4RL's file in `folder`; where that is absent, for the files of its parts
 * (`medium-expert` is medium, then expert), then for the sample that comes with the project. Anything
 * else is a path, or several joined with commas; the task is `taskName`, or else the one that the
 * files' metadata name, or else the one whose file on D4RL's host has this name.
 *
 * @param what A task's name or paths.
 * @param taskName The value of `--task`, if given.
 * @param folder Where D4RL's files are looked for.
 * @throws UserError when the task is unknown, or the file is nowhere (saying where it was looked for
 * and where to get it), a folder or not of D4RL's layout, or `what` and `taskName` are two different
 * tasks.
 */
export async function resolveData(
  what: string,
  taskName?: string,
  folder: string = dataFolder,
): Promise<DataSource> {
  const task = taskName === undefined ? null : findTask(taskName);
  if (!looksLikePath(what) && !await exists(what) && (tasks.has(what) || !await isFolder(what))) {
    const named = findTask(what);
    if (task !== null && task !== named) {
      throw new UserError(
        `two tasks are given, ${what} and --task ${taskName}; to train with the hyperparameters ` +
          `of one on the data of the other, give the data as a path`,
      );
    }
    return { task: named, paths: await filesOf(named, folder), recorded: null };
  }
  const paths = what.split(",");
  for (const path of paths) {
    if (await isFolder(path)) {
      throw new UserError(`${path} is a folder; expected an HDF5 file`);
    }
    if (!await exists(path)) {
      throw new UserError(`${path}: no such file; give a task's name or the path of an HDF5 file`);
    }
  }
  const recorded = await recordedTask(paths);
  const found = (recorded === null ? undefined : tasks.get(recorded)) ??
    (paths.length === 1 ? taskOfFile(what) : null);
  return { task: task ?? found, paths, recorded };
}

/** The task that the metadata of all files name; null where one names none or another. */
async function recordedTask(paths: readonly string[]): Promise<string | null> {
  // h5wasm needs permissions when it is imported, which finding a task's files does not.
  const { D4rlFile } = await import("./hdf5.ts");
  const recorded = new Set<string | null>();
  for (const path of paths) {
    const file = await D4rlFile.open(path);
    recorded.add(file.task);
    file.close();
  }
  const [only, ...others] = recorded;
  return others.length === 0 ? only ?? null : null;
}

/** Whether the text can only be a path, so that a typing error in it is not taken for a task's. */
function looksLikePath(what: string): boolean {
  return /[/\\,]|\.h(df)?5$/i.test(what);
}

async function filesOf(task: D4rlTask, folder: string): Promise<string[]> {
  const inFolder = (file: string) => resolve(folder, file);
  if (await exists(inFolder(task.file))) return [inFolder(task.file)];
  const parts = task.parts.map((part) => inFolder(findTask(part).file));
  if (parts.length > 0 && (await Promise.all(parts.map(exists))).every(Boolean)) return parts;
  if (task.sample !== null && await exists(inFolder(task.sample))) return [inFolder(task.sample)];
  const shown = relative(Deno.cwd(), inFolder(task.file));
  throw new UserError(
    `no data for ${task.name}: there is no ${
      shown.startsWith("..") ? inFolder(task.file) : shown
    }` +
      (task.parts.length > 0 ? `, nor both of its parts (${task.parts.join(", ")})` : "") +
      `. Download ${dataHost}/${task.path} (or the same file from a mirror) to that place, or give ` +
      `the path of a file of this layout: train <file> --task ${task.name}. Data can also be made ` +
      `here: data collect --task ${task.name} --policy random --out my.hdf5`,
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
    throw new UserError(`${path}: cannot be looked at: ${(error as Error).message}`);
  }
}
