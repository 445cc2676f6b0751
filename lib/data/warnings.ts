/**
 * Warnings about common problems in data sets that can be read.
 *
 * @module
 */
import { valueProblems } from "./checks.ts";
import type { OfflineDataset } from "./dataset.ts";
import { episodesOf } from "./summary.ts";

/** Smallest share of action entries at exactly ±1 that causes a warning. */
const clippedShare = 0.01;

/**
 * Returns warnings about a data set, one sentence each: values that training rejects, missing or
 * contradictory flags, actions at exactly ±1, constant rewards, repeated rows, and a cut last
 * episode.
 *
 * @param nextObservations The file's `next_observations` `[N, observationSize]`, if it has them.
 * Where they differ from the following row's observation, an episode ends.
 */
export function warningsOf(dataset: OfflineDataset, nextObservations?: Float32Array): string[] {
  return [
    ...valueProblems(dataset).map((problem) => `training rejects this: ${problem}`),
    ...flagWarnings(dataset, nextObservations),
    ...actionWarnings(dataset),
    ...rewardWarnings(dataset),
    ...duplicateWarnings(dataset),
  ];
}

function flagWarnings(dataset: OfflineDataset, nextObservations?: Float32Array): string[] {
  const { terminals, timeouts, rows } = dataset;
  const warnings: string[] = [];
  const marked = (row: number) => terminals[row] !== 0 || timeouts[row] !== 0;
  const both = terminals.filter((flag, row) => flag !== 0 && timeouts[row] !== 0).length;
  if (!dataset.hasTimeouts) {
    warnings.push(
      "no field timeouts: " +
        (dataset.maxEpisodeSteps !== undefined
          ? "the step limit is used instead (an episode's step at the limit counts as a timeout)"
          : "an episode's last row without a terminal uses the next episode's first observation " +
            "as its next observation; give --task to use the task's step limit instead"),
    );
  }
  if (terminals.every((_, row) => !marked(row))) {
    warnings.push(
      "neither terminals nor timeouts is ever set, so all rows form one unfinished episode",
    );
  }
  if (both > 0) {
    warnings.push(
      `terminals and timeouts are both set in ${both} rows; these rows are not trained on, so ` +
        "the critic does not learn that they are terminal",
    );
  }
  if (nextObservations !== undefined) warnings.push(...jumpWarnings(dataset, nextObservations));
  const last = episodesOf(dataset).at(-1)!;
  if (last.ending === "cut" && last.begin > 0) {
    warnings.push(
      `the last episode is cut after ${rows - last.begin} rows, with neither flag set (usual in ` +
        "D4RL; its return is not counted, and its last row is not trained on)",
    );
  }
  return warnings;
}

function jumpWarnings(dataset: OfflineDataset, nextObservations: Float32Array): string[] {
  const { observations, observationSize: size, transitions, terminals } = dataset;
  const jumps = transitions.filter((row) => {
    if (terminals[row] !== 0) return false;
    for (let i = row * size; i < (row + 1) * size; i++) {
      if (nextObservations[i] !== observations[i + size]) return true;
    }
    return false;
  });
  if (jumps.length === 0) return [];
  return [
    `next_observations differs from the following row's observation in ${jumps.length} rows ` +
    `without a flag, first in row ${jumps[0]}; if episodes end there, timeouts should be set`,
  ];
}

function actionWarnings({ actions }: OfflineDataset): string[] {
  const clipped = actions.reduce((count, value) => count + (Math.abs(value) === 1 ? 1 : 0), 0);
  if (clipped < clippedShare * actions.length) return [];
  return [
    `${(100 * clipped / actions.length).toFixed(1)} % of the action entries are exactly -1 or 1, ` +
    "probably clipped; a policy with tanh output reaches these values only in the limit",
  ];
}

function rewardWarnings({ rewards }: OfflineDataset): string[] {
  if (rewards.some((reward) => reward !== rewards[0])) return [];
  return [`rewards is ${rewards[0]} in every row, so no action is better than another`];
}

/**
 * Warns of repeated rows. Rows are compared by a 53-bit hash of observation and action. Among a
 * million distinct rows, two collide by chance in about one of 20,000 data sets.
 */
function duplicateWarnings(dataset: OfflineDataset): string[] {
  const { rows, observationSize, actionSize } = dataset;
  const words = (values: Float32Array) =>
    new Uint32Array(values.buffer, values.byteOffset, values.length);
  const [observations, actions] = [words(dataset.observations), words(dataset.actions)];
  const seen = new Set<number>();
  let repeated = 0;
  let first = -1;
  for (let row = 0; row < rows; row++) {
    let [high, low] = [0x811c9dc5, 0x9e3779b9];
    const mix = (word: number) => {
      high = Math.imul(high ^ word, 0x01000193);
      high ^= high >>> 15;
      low = Math.imul(low + word, 0x85ebca6b);
      low ^= low >>> 13;
    };
    for (let i = row * observationSize; i < (row + 1) * observationSize; i++) mix(observations[i]!);
    for (let i = row * actionSize; i < (row + 1) * actionSize; i++) mix(actions[i]!);
    const key = (high >>> 11) * 2 ** 32 + (low >>> 0);
    if (seen.has(key)) {
      if (repeated++ === 0) first = row;
    } else seen.add(key);
  }
  if (repeated === 0) return [];
  return [
    `${repeated} rows repeat the observation and action of an earlier row, first row ${first}; ` +
    "the file may contain part of the data twice",
  ];
}
