/**
 * Tasks of one's own: data that are no D4RL task's, with any number of observation and action entries.
 *
 * @module
 */
import { type ActionBounds, boundsText, isUnit } from "../nn/host/action_bounds.ts";
import { UserError } from "../errors.ts";
import type { OwnTask, Task } from "./catalog.ts";
import type { DatasetOptions } from "./dataset.ts";
import type { DatasetShape } from "./fit.ts";
import { D4rlFile } from "./hdf5.ts";

/** The task for the rest of the program, which knows no score of it. */
export function taskOfOwn(name: string, own: OwnTask): Task {
  return {
    name,
    family: own.family,
    path: "",
    file: "",
    maxEpisodeSteps: null,
    sizes: null,
    referenceReturn: null,
    beta: null,
    paperScore: null,
    parts: [],
    sample: null,
    own,
  };
}

/** How the data of a task are read. */
export function readingOptions({ maxEpisodeSteps, own }: Task): DatasetOptions {
  return {
    ...(maxEpisodeSteps !== null && { maxEpisodeSteps }),
    ...(own?.actionBounds && { actionBounds: own.actionBounds }),
  };
}

/** What the metadata of a data set's files say of a task of one's own. */
export interface RecordedTask extends DatasetShape {
  /** The environment, where all files name the same. */
  readonly environment: string | null;
  /** The server that it was on. */
  readonly server: string | null;
  /** Range of the actions. */
  readonly actionBounds: ActionBounds | null;
}

/**
 * Reads the metadata.
 *
 * @throws {UserError} A file is not of D4RL's layout, or the files have different sizes or ranges.
 */
export async function readRecordedTask(paths: readonly string[]): Promise<RecordedTask> {
  const files = [];
  try {
    for (const path of paths) files.push(await D4rlFile.open(path));
    const bounds = files.map((file) => file.actionBounds);
    const texts = bounds.map((each) => each && boundsText(each));
    const other = texts.findIndex((text) => text !== texts[0]);
    if (other >= 0) {
      throw new UserError(
        `${paths[other]}: its actions range over ${
          texts[other] ?? "what it does not say"
        }, those of ` +
          `${paths[0]} over ${texts[0] ?? "what it does not say"}; they cannot be joined`,
      );
    }
    const common = <T>(values: readonly T[]) =>
      values.every((value) => value === values[0]) ? values[0]! : null;
    return {
      ...D4rlFile.sameSizes(files),
      sources: files.map(({ path, task }) => ({ path, firstRow: 0, task })),
      environment: common(files.map(({ task }) => task)),
      server: common(files.map(({ server }) => server)),
      actionBounds: bounds[0] ?? null,
    };
  } finally {
    for (const file of files) file.close();
  }
}

/** Bounds that need scaling; null where there are none, or they are [−1, 1] already. */
export function boundsToScale(bounds: ActionBounds | null): ActionBounds | null {
  return bounds === null || isUnit(bounds) ? null : bounds;
}
