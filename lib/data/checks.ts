/**
 * What a data set must be before anything is trained on it. Every refusal names the file, the field,
 * and the row or shape that is wrong.
 *
 * @module
 */
import { UserError } from "../errors.ts";
import type { OfflineDataset } from "./dataset.ts";

/** Fields that every file of D4RL's layout has. */
export const requiredFields = ["observations", "actions", "rewards", "terminals"] as const;

/** Type and shape of a field of a file. */
export interface FieldLayout {
  /** For example `float32`, `uint8`, `bool`, `string`. */
  readonly dtype: string;
  /** Sizes, rows first. */
  readonly shape: readonly number[];
}

/** Sizes that a file's fields agree on. */
export interface Layout {
  /** Rows N: environment steps. */
  readonly rows: number;
  /** Entries of an observation. */
  readonly observationSize: number;
  /** Entries of an action. */
  readonly actionSize: number;
}

/** Types that are read; h5py writes Python's bools as an enumeration. */
const numericTypes = /^(float(32|64)|u?int(8|16|32|64)|bool)$/;

/**
 * The sizes of a file by the layout of its fields.
 *
 * @throws UserError when a field is missing, not numeric, not of the right shape or length, or empty.
 */
export function checkLayout(path: string, fields: ReadonlyMap<string, FieldLayout>): Layout {
  const missing = requiredFields.filter((name) => !fields.has(name));
  if (missing.length > 0) {
    throw new UserError(
      `${path}: no field "${missing.join('", no field "')}"; D4RL's layout has ` +
        `${requiredFields.join(", ")}, this file has ${[...fields.keys()].join(", ") || "nothing"}`,
    );
  }
  const used = [...fields].filter(([name]) => name === "timeouts" || isRequired(name));
  for (const [name, { dtype, shape }] of used) {
    if (!numericTypes.test(dtype)) {
      throw new UserError(`${path}: ${name} should be numbers (float32), they are ${dtype}`);
    }
    const matrix = name === "observations" || name === "actions";
    const fits = matrix
      ? shape.length === 2 && shape[1]! > 0
      : shape.length === 1 || (shape.length === 2 && shape[1] === 1);
    if (!fits) {
      throw new UserError(
        `${path}: ${name} has shape [${shape}], expected ` +
          (matrix ? "[rows, entries]" : "[rows] or [rows, 1]"),
      );
    }
  }
  const [observations, actions] = [fields.get("observations")!, fields.get("actions")!];
  const rows = observations.shape[0]!;
  const unequal = used.filter(([, { shape }]) => shape[0] !== rows);
  if (unequal.length > 0) {
    throw new UserError(
      `${path}: ${
        unequal.map(([name, { shape }]) => `${name} has ${shape[0]} rows`).join(", ")
      }, ` +
        `observations has ${rows}; every field needs one row per step`,
    );
  }
  if (rows < 2) {
    throw new UserError(
      `${path}: observations has shape [${observations.shape}]: ` +
        `${rows === 0 ? "no rows" : "one row"}, a transition needs two`,
    );
  }
  return { rows, observationSize: observations.shape[1]!, actionSize: actions.shape[1]! };
}

function isRequired(name: string): boolean {
  return (requiredFields as readonly string[]).includes(name);
}

/**
 * Largest action that is taken for one within [−1, 1], the range of every D4RL task: beyond it is not
 * rounding.
 */
const maxAction = 1 + 1e-5;

/**
 * Everything that is wrong with the numbers of a data set, a sentence each, the first row named:
 * numbers that are not finite, actions outside [−1, 1], flags that are neither 0 nor 1, no transition.
 */
export function valueProblems(dataset: OfflineDataset): string[] {
  const { observations, actions, rewards, terminals, timeouts } = dataset;
  const { observationSize, actionSize } = dataset;
  const within = (value: number) => Math.abs(value) <= maxAction;
  const flag = (value: number) => value === 0 || value === 1;
  const problems = [
    misfit(dataset, "observations", observations, observationSize, Number.isFinite, "finite"),
    misfit(dataset, "actions", actions, actionSize, Number.isFinite, "finite") ??
      misfit(dataset, "actions", actions, actionSize, within, "within [-1, 1]"),
    misfit(dataset, "rewards", rewards, 1, Number.isFinite, "finite"),
    misfit(dataset, "terminals", terminals, 1, flag, "0 or 1"),
    misfit(dataset, "timeouts", timeouts, 1, flag, "0 or 1"),
  ].filter((problem) => problem !== null);
  if (dataset.transitions.length === 0) {
    problems.push(
      `${dataset.sources[0]!.path}: timeouts is set in every row but the last, so that no row's ` +
        "next observation is known",
    );
  }
  return problems;
}

/**
 * Refuses a data set that {@linkcode valueProblems} finds anything wrong with.
 *
 * @throws UserError with every problem.
 */
export function checkValues(dataset: OfflineDataset): void {
  const problems = valueProblems(dataset);
  if (problems.length > 0) throw new UserError(problems.join("\n"));
}

/** The sentence on the elements of a field that do not fit; null when all do. */
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
  return `${source.path}: ${field} is ${values[first]} at row ${row - source.firstRow}` +
    (columns > 1 ? `, column ${first % columns}` : "") +
    `, expected ${expected} (${count} row${count === 1 ? "" : "s"} like this)` +
    (expected === "within [-1, 1]" ? "; scale the actions to that range" : "");
}
