/**
 * A data set for offline RL, in memory: D4RL's rows as they are, and the list of those that make a
 * transition.
 *
 * D4RL's `qlearning_dataset`, which the official code trains on, takes the following row's observation
 * as a row's next observation, and drops the rows with a timeout (the following row is another
 * episode's) and the last row. A terminal row stays: its next observation is multiplied by zero. Here
 * the dropping is a list of the rows that stay, so that a million rows load without a second copy.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { type ActionBounds, toUnit } from "../nn/host/action_bounds.ts";
import { checkValues } from "./checks.ts";
import { D4rlFile } from "./hdf5.ts";
import type { OfflineDataset, Source } from "./offline_dataset.ts";

export type { OfflineDataset, Source } from "./offline_dataset.ts";

/** How files are read. */
export interface DatasetOptions {
  /**
   * Steps after which an episode is cut: where a file has no `timeouts` (D4RL's first versions), the
   * step that reaches the limit counts as one. Without it such a file has no timeouts at all, and its
   * episodes end at terminals only.
   */
  readonly maxEpisodeSteps?: number;
  /** Range of the actions, which are scaled to [−1, 1]; without it they are taken as they are. */
  readonly actionBounds?: ActionBounds;
}

/**
 * Reads files of D4RL's layout and joins them in the given order (`medium-expert` is medium, then
 * expert). The last row of each but the last is marked as a timeout, since the next file's first row
 * does not follow from it.
 *
 * @throws UserError when a file cannot be read or is not of D4RL's layout, or the files' sizes differ.
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
      if (end < rows) arrays.timeouts[end - 1] = 1;
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
      transitions: transitionRows(arrays.timeouts),
    };
  } finally {
    for (const file of files) file.close();
  }
}

/**
 * Reads files as {@linkcode readDataset} does, and refuses what nothing should be trained on.
 *
 * @throws UserError naming file, field and row, also when numbers are not finite, actions lie outside
 * their range or flags are neither 0 nor 1.
 */
export async function loadDataset(
  paths: readonly string[],
  options: DatasetOptions = {},
): Promise<OfflineDataset> {
  const dataset = await readDataset(paths, options);
  checkValues(dataset);
  return dataset;
}

/**
 * SHA-256 of what is trained on (observations, actions, rewards, terminals, transitions, their sizes)
 * as hexadecimal digits. Files with the same transitions have the same hash, however they are
 * compressed or named.
 */
export function datasetHash(dataset: OfflineDataset): string {
  const { observations, actions, rewards, terminals, transitions } = dataset;
  const hash = createHash("sha256");
  hash.update(`${dataset.rows} ${dataset.observationSize} ${dataset.actionSize}`);
  for (const array of [observations, actions, rewards, terminals, transitions]) {
    hash.update(new Uint8Array(array.buffer, array.byteOffset, array.byteLength));
  }
  return hash.digest("hex");
}

/** `qlearning_dataset`'s rule: every row but the last that has no timeout. */
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
 * D4RL's rule for files without `timeouts`, counted from each episode's first row. (D4RL's own counter
 * starts at one instead of zero after a terminal, and so cuts a row early there.)
 */
function markStepLimit(terminals: Float32Array, timeouts: Float32Array, limit: number): void {
  let step = 0;
  for (let row = 0; row < terminals.length; row++) {
    step++;
    if (terminals[row] === 0 && step === limit) timeouts[row] = 1;
    if (terminals[row] !== 0 || step === limit) step = 0;
  }
}
