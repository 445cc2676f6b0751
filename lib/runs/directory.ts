/**
 * The directory of a run, `runs/<task>-<seeds>-<n>/`:
 *
 * | file | holds |
 * |---|---|
 * | `config.json` | everything the run was started with |
 * | `metrics.jsonl` | what was measured: a line for each seed and variant at each logged step |
 * | `results.json` | what the final tables show |
 * | `train.log` | what the run said, with times |
 * | `checkpoints/<stage>.safetensors` | the state of a stage: parameters, targets, moments, step |
 * | `policy.safetensors` | the final policy alone |
 * | `*.svg` | pictures |
 * | `seed-<k>/` | in a run of several seeds: checkpoints and policy of seed k |
 * | `seed-<k>-<variant>/` | in a sweep: the policy of a variant, for example `seed-0-beta-0.02` |
 *
 * The folders within are laid out as run directories themselves; those of a sweep's variants hold the
 * critic's and the behavior model's checkpoints too. `docs/run-directory.md` describes every file.
 *
 * @module
 */
import { join } from "node:path";
import { UserError } from "../errors.ts";
import {
  booleanRule,
  checkFields,
  countRule,
  type FieldRule,
  listsRule,
  nullable,
  numbersRule,
  objectRule,
  objectsRule,
  optional,
  positiveRule,
  seedsRule,
  textRule,
  textsRule,
} from "./config_check.ts";
import { writeAtomic } from "./files.ts";

/** A value that JSON holds unchanged. */
export type Json = string | number | boolean | null | readonly Json[] | {
  readonly [key: string]: Json;
};

/** What a run was started with, as `config.json` keeps it. */
export interface RunConfig {
  /** Version of the program. */
  readonly version: string;
  /** Name of the algorithm; absent in runs of versions before 0.3, which knew SRPO alone. */
  readonly algorithm?: string;
  /** Task whose hyperparameters and environment the run uses, for example `hopper-medium-v2`. */
  readonly task: string;
  /** Seeds of the replicas, in the order of the replica axis. */
  readonly seeds: readonly number[];
  /** Stages in the order they are trained. */
  readonly stages: readonly string[];
  /** The data set: its file, SHA-256 in hexadecimal, and rows. */
  readonly data: { readonly file: string; readonly sha256: string; readonly rows: number };
  /** The GPU it computes on and what was chosen for it (name, driver, software, kernel variants). */
  readonly adapter: { readonly [key: string]: Json };
  /** Every hyperparameter by name. */
  readonly hyperparameters: { readonly [name: string]: Json };
  /** Lists that are swept; absent where nothing is. */
  readonly sweep?: { readonly [list: string]: readonly Json[] };
  /** Version of Deno. Absent, as all that follows, in runs of version 0.2. */
  readonly deno?: string;
  /** Preset of the hyperparameters that were not given; null where they are another run's. */
  readonly preset?: string | null;
  /** Checkpoints that stand in for stages; empty where all are trained. */
  readonly given?: readonly GivenCheckpoint[];
  /** Steps between two evaluations (null: at the end of a stage) and episodes of one (0: none). */
  readonly evaluation?: { readonly every: number | null; readonly episodes: number };
  /** Whether the stage cache is used. */
  readonly cache?: boolean;
  /** What is known of a task of one's own (`run_task.ts`); absent where the task is D4RL's. */
  readonly environment?: { readonly [key: string]: Json };
}

/** A checkpoint that a run took over, as `config.json` keeps it. */
export interface GivenCheckpoint {
  /** The stage it stands in for. */
  readonly stage: string;
  /** The seed it serves. */
  readonly seed: number;
  /** Directory of the run it is from; null where a file was named. */
  readonly run: string | null;
  /** The file. */
  readonly file: string;
  /** SHA-256 of the file in hexadecimal digits. */
  readonly sha256: string;
}

const configRules: Readonly<Record<keyof RunConfig, FieldRule>> = {
  version: textRule,
  algorithm: optional(textRule),
  task: textRule,
  seeds: seedsRule,
  stages: textsRule,
  data: objectRule,
  adapter: objectRule,
  hyperparameters: objectRule,
  sweep: optional(listsRule),
  deno: optional(textRule),
  preset: optional(nullable(textRule)),
  given: optional(objectsRule),
  evaluation: optional(objectRule),
  cache: optional(booleanRule),
  environment: optional(objectRule),
};
const environmentRules = {
  family: textRule,
  id: nullable(textRule),
  server: nullable(textRule),
  action_low: nullable(numbersRule),
  action_high: nullable(numbersRule),
};
const dataRules = { file: textRule, sha256: textRule, rows: countRule };
const evaluationRules = { every: nullable(positiveRule), episodes: countRule };
const givenRules = {
  stage: textRule,
  seed: countRule,
  run: nullable(textRule),
  file: textRule,
  sha256: textRule,
};

/** Paths of a run directory. */
export class RunDirectory {
  /** The directory itself, as the person may type it. */
  readonly path: string;

  /**
   * Names the files of a run without touching any.
   *
   * @param path The directory, which need not exist; see {@linkcode createRunDirectory}.
   */
  constructor(path: string) {
    this.path = path;
  }

  /** `config.json`. */
  get config(): string {
    return join(this.path, "config.json");
  }

  /** `metrics.jsonl`. */
  get metrics(): string {
    return join(this.path, "metrics.jsonl");
  }

  /** `results.json`. */
  get results(): string {
    return join(this.path, "results.json");
  }

  /** `train.log`. */
  get log(): string {
    return join(this.path, "train.log");
  }

  /** `policy.safetensors`, the final policy. */
  get policy(): string {
    return join(this.path, "policy.safetensors");
  }

