/**
 * The directory of a run, `runs/<task>-<seeds>-<n>/`:
 *
 * | file | holds |
 * |---|---|
 * | `config.json` | everything the run was started with |
 * | `metrics.jsonl` | a line per logged step |
 * | `checkpoints/<stage>.safetensors` | the state of a stage: parameters, targets, moments, step |
 * | `policy.safetensors` | the final policy alone |
 * | `*.svg` | pictures |
 * | `seed-<k>/` | in a run of several seeds: checkpoints and policy of seed k |
 * | `seed-<k>-<variant>/` | in a sweep: the policy of a variant, for example `seed-0-beta-0.02` |
 *
 * The folders within are laid out as run directories themselves; those of a sweep's variants hold the
 * critic's and the behavior model's checkpoints too.
 *
 * @module
 */
import { join } from "node:path";
import { UserError } from "../errors.ts";
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
}

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
   * @throws UserError where it is missing, no JSON, or lacks a field.
   */
  readConfig(): RunConfig {
    let config: Record<string, unknown>;
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
    const fields = ["version", "task", "seeds", "stages", "data", "adapter", "hyperparameters"];
    const missing = fields.find((field) => !Object.hasOwn(config ?? {}, field));
    if (missing !== undefined) throw new UserError(`${this.config}: field "${missing}" is missing`);
    return config as unknown as RunConfig;
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
 * @throws UserError where the directory cannot be made or written to, or `out` holds a run already.
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
