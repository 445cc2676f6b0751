/**
 * The settings of a run, as stored in `config.json`, and their schema.
 *
 * @module
 */
import * as v from "valibot";
import { kinds, parseValue } from "../schema.ts";
import { openJson } from "./checksum.ts";

/** A value that survives a round trip through JSON. */
export type Json = string | number | boolean | null | readonly Json[] | {
  readonly [key: string]: Json;
};

/** The settings of a run, as stored in `config.json`. */
export interface RunConfig {
  /** Version of the program. */
  readonly version: string;
  /** Name of the algorithm. Absent in runs of versions before 0.3, which only had SRPO. */
  readonly algorithm?: string;
  /** Task whose hyperparameters and environment the run uses, for example `hopper-medium-v2`. */
  readonly task: string;
  /** Seeds of the replicas, in the order of the replica axis. */
  readonly seeds: readonly number[];
  /** Stages in the order they are trained. */
  readonly stages: readonly string[];
  /** The data set: its file, SHA-256 in hexadecimal, and rows. */
  readonly data: { readonly file: string; readonly sha256: string; readonly rows: number };
  /** The GPU adapter and its kernel variants (name, driver, software, …). */
  readonly adapter: { readonly [key: string]: Json };
  /** Every hyperparameter by name. */
  readonly hyperparameters: { readonly [name: string]: Json };
  /** Swept lists; absent if nothing is swept. */
  readonly sweep?: { readonly [list: string]: readonly Json[] };
  /** Version of Deno. Like all following fields, absent in runs of version 0.2. */
  readonly deno?: string;
  /** Preset of the hyperparameters that were not given; null if another run provides them. */
  readonly preset?: string | null;
  /** Checkpoints that replace stages; empty if all stages are trained. */
  readonly given?: readonly GivenCheckpoint[];
  /**
   * Steps between evaluations (null: only at the end of a stage) and episodes of each (0: none).
   */
  readonly evaluation?: { readonly every: number | null; readonly episodes: number };
  /** Whether the stage cache is used. */
  readonly cache?: boolean;
  /**
   * The versions and adapters of a resumed run before it was continued on others; absent if it was
   * not.
   */
  readonly earlier?: readonly EarlierMachine[];
  /** Properties of a custom task (`run_task.ts`); absent for D4RL tasks. */
  readonly environment?: { readonly [key: string]: Json };
}

/** Version and adapter of a run before it was resumed on others, as stored in `config.json`. */
export type EarlierMachine = Pick<RunConfig, "version" | "adapter">;

/** A checkpoint that replaces a stage, as stored in `config.json`. */
export interface GivenCheckpoint {
  /** The replaced stage. */
  readonly stage: string;
  /** The seed that uses the checkpoint. */
  readonly seed: number;
  /** Directory of the run that provides the checkpoint; null if a file was given. */
  readonly run: string | null;
  /** Path of the file. */
  readonly file: string;
  /** SHA-256 of the file in hexadecimal. */
  readonly sha256: string;
}

const json: v.GenericSchema<unknown, Json> = v.lazy(() =>
  v.union([
    v.null(),
    v.boolean(),
    v.number(),
    v.string(),
    v.array(json),
    v.record(v.string(), json),
  ], "JSON")
);
const hexadecimal = v.pipe(v.string("a SHA-256"), v.regex(/^[0-9a-f]+$/, "a SHA-256"));
const adapter = v.record(v.string(), json);
const bounds = v.nullable(v.array(kinds.number));
const given = v.strictObject({
  stage: kinds.name,
  seed: kinds.count,
  run: v.nullable(kinds.text),
  file: kinds.text,
  sha256: kinds.sha256,
});
const seeds = "a list of one or more distinct whole numbers from 0";
const schema: v.GenericSchema<unknown, RunConfig> = v.strictObject({
  version: kinds.text,
  algorithm: v.exactOptional(kinds.text),
  task: kinds.text,
  seeds: v.pipe(
    v.array(kinds.count, seeds),
    v.minLength(1, seeds),
    v.check((each) => new Set(each).size === each.length, seeds),
  ),
  stages: v.pipe(
    v.array(kinds.name, "a list of names"),
    v.minLength(1, "a list of one or more names"),
  ),
  // The data's hash is compared with that of the file, so its length need not be checked.
  data: v.strictObject({ file: kinds.text, sha256: hexadecimal, rows: kinds.count }),
  adapter,
  hyperparameters: v.record(
    v.string(),
    v.union([kinds.number, v.string(), v.boolean()], "a number, a text, true or false"),
  ),
  sweep: v.exactOptional(v.record(v.string(), v.array(json))),
  deno: v.exactOptional(kinds.text),
  preset: v.exactOptional(v.nullable(v.picklist(["paper", "quick"], '"paper", "quick" or null'))),
  given: v.exactOptional(v.array(given)),
  evaluation: v.exactOptional(
    v.strictObject({ every: v.nullable(kinds.positive), episodes: kinds.count }),
  ),
  cache: v.exactOptional(kinds.flag),
  earlier: v.exactOptional(v.array(v.strictObject({ version: kinds.text, adapter }))),
  environment: v.exactOptional(v.strictObject({
    family: v.picklist(["locomotion", "antmaze", "maze2d"], "locomotion, antmaze or maze2d"),
    id: v.nullable(kinds.text),
    server: v.nullable(kinds.text),
    action_low: bounds,
    action_high: bounds,
  })),
});

/**
 * Parses the text of a `config.json`.
 *
 * @throws {UserError} If it is not JSON, was changed, or a field is missing, unknown or invalid.
 */
export function parseConfig(text: string, file: string): RunConfig {
  const advice = "restore it, or start a new run; --data, --matmul, --eval-every, " +
    "--eval-episodes and --no-cache are the settings that --resume can change";
  return parseValue(schema, openJson(text, file, advice), file);
}
