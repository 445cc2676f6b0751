/**
 * Checks the values of a data set before training. Every error names the file, the field and the
 * row.
 *
 * @module
 */
import { UserError } from "../errors.ts";
import { boundsText, fromUnit } from "../nn/host/action_bounds.ts";
import type { OfflineDataset } from "./offline_dataset.ts";

/**
 * Largest magnitude of an action that counts as within [−1, 1], the action range of every D4RL
 * task. The tolerance covers rounding.
 */
const maxAction = 1 + 1e-5;

/**
 * Returns the problems in the values of a data set, one sentence each, naming the first bad row:
 * non-finite numbers, actions outside their range, flags other than 0 and 1, or no transitions.
 */
export function valueProblems(dataset: OfflineDataset): string[] {
  const { observations, actions, rewards, terminals, timeouts } = dataset;
  const { observationSize, actionSize, actionBounds } = dataset;
  const range = actionBounds === undefined ? unitRange : `within ${boundsText(actionBounds)}`;
  const within = (value: number) => Math.abs(value) <= maxAction;
  const flag = (value: number) => value === 0 || value === 1;
  const problems = [
    misfit(dataset, "observations", observations, observationSize, Number.isFinite, "finite"),
    misfit(dataset, "actions", actions, actionSize, Number.isFinite, "finite") ??
      misfit(dataset, "actions", actions, actionSize, within, range),
    misfit(dataset, "rewards", rewards, 1, Number.isFinite, "finite"),
    misfit(dataset, "terminals", terminals, 1, flag, "0 or 1"),
    misfit(dataset, "timeouts", timeouts, 1, flag, "0 or 1"),
  ].filter((problem) => problem !== null);
  if (dataset.transitions.length === 0) {
    problems.push(
      `${dataset.sources[0]!.path}: timeouts is set in every row but the last, so no row has a ` +
        "known next observation",
    );
  }
  return problems;
}

/**
 * Rejects a data set in which {@linkcode valueProblems} finds a problem.
 *
 * @throws {UserError} With all problems.
 */
export function checkValues(dataset: OfflineDataset): void {
  const problems = valueProblems(dataset);
  if (problems.length > 0) throw new UserError(problems.join("\n"));
}

/** Expected range of actions that are not scaled. */
const unitRange = "within [-1, 1]";

/** Describes the elements of a field that are invalid; null if all are valid. */
function misfit(
  dataset: OfflineDataset,
  field: string,
  values: Float32Array,
  columns: number,
  fits: (value: number) => boolean,
  expected: string,
): string | null {
  const first = values.findIndex((value) => !fits(value));
  if (first < 0) return null;
  let count = 0;
  let lastRow = -1;
  for (let i = first; i < values.length; i++) {
    const row = Math.floor(i / columns);
    if (row !== lastRow && !fits(values[i]!)) {
      count++;
      lastRow = row;
    }
  }
  const row = Math.floor(first / columns);
  const source = dataset.sources.findLast(({ firstRow }) => firstRow <= row)!;
  // Show scaled actions as stored in the file.
  const value = field === "actions" && dataset.actionBounds !== undefined
    ? fromUnit(values[first]!, dataset.actionBounds, first % columns)
    : values[first];
  return `${source.path}: ${field} is ${value} at row ${row - source.firstRow}` +
    (columns > 1 ? `, column ${first % columns}` : "") +
    `, expected ${expected} (${count} row${count === 1 ? "" : "s"} like this)` +
    (expected === unitRange
      ? "; scale the actions to that range, or name an environment with their range with --env"
      : "");
}
