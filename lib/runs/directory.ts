/**
 * The directory of a run, `runs/<task>-<seeds>-<n>/`:
 *
 * | file | contents |
 * |---|---|
 * | `config.json` | all settings of the run |
 * | `metrics.jsonl` | metrics: one line per seed and variant at each logged step |
 * | `results.json` | the data of the final tables |
 * | `train.log` | the run's output, with times |
 * | `checkpoints/<stage>.safetensors` | the state of a stage: parameters, targets, moments, step |
 * | `policy.safetensors` | only the final policy |
 * | `*.svg` | pictures |
 * | `run.lock` | the process that uses the directory |
 * | `seed-<k>/` | in a run of several seeds: the checkpoints and policy of seed k |
 * | `seed-<k>-<variant>/` | in a sweep: the policy of a variant, for example `seed-0-beta-0.02` |
 *
 * The folders of seeds and variants have the same layout as a run directory. Those of a sweep's
 * variants also hold the checkpoints of the earlier stages. `docs/run-directory.md` describes every
 * file.
 *
 * @module
 */
import { basename, dirname, join } from "node:path";
import { UserError } from "../errors.ts";
import { parseConfig, type RunConfig } from "./config.ts";
import { sealJson } from "./checksum.ts";
import { writeAtomic } from "./files.ts";
import { isBeginning } from "./lock.ts";
import { shellWord } from "../shell_word.ts";

/** The paths in a run directory. */
export class RunDirectory {
  /** Path of the directory. */
  readonly path: string;

  /**
   * Creates the object without accessing any files.
   *
   * @param path The directory, which need not exist. See {@linkcode createRunDirectory}.
   */
  constructor(path: string) {
    this.path = path;
  }

  /** Path of `config.json`. */
  get config(): string {
    return join(this.path, "config.json");
  }

  /** Path of `metrics.jsonl`. */
  get metrics(): string {
    return join(this.path, "metrics.jsonl");
  }

  /** Path of `run.lock`. */
  get lock(): string {
    return join(this.path, "run.lock");
  }

  /** Path of the original metrics of a run of version 0.2. */
  get formerMetrics(): string {
    return join(this.path, "metrics-0.2.jsonl");
  }

  /** Path of `results.json`. */
  get results(): string {
    return join(this.path, "results.json");
  }

  /** Path of `train.log`. */
  get log(): string {
    return join(this.path, "train.log");
  }

  /** Path of `policy.safetensors`, the final policy. */
  get policy(): string {
    return join(this.path, "policy.safetensors");
  }

  /** Returns the path of a stage's checkpoint. */
  checkpoint(stage: string): string {
    return join(this.path, "checkpoints", `${stage}.safetensors`);
  }

  /** Returns the folder of one seed, or of one variant of a sweep for that seed. */
  replica(seed: number, variant: string | null = null): RunDirectory {
    const name = variant === null ? `seed-${seed}` : `seed-${seed}-${variant}`;
    return new RunDirectory(join(this.path, name));
  }

  /** Returns the path of a picture. `name` has no `.svg`. */
  picture(name: string): string {
    return join(this.path, `${name}.svg`);
  }

  /** Writes `config.json`. */
  async writeConfig(config: RunConfig): Promise<void> {
    await writeAtomic(this.config, sealJson(config));
  }

  /**
   * Reads `config.json`.
   *
   * @throws {UserError} If it is missing, damaged or not JSON, or a field is missing, unknown or
   * invalid.
   */
  readConfig(): RunConfig {
    let text: string;
    try {
      text = Deno.readTextFileSync(this.config);
    } catch (error) {
      if (isBeginning(this)) {
        throw new UserError(
          `${this.path} holds only the beginning of a run, which ended before its settings were ` +
            `written; start it again with --out ${shellWord(this.path)}`,
        );
      }
      throw new UserError(
        `${this.path} is not a run directory: cannot read ${this.config} (${reason(error)})`,
      );
    }
    return parseConfig(text, this.config);
  }
}

