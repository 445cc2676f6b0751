/**
 * The units of a sweep: runs that are trained independently of each other, in any order.
 *
 * One run trains all seeds of a task and an algorithm, and all values of hyperparameters that the
 * algorithm can sweep (`--betas`), because they share stages and dispatches. Values of other
 * hyperparameters, such as widths, are units of their own.
 *
 * @module
 */
import { basename } from "node:path";
import type { Algorithm } from "../algorithms/algorithm.ts";
import type { HyperparameterValue } from "../algorithms/hyperparameters.ts";
import { algorithms, findAlgorithm } from "../algorithms/registry.ts";
import { UserError } from "../errors.ts";
import { suggestion } from "../suggestion.ts";
import type { SweepFile, SweptValues } from "./sweep_file.ts";

/** A unit: one run of `train`. */
export interface Unit {
  /** Name of its run directory, distinct in the sweep. */
  readonly name: string;
  /** D4RL task or data file. */
  readonly task: string;
  /** Name of the algorithm. */
  readonly algorithm: string;
  /** Arguments of `train` for a new run, without the run directory. */
  readonly train: readonly string[];
}

/** Largest number of units in a sweep. */
export const maxUnits = 10_000;

/**
 * Returns the units of a sweep, by task and then by algorithm.
 *
 * @param known Algorithms by name.
 * @throws {UserError} If an algorithm or hyperparameter is unknown, there are too many units, or
 * two units would have the same name.
 */
export function unitsOf(
  sweep: SweepFile,
  known: ReadonlyMap<string, Algorithm> = algorithms,
): Unit[] {
  const choices = Object.entries(sweep.algorithms).map(([name, values]) => ({
    name,
    ...choicesOf(findAlgorithm(name, known), values ?? {}),
  }));
  const count = sweep.tasks.length *
    choices.reduce((sum, { separate }) => sum + combinationCount(separate), 0);
  if (count > maxUnits) {
    throw new UserError(
      `the sweep has ${count} units, at most ${maxUnits} are possible; split it into several files`,
    );
  }
  const files = sweep.tasks.map((task) => typeof task === "string" ? { file: task } : task);
  const units = files.flatMap(({ file: task, ...traits }) =>
    choices.flatMap(({ name, shared, separate }) =>
      combinationsOf(separate).map((combination): Unit => ({
        name: [label(task), name, ...combination.flat()].join("-").replaceAll(/[^\w.-]+/g, "_"),
        task,
        algorithm: name,
        train: [
          task,
          ...flag("algorithm", name),
          ...Object.entries(traits).flatMap(([name, value]) => flag(name, value)),
          ...(sweep.preset === undefined ? [] : flag("preset", sweep.preset)),
          ...flag("seeds", String(sweep.seeds)),
          ...evaluationFlags(sweep.evaluation),
          ...shared,
          ...combination.flatMap(([hyperparameter, value]) => flag(hyperparameter, String(value))),
        ],
      }))
    )
  );
  const names = new Set<string>();
  for (const { name } of units) {
    if (names.has(name)) {
      throw new UserError(
        `two units of the sweep would be called ${name}; give the data files different names, and ` +
          "each hyperparameter distinct values",
      );
    }
    names.add(name);
  }
  return units;
}

/** A hyperparameter's flag with the values that need units of their own. */
type Separate = readonly [flag: string, values: readonly HyperparameterValue[]];

/** Sorts hyperparameters into flags that all units share, and those with a unit per value. */
function choicesOf(
  { name, hyperparameters: table, sweeps }: Algorithm,
  values: SweptValues,
): { readonly shared: readonly string[]; readonly separate: readonly Separate[] } {
  const flags = new Map(table.names.map((each) => [table.flagName(each), each]));
  const shared: string[] = [];
  const separate: Separate[] = [];
  for (const [given, value] of Object.entries(values)) {
    const hyperparameter = flags.get(given);
    if (hyperparameter === undefined) {
      throw new UserError(
        `${name} has no hyperparameter "${given}"${suggestion(given, [...flags.keys()])}; ` +
          `\`train --algorithm ${name} --help\` lists them`,
      );
    }
    const list = Array.isArray(value) ? value as readonly HyperparameterValue[] : [value];
    const sweepable = sweeps.find((each) => each.hyperparameter === hyperparameter);
    if (list.length === 1) shared.push(...flag(given, String(list[0])));
    else if (sweepable !== undefined) shared.push(...flag(sweepable.list, list.join(",")));
    else separate.push([given, list as readonly HyperparameterValue[]]);
  }
  return { shared, separate };
}

function combinationCount(separate: readonly Separate[]): number {
  return separate.reduce((product, [, values]) => product * values.length, 1);
}

/** Returns all combinations, the first hyperparameter varying slowest. */
function combinationsOf(
  separate: readonly Separate[],
): (readonly [string, HyperparameterValue])[][] {
  return separate.reduce<(readonly [string, HyperparameterValue])[][]>(
    (combinations, [name, values]) =>
      combinations.flatMap((each) => values.map((value) => [...each, [name, value] as const])),
    [[]],
  );
}

function evaluationFlags(evaluation: SweepFile["evaluation"] = {}): string[] {
  const { every, episodes } = evaluation;
  return [
    ...(every === undefined ? [] : flag("eval-every", String(every))),
    ...(episodes === undefined ? [] : flag("eval-episodes", String(episodes))),
  ];
}

/** Joined by `=`, so that a value that begins with a dash is not taken for a flag. */
function flag(name: string, value: string): string[] {
  return [`--${name}=${value}`];
}

/** Returns the part of a unit's name for a task or a data file. */
function label(task: string): string {
  return basename(task).replace(/\.(hdf5|h5)$/, "");
}
