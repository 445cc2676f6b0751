/**
 * The catalog of known tasks: D4RL's locomotion, AntMaze and Maze2D data sets, with the paper's β
 * and scores for each.
 *
 * `catalog.json` holds D4RL's address and file names, step limits and reference returns (from its
 * `infos.py` and environment registrations), the paper's β (Table 2) and all columns of the paper's
 * Table 1. D4RL publishes no checksums; the sizes and SHA-256 of files in it were reported by
 * independent users.
 *
 * @module
 */
import { UserError } from "../errors.ts";
import type { ActionBounds } from "../nn/host/action_bounds.ts";
import { suggestion } from "../suggestion.ts";
import catalog from "./catalog.json" with { type: "json" };

/** Tasks that share a reward rule and hyperparameters. */
export type Family = "locomotion" | "antmaze" | "maze2d";

/** A D4RL task or a custom task (`own_task.ts`). */
export interface Task {
  /** D4RL's name, for example `hopper-medium-v2`; also the name of its built-in environment. */
  readonly name: string;
  /** Determines the reward rule and the default hyperparameters. */
  readonly family: Family;
  /** Path of the data file below D4RL's address. */
  readonly path: string;
  /** Name of the data file in `data/`: the last part of `path`. */
  readonly file: string;
  /** Step limit of an episode; null if unknown. */
  readonly maxEpisodeSteps: number | null;
  /**
   * Number of observation and action entries; null if unknown, in which case the sizes of data are
   * not checked. Actions range from −1 to 1 in every task of the catalog.
   */
  readonly sizes: { readonly observations: number; readonly actions: number } | null;
  /** Returns of D4RL's random and expert policies (scores 0 and 100); null if there are none. */
  readonly referenceReturn: { readonly min: number; readonly max: number } | null;
  /** Temperature β in the paper's Table 2; null if the paper has none. */
  readonly beta: number | null;
  /**
   * Scores in the paper's Table 1 by column, for example `SRPO`; empty if the task is not in it.
   */
  readonly paperScores: Readonly<Record<string, PaperScore>>;
  /** Tasks whose data, concatenated in this order, form this task's data; empty if none. */
  readonly parts: readonly string[];
  /** Name of a small sample file bundled with the project; null if there is none. */
  readonly sample: string | null;
  /** Properties of a custom task; absent for D4RL tasks. */
  readonly own?: OwnTask;
}

/** A score in the paper's Table 1. */
export interface PaperScore {
  /** Mean over the seeds. */
  readonly mean: number;
  /** Standard deviation over six seeds. The table has it only for SRPO. */
  readonly std?: number;
}

/** Properties of a custom task. */
export interface OwnTask {
  /** Family that provides the default hyperparameters. */
  readonly family: Family;
  /** Environment for evaluations; null if policies are not evaluated. */
  readonly environment: OwnEnvironment | null;
  /** Action range of the environment, which is scaled to [−1, 1]; null if no scaling is needed. */
  readonly actionBounds: ActionBounds | null;
}

/** An environment and its server. */
export interface OwnEnvironment {
  /** Environment id on the server, for example `Pendulum-v1`. */
  readonly id: string;
  /** `python` for `bridge/gym_server.py`, `wasm` for the built-in environments. */
  readonly server: string;
}

/** A D4RL task. Its step limit and reference returns are known. */
export interface D4rlTask extends Task {
  /** Steps after which an episode is cut. */
  readonly maxEpisodeSteps: number;
  /** Returns of D4RL's random and expert policies (scores 0 and 100). */
  readonly referenceReturn: NonNullable<Task["referenceReturn"]>;
}

/** Size and hash of a file; null where unknown. */
export interface KnownFile {
  /** Size in bytes. */
  readonly bytes: number | null;
  /** SHA-256 in hexadecimal. */
  readonly sha256: string | null;
}

/** Mirrors of D4RL's files by name: addresses of folders that hold all files. */
export const mirrors: ReadonlyMap<string, string> = new Map(Object.entries(catalog.mirrors));

/**
 * Returns the address of a task's data file.
 *
 * @param mirror A name in {@linkcode mirrors}, or the address of a folder that holds the file;
 * null for D4RL's own host, which has been down for days at a time.
 * @throws {UserError} If `mirror` is neither.
 */
export function addressOf({ path, file }: D4rlTask, mirror: string | null): string {
  if (mirror === null) return `${catalog.origin}/${path}`;
  const folder = URL.parse(mirrors.get(mirror) ?? mirror);
  if (folder === null || !/^https?:$/.test(folder.protocol)) {
    throw new UserError(
      `a mirror is the address of a folder (https://…/folder) or one of ${
        [...mirrors.keys()].join(", ")
      }, got "${mirror}"`,
    );
  }
  folder.pathname = `${folder.pathname.replace(/\/+$/, "")}/${file}`;
  return folder.href;
}

/** Returns what the catalog knows about a task's data file. */
export function knownFileOf({ file }: D4rlTask): KnownFile {
  const known = (catalog.files as Record<string, Partial<KnownFile>>)[file];
  return { bytes: known?.bytes ?? null, sha256: known?.sha256 ?? null };
}

/** All known tasks by name. */
export const tasks: ReadonlyMap<string, D4rlTask> = new Map(
  Object.entries(catalog.tasks as Record<string, CatalogEntry>).map(([name, entry]) => [name, {
    name,
    family: entry.family,
    path: entry.path,
    file: entry.path.slice(entry.path.lastIndexOf("/") + 1),
    maxEpisodeSteps: entry.maxEpisodeSteps,
    sizes: entry.sizes,
    referenceReturn: entry.referenceReturn,
    beta: entry.beta ?? null,
    paperScores: entry.paperScores ?? {},
    parts: entry.parts ?? [],
    sample: entry.sample ?? null,
  }]),
);

/** A task in catalog.json. Fields without a value are omitted. */
type CatalogEntry =
  & Pick<D4rlTask, "family" | "path" | "maxEpisodeSteps" | "sizes" | "referenceReturn">
  & Partial<{ [K in "beta" | "paperScores" | "parts" | "sample"]: NonNullable<Task[K]> }>;

/**
 * Returns the task called `name`.
 *
 * @throws {UserError} If there is no such task. The message suggests the nearest names.
 */
export function findTask(name: string): D4rlTask {
  const task = tasks.get(name);
  if (task !== undefined) return task;
  // Among equally near names, tasks with results in the paper come first.
  const names = [...tasks.values()].toSorted((a, b) =>
    Number(!isInPaper(a)) - Number(!isInPaper(b))
  ).map(({ name }) => name);
  const end = suggestion(name, names) ||
    "; expected a D4RL task name, for example hopper-medium-v2";
  throw new UserError(`unknown task "${name}"${end}`);
}

/** Returns the task whose data file has the same name as the file at `path`; null if none. */
export function taskOfFile(path: string): D4rlTask | null {
  const file = path.slice(Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\")) + 1);
  for (const task of tasks.values()) {
    if (task.file === file || task.sample === file) return task;
  }
  return null;
}

/** Returns whether the paper has results for the task. */
export function isInPaper({ paperScores }: Pick<Task, "paperScores">): boolean {
  return Object.keys(paperScores).length > 0;
}

/** Formats a score of the paper's Table 1 as `95.5 ± 2.0` or `65.4`. */
export function paperScoreText({ mean, std }: PaperScore): string {
  return mean.toFixed(1) + (std === undefined ? "" : ` ± ${std.toFixed(1)}`);
}