/** Formats seeds for a run directory's name: `0`, `0-5`, `0,2,7` or `40-seeds`. */
export function seedsLabel(seeds: readonly number[]): string {
  const first = seeds[0]!;
  const range = seeds.length > 1 && seeds.every((seed, i) => seed === first + i);
  if (range) return `${first}-${first + seeds.length - 1}`;
  const list = seeds.join(",");
  return list.length <= 40 ? list : `${seeds.length}-seeds`;
}

/**
 * Creates the directory of a new run: `out` if given, else `<root>/<task>-<seeds>-<n>`, where n is
 * one more than the largest existing number. Tests that the directory is writable before training
 * starts. `out` may hold the beginning of a run (`lock.ts`).
 *
 * @throws {UserError} If the directory cannot be created or written to, or `out` already holds a
 * run or other files.
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
  refuseRun(run);
  if (out !== undefined) refuseOtherFiles(out, isBeginning(run));
  refusingUnwritable(run.path, () => {
    Deno.mkdirSync(run.path, { recursive: true });
    writeTest(run.path);
  });
  return run;
}

/**
 * Rejects a directory that holds a run.
 *
 * @throws {UserError} If it does.
 */
export function refuseRun(run: RunDirectory): void {
  for (const path of [run.config, run.metrics]) {
    if (!exists(path)) continue;
    throw new UserError(
      `${run.path} already holds a run (${path}): resume it with --resume ${
        shellWord(run.path)
      }, or choose ` +
        "another folder with --out",
    );
  }
}

/**
 * Opens the directory of a run to resume.
 *
 * @throws {UserError} If `path` is not a run directory, is the folder of one seed or variant of a
 * run, or cannot be written to.
 */
export function openRunDirectory(path: string): RunDirectory {
  const run = new RunDirectory(path);
  run.readConfig();
  refusePart(path);
  refusingUnwritable(path, () => writeTest(path));
  return run;
}

/** Rejects the folder of one seed or variant, whose metrics and lock are those of the whole run. */
function refusePart(path: string): void {
  const real = Deno.realPathSync(path);
  if (!/^seed-\d+(-|$)/.test(basename(real))) return;
  const whole = new RunDirectory(dirname(real));
  try {
    Deno.statSync(whole.config);
  } catch (error) {
    // The folder above is no run, or this process may not read it.
    const { NotFound, NotADirectory, NotCapable, PermissionDenied } = Deno.errors;
    const absent = [NotFound, NotADirectory, NotCapable, PermissionDenied];
    if (absent.some((each) => error instanceof each)) return;
    throw error;
  }
  const { seeds, sweep } = whole.readConfig();
  if (seeds.length === 1 && sweep === undefined) return;
  throw new UserError(
    `${path} is part of the run ${whole.path}, which trains all its seeds and variants together; ` +
      `resume that with --resume ${shellWord(whole.path)}`,
  );
}

function writeTest(folder: string): void {
  Deno.removeSync(Deno.makeTempFileSync({ dir: folder, suffix: ".tmp" }));
}

/** Creates `<root>/<name>-<n>`. If another process takes the number first, tries the next one. */
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

/** Rejects a folder that contains unrelated files, which a new run would mix with or remove. */
function refuseOtherFiles(out: string, begun: boolean): void {
  const own = begun
    ? /^(checkpoints|seed-\d+(-.+)?|train\.log|run\.lock|.*\.tmp)$/
    : /^(run\.lock|.*\.tmp)$/;
  let first: Deno.DirEntry | undefined;
  try {
    first = [...Deno.readDirSync(out)].find(({ name }) => !own.test(name));
  } catch {
    return; // It does not exist, or the later test for write access fails too.
  }
  if (first === undefined) return;
  throw new UserError(
    `the folder ${out} is not empty and is not a run (it contains ${first.name}); ` +
      "choose a new or empty folder with --out",
  );
}

function refusingUnwritable<T>(path: string, write: () => T): T {
  try {
    return write();
  } catch (error) {
    throw new UserError(
      `cannot write to the output folder ${path}: ${reason(error)}; ` +
        "choose a writable folder with --out",
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
    throw new UserError(`cannot access ${path}: ${reason(error)}`);
  }
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
