/**
 * Checks the fields of a file before its values are read. Every error names the file, the field and
 * its shape.
 *
 * @module
 */
import { UserError } from "../errors.ts";

/** Fields that every file in D4RL's format has. */
const requiredFields = ["observations", "actions", "rewards", "terminals"] as const;

/** Type and shape of a field. */
export interface FieldLayout {
  /** Type, for example `float32`, `uint8`, `bool` or `string`. */
  readonly dtype: string;
  /** Sizes, rows first. */
  readonly shape: readonly number[];
}

/** Sizes of a file, on which its fields agree. */
export interface Layout {
  /** Number of rows N, that is, environment steps. */
  readonly rows: number;
  /** Number of entries in an observation. */
  readonly observationSize: number;
  /** Number of entries in an action. */
  readonly actionSize: number;
}

/** Supported types. h5py writes Python's bools as an enumeration, shown here as `bool`. */
const numericTypes = /^(float(32|64)|u?int(8|16|32|64)|bool)$/;

/**
 * Checks the fields of a file and returns its sizes.
 *
 * @throws {UserError} If a field is missing, not numeric, empty, or has the wrong shape or length.
 */
export function checkLayout(path: string, fields: ReadonlyMap<string, FieldLayout>): Layout {
  const missing = requiredFields.filter((name) => !fields.has(name));
  if (missing.length > 0) {
    throw new UserError(
      `${path}: no field "${missing.join('", no field "')}"; D4RL's format requires ` +
        `${requiredFields.join(", ")}; this file has ${[...fields.keys()].join(", ") || "none"}`,
    );
  }
  const used = [...fields].filter(([name]) => name === "timeouts" || isRequired(name));
  for (const [name, { dtype, shape }] of used) {
    if (!numericTypes.test(dtype)) {
      throw new UserError(`${path}: ${name} should be numbers (float32), but is ${dtype}`);
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
  const next = fields.get("next_observations");
  if (
    next !== undefined &&
    (!numericTypes.test(next.dtype) || `${next.shape}` !== `${observations.shape}`)
  ) {
    throw new UserError(
      `${path}: next_observations is ${next.dtype} of shape [${next.shape}], expected numbers of ` +
        `the shape of observations, [${observations.shape}]`,
    );
  }
  const rows = observations.shape[0]!;
  const unequal = used.filter(([, { shape }]) => shape[0] !== rows);
  if (unequal.length > 0) {
    throw new UserError(
      `${path}: ${
        unequal.map(([name, { shape }]) => `${name} has ${shape[0]} rows`).join(", ")
      }, ` +
        `but observations has ${rows}; every field needs one row per step`,
    );
  }
  if (rows < 2) {
    throw new UserError(
      `${path}: observations has shape [${observations.shape}]: ` +
        `${rows === 0 ? "no rows" : "one row"}, but a transition needs two`,
    );
  }
  return { rows, observationSize: observations.shape[1]!, actionSize: actions.shape[1]! };
}

function isRequired(name: string): boolean {
  return (requiredFields as readonly string[]).includes(name);
}
