/**
 * Sweep files: which algorithms are trained on which tasks, with which seeds and hyperparameters.
 * `docs/sweeps.md` describes the fields.
 *
 * @module
 */
import { parse } from "@std/yaml/parse";
import * as v from "valibot";
import type { HyperparameterValue, Preset } from "../algorithms/hyperparameters.ts";
import { UserError } from "../errors.ts";
import { kinds, parseJson, parseValue } from "../schema.ts";

/** Values of one algorithm's hyperparameters by flag name; a list holds several values to try. */
export type SweptValues = Readonly<
  Record<string, HyperparameterValue | readonly HyperparameterValue[]>
>;

/** A data file and what it is trained as; the fields are flags of `train`. */
export interface DataFile {
  /** Path, or several separated by commas. */
  readonly file: string;
  /** D4RL task. */
  readonly task?: string;
  /** Default hyperparameters of data of no D4RL task. */
  readonly family?: "locomotion" | "maze";
  /** Evaluation environment of such data. */
  readonly env?: string;
  /** Server of that environment. */
  readonly server?: "python" | "wasm";
}

/** The contents of a sweep file. */
export interface SweepFile {
  /** D4RL tasks, and data files that `train` takes. */
  readonly tasks: readonly (string | DataFile)[];
  /** Seeds as text for `train --seeds`, or as a list. */
  readonly seeds: string | readonly number[];
  /** Hyperparameters by algorithm; null stands for none. */
  readonly algorithms: Readonly<Record<string, SweptValues | null>>;
  /** Preset of the other hyperparameters; `train`'s default if absent. */
  readonly preset?: Preset;
  /** Steps between evaluations, and episodes of each; `train`'s defaults if absent. */
  readonly evaluation?: { readonly every?: number; readonly episodes?: number };
}

const value = v.union(
  [kinds.number, v.string(), v.boolean()],
  "a number, a text, true or false, or a list of them",
);
const values = "a list of one or more distinct values";
const tasks = "a list of one or more distinct tasks or data files";
const seeds = 'seeds such as "0-5", or a list of one or more whole numbers from 0';
const dataFile: v.GenericSchema<unknown, DataFile> = v.strictObject({
  file: v.pipe(kinds.text, v.nonEmpty("a data file")),
  task: v.exactOptional(kinds.text),
  family: v.exactOptional(v.picklist(["locomotion", "maze"], "locomotion or maze")),
  env: v.exactOptional(kinds.text),
  server: v.exactOptional(v.picklist(["python", "wasm"], "python or wasm")),
});
const schema: v.GenericSchema<unknown, SweepFile> = v.strictObject({
  tasks: v.pipe(
    v.array(
      v.union(
        [v.pipe(kinds.text, v.nonEmpty("a task or a data file")), dataFile],
        "a task or a data file",
      ),
      tasks,
    ),
    v.minLength(1, tasks),
    v.check(
      (each) => areDistinct(each.map((task) => typeof task === "string" ? task : task.file)),
      tasks,
    ),
  ),
  seeds: v.union(
    [
      v.string(),
      v.pipe(kinds.count, v.transform((seed) => [seed])),
      v.pipe(v.array(kinds.count), v.minLength(1, seeds)),
    ],
    seeds,
  ),
  algorithms: v.pipe(
    v.unknown(),
    v.check(
      (each) => !Array.isArray(each),
      "algorithms with their hyperparameters, for example `algorithms: { iql: }`",
    ),
    v.record(
      v.string(),
      v.nullable(v.record(
        v.string(),
        v.union([
          value,
          v.pipe(
            v.array(value),
            v.minLength(1, values),
            v.check((each) => areDistinct(each), values),
          ),
        ], "a value, or a list of one or more distinct values"),
      )),
      "algorithms with their hyperparameters",
    ),
    v.check((each) => Object.keys(each).length > 0, "one or more algorithms"),
  ),
  preset: v.exactOptional(v.picklist(["paper", "quick"], "paper or quick")),
  evaluation: v.exactOptional(v.strictObject({
    every: v.exactOptional(kinds.positive),
    episodes: v.exactOptional(kinds.count),
  })),
});

/**
 * Parses a sweep file, as JSON if its name ends in `.json`, else as YAML.
 *
 * @throws {UserError} If the text is neither, or a field is missing, unknown or invalid.
 */
export function parseSweepFile(text: string, file: string): SweepFile {
  return parseValue(
    schema,
    file.endsWith(".json") ? parseJson(text, file) : yaml(text, file),
    file,
  );
}

function yaml(text: string, file: string): unknown {
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    throw new UserError(`${file} is not YAML: ${error.message.split("\n", 1)[0]}`);
  }
}

function areDistinct(list: readonly unknown[]): boolean {
  return new Set(list).size === list.length;
}
