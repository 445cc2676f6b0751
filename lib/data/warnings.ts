/**
 * What usually goes wrong with data sets without making them unreadable.
 *
 * @module
 */
import { valueProblems } from "./checks.ts";
import type { OfflineDataset } from "./dataset.ts";
import { episodesOf } from "./summary.ts";

/** Share of action entries at exactly ±1 from which on it is worth a warning. */
const clippedShare = 0.01;

/**
 * What is suspicious about a data set, a sentence each: values that training refuses, flags that are
 * missing or contradict each other, actions at exactly ±1, constant rewards, rows that occur twice, a
 * last episode that is cut.
 *
 * @param nextObservations The file's own `next_observations` `[N, observationSize]`, if it has them:
 * where they are not the following row's observation, an episode ends.
 */
export function warningsOf(dataset: OfflineDataset, nextObservations?: Float32Array): string[] {
  return [
    ...valueProblems(dataset).map((problem) => `training refuses this: ${problem}`),
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
  const derived = timeouts.some((flag) => flag !== 0);
  if (!dataset.hasTimeouts) {
    warnings.push(
      "no field timeouts: " +
        (derived
          ? "the step limit stands in for it (each episode's step at the limit counts as a timeout)"
          : "where an episode ends without a terminal, its last row takes the next episode's first " +
            "observation for its own next one; give --task, whose step limit then stands in for it"),
    );
  }
  if (terminals.every((_, row) => !marked(row))) {
    warnings.push(
      "neither terminals nor timeouts is ever set: the rows are one unfinished episode",
    );
  }
  if (both > 0) {
    warnings.push(
      `terminals and timeouts are both set in ${both} rows; these are not trained on, so that the ` +
        "critic does not see them end",
    );
  }
  if (nextObservations !== undefined) warnings.push(...jumpWarnings(dataset, nextObservations));
  const last = episodesOf(dataset).at(-1)!;
  if (last.ending === "cut" && last.begin > 0) {
    warnings.push(
      `the last episode is cut after ${rows - last.begin} rows, with neither flag set (usual in ` +
        "D4RL; its return is not counted, its last row is not trained on)",
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
    `next_observations is not the following row's observation in ${jumps.length} rows without a ` +
    `flag, the first of them row ${jumps[0]}: if episodes end there, timeouts should be set`,
  ];
}

function actionWarnings({ actions }: OfflineDataset): string[] {
  const clipped = actions.reduce((count, value) => count + (Math.abs(value) === 1 ? 1 : 0), 0);
  if (clipped < clippedShare * actions.length) return [];
  return [
    `${(100 * clipped / actions.length).toFixed(1)} % of the action entries are exactly -1 or 1: ` +
    "clipped actions, which a policy with tanh at its end only reaches in the limit",
  ];
}

function rewardWarnings({ rewards }: OfflineDataset): string[] {
  if (rewards.some((reward) => reward !== rewards[0])) return [];
  return [`rewards is ${rewards[0]} in every row: there is nothing to prefer`];
}

/**
 * Rows are compared by 53 bits of a hash of observation and action, which a million rows of real data
 * share by chance once in 20,000 data sets.
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
    `${repeated} rows repeat the observation and action of an earlier row, the first of them row ` +
    `${first}: is a part of the data in there twice?`,
  ];
}
