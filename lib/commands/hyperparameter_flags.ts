/**
 * A flag for every hyperparameter, made from the one table of them.
 *
 * @module
 */
import {
  defaultText,
  flagName,
  type Hyperparameter,
  hyperparameterNames,
  type Hyperparameters,
  hyperparameterTable,
} from "../algorithms/srpo/hyperparameters.ts";
import {
  boolean,
  choice,
  type Flag,
  type FlagOptions,
  type FlagTable,
  type FlagValues,
  integer,
  number,
} from "./flags.ts";

/** Value of a hyperparameter's flag; undefined where it was not given. */
export type HyperparameterValue = number | string | boolean | undefined;

const groups: Record<Hyperparameter<unknown>["stage"], string> = {
  data: "Hyperparameters: data",
  critic: "Hyperparameters: critic stage",
  behavior: "Hyperparameters: behavior stage",
  policy: "Hyperparameters: policy stage",
};

/**
 * The flags by name, in the table's order, grouped by stage in `--help`. Absent ones are undefined:
 * the default depends on the task and the preset, and `--help` shows it.
 */
export const hyperparameterFlags: Readonly<Record<string, Flag<HyperparameterValue>>> = Object
  .fromEntries(hyperparameterNames.map((name) => [flagName(name), hyperparameterFlag(name)]));

/** The hyperparameters whose flags were given, for `hyperparametersFor`. */
export function hyperparameterOverrides(flags: FlagValues<FlagTable>): Partial<Hyperparameters> {
  return Object.fromEntries(
    hyperparameterNames.map((name) => [name, flags[flagName(name)]] as const)
      .filter(([, value]) => value !== undefined),
  );
}

function hyperparameterFlag(name: keyof Hyperparameters): Flag<HyperparameterValue> {
  const { stage, symbol, help, source, values } = hyperparameterTable[name];
  const sentence = help.charAt(0).toUpperCase() + help.slice(1);
  const text = `${symbol === "" ? "" : `${symbol}: `}${sentence} [${source}]`;
  const options: FlagOptions = { group: groups[stage], shown: defaultText(name) };
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
