/**
 * Custom tasks: data that belong to no D4RL task, with any observation and action sizes.
 *
 * @module
 */
import { type ActionBounds, boundsText, isUnit } from "../nn/host/action_bounds.ts";
import { UserError } from "../errors.ts";
import type { OwnTask, Task } from "./catalog.ts";
import type { DatasetOptions } from "./dataset.ts";
import type { DatasetShape } from "./fit.ts";
import { D4rlFile } from "./hdf5.ts";

/** Returns a custom task. It has no reference returns, so it has no D4RL score. */
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
    paperScores: {},
    parts: [],
    sample: null,
    own,
  };
}

/** Returns the options for reading a task's data. */
export function readingOptions({ maxEpisodeSteps, own }: Task): DatasetOptions {
  return {
    ...(maxEpisodeSteps !== null && { maxEpisodeSteps }),
    ...(own?.actionBounds && { actionBounds: own.actionBounds }),
  };
}

/** The parts of a custom task in a data set's metadata. */
export interface RecordedTask extends DatasetShape {
  /** The environment, if all files name the same one. */
  readonly environment: string | null;
  /** The environment's server, if all files name the same one. */
  readonly server: string | null;
  /** Range of the actions; null if the files do not state it. */
  readonly actionBounds: ActionBounds | null;
}

/**
 * Reads the metadata of a data set's files.
 *
 * @throws {UserError} If a file is not in D4RL's format, or the files differ in sizes or action
 * range.
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
        `${paths[other]} cannot be combined with ${paths[0]}: their action ranges are ` +
          `${texts[other] ?? "unknown"} and ${texts[0] ?? "unknown"}`,
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

/** Returns the bounds if actions need scaling; null if they are unknown or already [−1, 1]. */
export function boundsToScale(bounds: ActionBounds | null): ActionBounds | null {
  return bounds === null || isUnit(bounds) ? null : bounds;
}