  /** The checkpoint of a stage. */
  checkpoint(stage: string): string {
    return join(this.path, "checkpoints", `${stage}.safetensors`);
  }

  /** What says that a generation of checkpoints is complete while it takes its places. */
  generation(stage: string): string {
    return join(this.path, "checkpoints", `${stage}.generation.json`);
  }

  /** The folder of one seed, or of one variant of a sweep for it. */
  replica(seed: number, variant: string | null = null): RunDirectory {
    const name = variant === null ? `seed-${seed}` : `seed-${seed}-${variant}`;
    return new RunDirectory(join(this.path, name));
  }

  /** A picture by its name without `.svg`. */
  picture(name: string): string {
    return join(this.path, `${name}.svg`);
  }

  /** Writes `config.json`. */
  async writeConfig(config: RunConfig): Promise<void> {
    await writeAtomic(this.config, JSON.stringify(config, null, 2) + "\n");
  }

  /**
   * Reads `config.json`.
   *
   * @throws UserError where it is missing, no JSON, or a field is missing, unknown or of a wrong type.
   */
  readConfig(): RunConfig {
    let config: unknown;
    try {
      config = JSON.parse(Deno.readTextFileSync(this.config));
    } catch (error) {
      if (error instanceof SyntaxError) {
        throw new UserError(`${this.config} is not JSON: ${error.message}`);
      }
      throw new UserError(
        `${this.path} is not a run directory: cannot read ${this.config} (${reason(error)})`,
      );
    }
    checkFields(config, configRules, this.config);
    const { data, environment, evaluation, given } = config as RunConfig;
    checkFields(data, dataRules, this.config, "data.");
    if (evaluation) checkFields(evaluation, evaluationRules, this.config, "evaluation.");
    if (environment) checkFields(environment, environmentRules, this.config, "environment.");
    given?.forEach((each, i) => checkFields(each, givenRules, this.config, `given[${i}].`));
    return config as RunConfig;
  }
}

/** The part of a run directory's name that says the seeds: `0`, `0-5`, `0,2,7`, `40-seeds`. */
export function seedsLabel(seeds: readonly number[]): string {
  const first = seeds[0]!;
  const range = seeds.length > 1 && seeds.every((seed, i) => seed === first + i);
  if (range) return `${first}-${first + seeds.length - 1}`;
  const list = seeds.join(",");
  return list.length <= 40 ? list : `${seeds.length}-seeds`;
}

/**
 * Makes the directory of a new run: `out` where given, else `runs/<task>-<seeds>-<n>` below `root`
 * with n one more than the largest there. Proves that it can be written to, so that nothing is
 * trained in vain.
 *
 * @throws UserError where the directory cannot be made or written to, or `out` holds a run or other
 * files already.
 */
export function createRunDirectory(
  { task, seeds, out, root = "runs" }: {
    readonly task: string;
    readonly seeds: readonly number[];
    readonly out?: string | undefined;
    readonly root?: string;
  },
): RunDirectory {
  const run = out === undefined
    ? createNumbered(root, `${task.replaceAll(/[^\w.-]+/g, "_")}-${seedsLabel(seeds)}`)
    : new RunDirectory(out);
  for (const path of [run.config, run.metrics, join(run.path, "checkpoints")]) {
    if (!exists(path)) continue;
    throw new UserError(
      `${run.path} holds a run already (${path}): continue it with --resume ${run.path}, ` +
        "or choose another folder with --out",
    );
  }
  if (out !== undefined) refuseOtherFiles(out);
  refusingUnwritable(run.path, () => {
    Deno.mkdirSync(join(run.path, "checkpoints"), { recursive: true });
    Deno.removeSync(Deno.makeTempFileSync({ dir: run.path }));
  });
  return run;
}

/**
 * Opens the directory of a run that is to be continued.
 *
 * @throws UserError where `path` is no run directory or cannot be written to.
 */
export function openRunDirectory(path: string): RunDirectory {
  const run = new RunDirectory(path);
  run.readConfig();
  refusingUnwritable(path, () => Deno.removeSync(Deno.makeTempFileSync({ dir: path })));
  return run;
}

/** Makes `<root>/<name>-<n>`; where another process takes the number first, the next is tried. */
function createNumbered(root: string, name: string): RunDirectory {
  return refusingUnwritable(root, () => {
    Deno.mkdirSync(root, { recursive: true });
    const taken = [...Deno.readDirSync(root)]
      .filter((entry) => entry.name.startsWith(`${name}-`))
      .map((entry) => Number(entry.name.slice(name.length + 1)))
      .filter(Number.isSafeInteger);
    for (let n = Math.max(0, ...taken) + 1;; n++) {
      const path = join(root, `${name}-${n}`);
      try {
        Deno.mkdirSync(path);
        return new RunDirectory(path);
      } catch (error) {
        if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
      }
    }
  });
}

/** Refuses a folder that is somebody else's. */
function refuseOtherFiles(out: string): void {
  let first: Deno.DirEntry | undefined;
  try {
    [first] = Deno.readDirSync(out);
  } catch {
    return; // There is none, or it cannot be written to either.
  }
  if (first === undefined) return;
  throw new UserError(
    `the folder ${out} is not empty and holds no run (${first.name}, for example); ` +
      "choose a new or an empty folder with --out",
  );
}

function refusingUnwritable<T>(path: string, write: () => T): T {
  try {
    return write();
  } catch (error) {
    throw new UserError(
      `cannot write to the output folder ${path}: ${reason(error)}; ` +
        "choose a folder of your own with --out",
    );
  }
}

function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) {
      return false;
    }
    throw new UserError(`cannot look at ${path}: ${reason(error)}`);
  }
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
