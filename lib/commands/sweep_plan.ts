/**
 * `sweep plan`: turns a sweep file into a manifest of units.
 *
 * @module
 */
import { type D4rlTask, type Family, findTask, taskOfFile, tasks } from "../data/catalog.ts";
import { resolveData } from "../data/resolve.ts";
import { UserError } from "../errors.ts";
import { isFile } from "../files.ts";
import { formatTable } from "../report/table.ts";
import { variantsOf } from "../runs/replicas.ts";
import { SweepDirectory } from "../sweep/manifest.ts";
import { parseSweepFile } from "../sweep/sweep_file.ts";
import { type Unit, unitsOf } from "../sweep/units.ts";
import { fitted } from "../terminal.ts";
import { parseFlags, text } from "./flags.ts";
import { helpText } from "./help.ts";
import { hyperparameterOverrides, sweepOf } from "./hyperparameter_flags.ts";
import { familyOf } from "./own_task.ts";
import { parseTrain } from "./train_flags.ts";
import { ownFlagOf } from "./train_plan.ts";
import { refuseIneffectiveFlags } from "./unused_flags.ts";
import { shellWord } from "../shell_word.ts";

const command = {
  name: "sweep plan",
  summary:
    "Turns a sweep file (JSON or YAML: algorithms, tasks, seeds and hyperparameters) into units, " +
    "each one run of `train`. All seeds of a unit, and all values of hyperparameters that the " +
    "algorithm can sweep, are trained together.",
  positionals: [{ name: "file", help: "The sweep file; docs/sweeps.md describes its fields" }],
  flags: {
    out: text("Folder to create for the sweep (required)", { valueName: "DIR" }),
  },
} as const;

/** The training in one stage of a unit. */
interface StageSteps {
  readonly algorithm: string;
  readonly stage: string;
  /** Policies or networks that are trained together: seeds, or seeds × variants. */
  readonly replicas: number;
  readonly steps: number;
}

/**
 * Writes the manifest of a sweep and prints how much it trains.
 *
 * @throws {UserError} If the file is invalid, a unit is one that `train` would reject, or the
 * folder holds another sweep.
 */
export async function sweepPlan(args: readonly string[]): Promise<void> {
  const parsed = parseFlags(command, args);
  if (parsed === "help") return console.log(helpText(command));
  const file = parsed.positionals[0]!;
  const { out } = parsed.flags;
  if (out === undefined) throw new UserError("sweep plan needs --out DIR, the folder to create");
  let contents: string;
  try {
    contents = Deno.readTextFileSync(file);
  } catch (error) {
    throw new UserError(`cannot read the sweep file ${file}: ${(error as Error).message}`);
  }
  const units = unitsOf(parseSweepFile(contents, file));
  const work = (await Promise.all(units.map(checkUnit))).flat();
  const directory = new SweepDirectory(out);
  const written = await directory.write(units);
  await noteMissingData([...new Set(units.map(({ task }) => task))]);
  console.log(fitted(
    `${written ? "wrote" : "unchanged:"} ${directory.manifest}, ${units.length} units`,
  ));
  if (work.length > 0) console.log(`\n${stepsTable(work)}`);
  console.log(fitted(`\nrun them here with: deno run -A cli.ts sweep run ${shellWord(out)}`));
}

/**
 * Checks a unit as `train` does. Its data files may be missing yet.
 *
 * @returns The steps of its stages.
 * @throws {UserError} If `train` would reject its task, seeds or hyperparameters.
 */
export async function checkUnit(unit: Unit): Promise<StageSteps[]> {
  try {
    const { algorithm, parsed } = parseTrain(unit.train);
    if (parsed === "help") throw new UserError(`"${unit.task}" is not a task or a data file`);
    const { flags } = parsed;
    const { hyperparameters: table } = algorithm;
    const sweep = sweepOf(algorithm, flags);
    const preset = flags.preset ?? "paper";
    const overrides = {
      ...hyperparameterOverrides(table, flags),
      ...Object.fromEntries(
        algorithm.sweeps.filter(({ list }) => sweep[list] !== undefined)
          .map(({ list, hyperparameter }) => [hyperparameter, sweep[list]![0]!]),
      ),
    };
    const known = await taskOf(unit.task, flags.task);
    const own = ownFlagOf(unit.task, flags);
    const task = own === undefined && known !== null
      ? known
      : withFamilyHint(unit.task, () =>
        familyOf([unit.task], flags.family, { table, preset, overrides }));
    const h = table.valuesFor(task, preset, overrides);
    const all = variantsOf(algorithm, h, sweep);
    refuseIneffectiveFlags(
      algorithm,
      hyperparameterOverrides(table, flags),
      all.length === 0 ? [h] : all.map(({ hyperparameters }) => hyperparameters),
    );
    const variants = Math.max(1, all.length);
    return algorithm.stages.map(({ name, over, steps }) => ({
      algorithm: algorithm.name,
      stage: name,
      replicas: flags.seeds!.length * (over === "variants" ? variants : 1),
      steps: Number(h[steps]),
    }));
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    throw new UserError(`unit ${unit.name}: ${error.message}`);
  }
}

function isPath(what: string): boolean {
  return !tasks.has(what) && /[/\\]|\.h(df)?5$/.test(what);
}

/** Adds to an error of `family` how a sweep file names what `train` takes as `--family`. */
function withFamilyHint(file: string, family: () => Family): Family {
  try {
    return family();
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    throw new UserError(
      `${error.message}. In a sweep file: { file: ${
        JSON.stringify(file)
      }, family: locomotion }, or ` +
        "the hyperparameters under algorithms",
    );
  }
}

/** Returns the D4RL task of a unit; null for a data file of no D4RL task. */
async function taskOf(what: string, given: string | undefined): Promise<D4rlTask | null> {
  if (!isPath(what)) {
    if (given !== undefined) {
      throw new UserError(`${what} is a task itself; "task" is only for data files`);
    }
    return findTask(what);
  }
  if (what.split(",").every(isFile)) return (await resolveData(what, given)).task;
  return given === undefined ? taskOfFile(what) : findTask(given);
}

/** Says which tasks `train` has no data for, which may still be downloaded or copied. */
async function noteMissingData(names: readonly string[]): Promise<void> {
  const missing: string[] = [];
  for (const name of names) {
    try {
      await resolveData(name);
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      missing.push(name);
    }
  }
  if (missing.length === 0) return;
  console.error(fitted(
    `note: there are no data yet for ${missing.length} of ${names.length} tasks: ` +
      `${missing.join(", ")}; \`data get <task>\` downloads the file of a D4RL task`,
    Deno.stderr,
  ));
}

/** Sums the steps of the units by algorithm, stage and number of replicas. */
function stepsTable(work: readonly StageSteps[]): string {
  const groups = Map.groupBy(
    work,
    ({ algorithm, stage, replicas, steps }) => `${algorithm} ${stage} ${replicas} ${steps}`,
  );
  return formatTable(
    ["algorithm", "stage", "trained together", "units", "steps of each", "steps in all"],
    [...groups.values()].map((each) => {
      const { algorithm, stage, replicas, steps } = each[0]!;
      return [algorithm, stage, ...[replicas, each.length, steps, each.length * steps].map(String)];
    }),
  );
}
