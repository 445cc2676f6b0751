/**
 * A data set for offline RL in memory: D4RL's rows unchanged, and the list of rows that are
 * transitions.
 *
 * The official code trains on D4RL's `qlearning_dataset`. It uses the following row's observation
 * as a row's next observation, and drops the last row and the rows with a timeout, whose following
 * row belongs to another episode. Terminal rows stay, because the value of their next observation
 * is multiplied by zero. Here the remaining rows are listed instead of copied, so that a million
 * rows load without a second copy.
 *
 * @module
 */
import { type ActionBounds, toUnit } from "../nn/host/action_bounds.ts";
import { checkValues } from "./checks.ts";
import { D4rlFile } from "./hdf5.ts";
import type { OfflineDataset, Source } from "./offline_dataset.ts";

export type { OfflineDataset, Source } from "./offline_dataset.ts";

/** Options for reading files. */
export interface DatasetOptions {
  /**
   * Step limit of an episode. In a file without `timeouts` (D4RL's first versions), the step that
   * reaches the limit counts as a timeout. Without this option, such a file has no timeouts and its
   * episodes end only at terminals.
   */
  readonly maxEpisodeSteps?: number;
  /**
   * Range of the files' actions, which are scaled to [−1, 1]. By default, actions are not scaled.
   */
  readonly actionBounds?: ActionBounds;
}

/**
 * Reads files in D4RL's format and concatenates them in the given order (`medium-expert` is medium,
 * then expert). The last row of each file except the last is marked as a timeout unless it is
 * terminal, because the first row of the next file does not follow from it.
 *
 * @throws {UserError} If a file cannot be read or is not in D4RL's format, or the files' sizes
 * differ.
 */
export async function readDataset(
  paths: readonly string[],
  options: DatasetOptions = {},
): Promise<OfflineDataset> {
  const files: D4rlFile[] = [];
  try {
    for (const path of paths) files.push(await D4rlFile.open(path));
    const { observationSize, actionSize } = D4rlFile.sameSizes(files);
    const rows = files.reduce((total, file) => total + file.rows, 0);
    const sources: Source[] = [];
    const arrays = {
      observations: new Float32Array(rows * observationSize),
      actions: new Float32Array(rows * actionSize),
      rewards: new Float32Array(rows),
      terminals: new Float32Array(rows),
      timeouts: new Float32Array(rows),
    };
    let firstRow = 0;
    for (const file of files) {
      const end = firstRow + file.rows;
      const terminals = arrays.terminals.subarray(firstRow, end);
      const timeouts = arrays.timeouts.subarray(firstRow, end);
      file.read(
        "observations",
        arrays.observations.subarray(firstRow * observationSize, end * observationSize),
      );
      file.read("actions", arrays.actions.subarray(firstRow * actionSize, end * actionSize));
      file.read("rewards", arrays.rewards.subarray(firstRow, end));
      file.read("terminals", terminals);
      if (file.has("timeouts")) file.read("timeouts", timeouts);
      else if (options.maxEpisodeSteps !== undefined) {
        markStepLimit(terminals, timeouts, options.maxEpisodeSteps);
      }
      // A terminal row needs no mark: its next value is multiplied by 0.
      if (end < rows && arrays.terminals[end - 1] === 0) arrays.timeouts[end - 1] = 1;
      sources.push({ path: file.path, firstRow, task: file.task });
      firstRow = end;
    }
    const { actionBounds } = options;
    if (actionBounds !== undefined) {
      const { actions } = arrays;
      for (let i = 0; i < actions.length; i++) {
        actions[i] = toUnit(actions[i]!, actionBounds, i % actionSize);
      }
    }
    return {
      sources,
      rows,
      observationSize,
      actionSize,
      ...arrays,
      ...(actionBounds && { actionBounds }),
      hasTimeouts: files.every((file) => file.has("timeouts")),
      ...(options.maxEpisodeSteps !== undefined && { maxEpisodeSteps: options.maxEpisodeSteps }),
      transitions: transitionRows(arrays.timeouts),
    };
  } finally {
    for (const file of files) file.close();
  }
}

/**
 * Reads files like {@linkcode readDataset}, and rejects data with invalid values.
 *
 * @throws {UserError} As {@linkcode readDataset}, and if numbers are not finite, actions are
 * outside their range, or flags are other than 0 and 1. The message names file, field and row.
 */
export async function loadDataset(
  paths: readonly string[],
  options: DatasetOptions = {},
): Promise<OfflineDataset> {
  const dataset = await readDataset(paths, options);
  checkValues(dataset);
  return dataset;
}

/** Applies the rule of `qlearning_dataset`: every row without a timeout, except the last row. */
function transitionRows(timeouts: Float32Array): Uint32Array {
  const candidates = timeouts.subarray(0, -1);
  const rows = new Uint32Array(candidates.reduce((count, cut) => count + (cut === 0 ? 1 : 0), 0));
  let next = 0;
  candidates.forEach((cut, row) => {
    if (cut === 0) rows[next++] = row;
  });
  return rows;
}

/**
 * Applies D4RL's rule for files without `timeouts`, counting from each episode's first row. (After
 * a terminal, D4RL's own counter starts at one instead of zero, and so cuts the episode a row
 * early.)
 */
function markStepLimit(terminals: Float32Array, timeouts: Float32Array, limit: number): void {
  let step = 0;
  for (let row = 0; row < terminals.length; row++) {
    step++;
    if (terminals[row] === 0 && step === limit) timeouts[row] = 1;
    if (terminals[row] !== 0 || step === limit) step = 0;
  }
}
