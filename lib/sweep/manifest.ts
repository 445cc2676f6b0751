/**
 * The folder of a sweep:
 *
 * | file | contents |
 * |---|---|
 * | `sweep.json` | the manifest: all units |
 * | `runs/<unit>/` | the run directory of a unit, once it has begun |
 * | `slurm/job.sh` | the job script, once it has been submitted |
 * | `slurm/job.json` | the id of the last job array |
 * | `slurm/<index>.log` | what the unit printed in the job array |
 *
 * The state of a unit is read from its run directory alone. Units can therefore be run again after
 * any interruption, and on several machines that share the folder.
 *
 * @module
 */
import { join } from "node:path";
import * as v from "valibot";
import { UserError } from "../errors.ts";
import { isFile } from "../files.ts";
import { openJson, sealJson } from "../runs/checksum.ts";
import { RunDirectory } from "../runs/directory.ts";
import { writeAtomic } from "../runs/files.ts";
import { runId } from "../runs/identity.ts";
import { readResults } from "../runs/results.ts";
import { kinds, parseValue } from "../schema.ts";
import type { Unit } from "./units.ts";
import { shellWord } from "../shell_word.ts";

const schema: v.GenericSchema<unknown, { readonly units: readonly Unit[] }> = v.strictObject({
  units: v.pipe(
    v.array(
      v.strictObject({
        name: kinds.name,
        task: kinds.text,
        algorithm: kinds.text,
        train: v.array(kinds.text),
      }),
    ),
    v.minLength(1, "one or more units"),
  ),
});

/** State of a unit. */
export type UnitState = "new" | "begun" | "finished";

/** A planned sweep. */
export class SweepDirectory {
  /** Path of the folder. */
  readonly path: string;

  /**
   * Creates the object without accessing any files.
   *
   * @param path The folder, which need not exist.
   */
  constructor(path: string) {
    this.path = path;
  }

  /** Path of the manifest. */
  get manifest(): string {
    return join(this.path, "sweep.json");
  }

  /** Folder of the run directories. */
  get runs(): string {
    return join(this.path, "runs");
  }

  /** Folder of the job script and its logs. */
  get slurm(): string {
    return join(this.path, "slurm");
  }

  /** Returns the run directory of a unit. */
  runOf({ name }: Unit): RunDirectory {
    return new RunDirectory(join(this.runs, name));
  }

  /**
   * Writes the manifest and creates the folder. A folder that already holds the same sweep is left
   * as it is.
   *
   * @returns Whether the manifest was written.
   * @throws {UserError} If the folder holds another sweep, or cannot be written to.
   */
  async write(units: readonly Unit[]): Promise<boolean> {
    if (isFile(this.manifest)) {
      if (JSON.stringify(this.read()) === JSON.stringify(units)) return false;
      throw new UserError(
        `${this.path} already holds another sweep (${this.manifest}); choose another folder with --out`,
      );
    }
    try {
      Deno.mkdirSync(this.path, { recursive: true });
    } catch (error) {
      throw new UserError(
        `cannot create the folder ${this.path}: ${(error as Error).message}; ` +
          "choose another folder with --out",
      );
    }
    await writeAtomic(this.manifest, sealJson({ units }));
    return true;
  }

  /**
   * Reads the units from the manifest.
   *
   * @throws {UserError} If the folder has no manifest, or it is damaged or invalid.
   */
  read(): readonly Unit[] {
    let text: string;
    try {
      text = Deno.readTextFileSync(this.manifest);
    } catch (error) {
      throw new UserError(
        `${this.path} is not a planned sweep: cannot read ${this.manifest} ` +
          `(${(error as Error).message}); \`sweep plan <file> --out ${
            shellWord(this.path)
          }\` makes one`,
      );
    }
    const advice = "restore it, or plan the sweep again in another folder";
    return parseValue(schema, openJson(text, this.manifest, advice), this.manifest).units;
  }

  /**
   * Returns the state of a unit.
   *
   * @throws {UserError} If the results of its run are damaged.
   */
  stateOf(unit: Unit): UnitState {
    const run = this.runOf(unit);
    if (!isFile(run.config)) return "new";
    const id = runId(run.readConfig());
    return readResults(run.results, id)?.finished ? "finished" : "begun";
  }

  /** Returns the arguments of `train` that begin a unit, or continue it. */
  trainArguments(unit: Unit): readonly string[] {
    const { path } = this.runOf(unit);
    return this.stateOf(unit) === "new" ? [...unit.train, `--out=${path}`] : [`--resume=${path}`];
  }
}
