/**
 * Flags derived from an algorithm: one per hyperparameter and one per list that it can sweep.
 *
 * @module
 */
import type { Algorithm, Sweep } from "../algorithms/algorithm.ts";
import type { HyperparameterTable, HyperparameterValue } from "../algorithms/hyperparameters.ts";
import {
  boolean,
  choice,
  type Flag,
  type FlagOptions,
  type FlagTable,
  type FlagValues,
  integer,
  list,
  number,
} from "./flags.ts";

/** Value of a hyperparameter's flag; undefined if not given. */
type Given = HyperparameterValue | undefined;

/**
 * Returns the flags of an algorithm's hyperparameters by name, in the table's order. `--help`
 * groups them by stage. The value of an absent flag is undefined, because the default depends on
 * the task and the preset; `--help` shows it.
 */
export function hyperparameterFlags(
  { hyperparameters: table, stages }: Pick<Algorithm, "hyperparameters" | "stages">,
): Readonly<Record<string, Flag<Given>>> {
  return Object.fromEntries(table.names.map((name) => {
    const { group, symbol, help, source } = table.rows[name]!;
    const sentence = help.charAt(0).toUpperCase() + help.slice(1);
    const text = `${symbol === "" ? "" : `${symbol}: `}${sentence} [${source}]`;
    const heading = stages.some((stage) => stage.name === group) ? `${group} stage` : group;
    const flag = hyperparameterFlag(table, name, text, {
      group: `Hyperparameters (${heading})`,
      shown: table.defaultText(name),
    });
    return [table.flagName(name), flag];
  }));
}

/** Returns the hyperparameters whose flags were given. */
export function hyperparameterOverrides(
  table: HyperparameterTable,
  flags: FlagValues<FlagTable>,
): Record<string, HyperparameterValue> {
  return Object.fromEntries(
    table.names.map((name) => [name, flags[table.flagName(name)]] as const)
      .filter((entry): entry is [string, HyperparameterValue] => entry[1] !== undefined),
  );
}

/** Returns the flags of the lists that an algorithm can sweep. */
export function sweepFlags(
  { hyperparameters: table, sweeps }: Pick<Algorithm, "hyperparameters" | "sweeps">,
): Readonly<Record<string, Flag<readonly HyperparameterValue[] | undefined>>> {
  const options = { group: "Sweeps (several policies in one run)" };
  return Object.fromEntries(
    sweeps.map((sweep) => [
      sweep.list,
      list(sweep.help, hyperparameterFlag(table, sweep.hyperparameter, "", options)),
    ]),
  );
}

/** Returns the lists whose flags were given. */
export function sweepOf({ sweeps }: Algorithm, flags: FlagValues<FlagTable>): Sweep {
  return Object.fromEntries(
    sweeps.map(({ list }) => [list, flags[list]] as const)
      .filter((entry): entry is [string, readonly HyperparameterValue[]] => entry[1] !== undefined),
  );
}

function hyperparameterFlag(
  table: HyperparameterTable,
  name: string,
  text: string,
  options: FlagOptions,
): Flag<Given> {
  const { values } = table.rows[name]!;
  switch (values.kind) {
    case "boolean":
      return boolean(text, options);
    case "choice":
      return choice(text, values.choices, options);
    case "integer":
      return integer(text, { ...options, min: values.min, max: values.max });
    case "number":
      return number(text, { ...options, min: values.min, max: values.max });
  }
}
