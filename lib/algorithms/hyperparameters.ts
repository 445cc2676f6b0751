/**
 * Hyperparameter tables. Each algorithm has one, with the symbol of every hyperparameter, its
 * values by preset and task family, and their source. Flags, `--help` and `config.json` are derived
 * from it.
 *
 * @module
 */
import type { Family, Task } from "../data/catalog.ts";
import { UserError } from "../errors.ts";

/** `paper` is the published schedule. `quick` takes minutes on two CPU cores. */
export type Preset = "paper" | "quick";

/** A value of a hyperparameter. */
export type HyperparameterValue = number | string | boolean;

/** Values of an algorithm's hyperparameters, by name. */
export type HyperparameterValues = Readonly<Record<string, HyperparameterValue>>;

/** The allowed values of a hyperparameter. Limits are inclusive. */
export type ValueKind =
  | { readonly kind: "integer" | "number"; readonly min: number; readonly max: number }
  | { readonly kind: "choice"; readonly choices: readonly string[] }
  | { readonly kind: "boolean" };

/** A row of a table. */
export interface Hyperparameter<T> {
  /** Group and heading in `--help`: a stage or, for example, `data`. */
  readonly group: string;
  /** The paper's symbol; empty if there is none. */
  readonly symbol: string;
  /** One line for `--help`. */
  readonly help: string;
  /** Source of the `paper` values. */
  readonly source: string;
  /** Allowed values. */
  readonly values: ValueKind;
  /** Defaults by preset and family. Null stands for the value published for the task. */
  readonly defaults: Readonly<Record<Preset, Readonly<Record<Family, T | null>>>>;
  /** The value of runs from before the hyperparameter existed; absent if it always existed. */
  readonly former?: T;
}

/** The properties of a task that determine default values. `name` is null for unknown tasks. */
export type TaskTraits = Pick<Task, "family" | "beta"> & { readonly name: string | null };

/** Rules that involve a task or several values of a table. */
export interface HyperparameterRules<H> {
  /**
   * Returns the values published for a task, for rows whose default is null.
   *
   * @throws {UserError} If none are published.
   */
  published?(task: TaskTraits): Partial<H>;
  /**
   * Checks the combination of values that are each valid.
   *
   * @throws {UserError} If they conflict.
   */
  check?(values: H): void;
}

/** The hyperparameters of an algorithm, in the order of `--help`. */
export class HyperparameterTable<H extends HyperparameterValues = HyperparameterValues> {
  /** Rows by name, in camel case. */
  readonly rows: { readonly [K in keyof H]: Hyperparameter<H[K]> };
  readonly #rules: HyperparameterRules<H>;

  /** Creates a table from rows made by {@linkcode row}. */
  constructor(
    rows: { readonly [K in keyof H]: Hyperparameter<H[K]> },
    rules: HyperparameterRules<NoInfer<H>> = {},
  ) {
    this.rows = rows;
    this.#rules = rules;
  }

  /** The presets, the default first. */
  get presets(): readonly Preset[] {
    return ["paper", "quick"];
  }

  /** Names of the hyperparameters, in the table's order. */
  get names(): readonly (keyof H & string)[] {
    return Object.keys(this.rows) as (keyof H & string)[];
  }

  /**
   * Returns the name of a hyperparameter's flag without dashes: `critic-steps` for `criticSteps`.
   */
  flagName(name: keyof H & string): string {
    return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  }

  /**
   * Returns the default of a hyperparameter as shown in `--help`, for example `1500000; quick:
   * 10000, maze2d 24000`.
   */
  defaultText(name: keyof H & string): string {
    const { paper, quick } = this.rows[name].defaults;
    const [published, scaled] = [familiesText(paper), familiesText(quick)];
    return published === scaled ? published : `${published}; quick: ${scaled}`;
  }

  /**
   * Returns all hyperparameters for a task.
   *
   * @param target A task, or only a family for data of an unknown task.
   * @param overrides Values that replace the preset's.
   * @throws {UserError} If an override is invalid, values conflict, or the preset uses a published
   * value that does not exist for the task.
   */
  valuesFor(
    target: TaskTraits | Family,
    preset: Preset,
    overrides: { readonly [K in keyof H]?: H[K] | undefined } = {},
  ): H {
    const task = typeof target === "string" ? { name: null, family: target, beta: null } : target;
    const chosen = this.names.map((name) =>
      [name, overrides[name] ?? this.rows[name].defaults[preset][task.family]] as const
    );
    const published: Partial<H> = chosen.some(([, value]) => value === null)
      ? this.#rules.published?.(task) ?? {}
      : {};
    const values = Object.fromEntries(
      chosen.map(([name, value]) => [name, value ?? published[name]]),
    ) as unknown as H;
    for (const name of this.names) this.#checkValue(name, values[name]);
    this.#rules.check?.(values);
    return values;
  }

  #checkValue(name: keyof H & string, value: unknown): void {
    const { values } = this.rows[name];
    let expected: string | null = null;
    if (values.kind === "choice") {
      if (!values.choices.some((choice) => choice === value)) {
        expected = `one of ${values.choices.join(", ")}`;
      }
    } else if (values.kind === "boolean") {
      if (typeof value !== "boolean") expected = "true or false";
    } else {
      const fits = typeof value === "number" && value >= values.min && value <= values.max &&
        (values.kind === "number" || Number.isInteger(value));
      if (!fits) {
        const noun = values.kind === "integer" ? "a whole number" : "a number";
        expected = `${noun} from ${values.min} to ${values.max}`;
      }
    }
    if (expected !== null) {
      throw new UserError(
        `--${this.flagName(name)} needs ${expected}, got ${JSON.stringify(value)}`,
      );
    }
  }
}

/** Values of a table. */
export type ValuesOf<T> = T extends HyperparameterTable<infer H> ? Readonly<H> : never;

/** Returns a row. The values of the preset `quick` default to those of `paper`. */
export function row<T>(
  group: string,
  symbol: string,
  help: string,
  source: string,
  values: ValueKind,
  paper: Record<Family, T | null>,
  quick: Record<Family, T | null> = paper,
): Hyperparameter<T> {
  return { group, symbol, help, source, values, defaults: { paper, quick } };
}

/** Returns the values of each family. */
export function families<T>(locomotion: T, antmaze: T, maze2d: T): Record<Family, T> {
  return { locomotion, antmaze, maze2d };
}

/** Returns the same value for every family. */
export function all<T>(value: T): Record<Family, T> {
  return families(value, value, value);
}

/** Returns one value for locomotion and another for AntMaze and Maze2D. */
export function mazes<T>(locomotion: T, maze: T): Record<Family, T> {
  return families(locomotion, maze, maze);
}

/** Allows whole numbers from `min` to `max`. */
export function integer(min: number, max: number): ValueKind {
  return { kind: "integer", min, max };
}

/** Allows numbers from `min` to `max`. */
export function number(min: number, max: number): ValueKind {
  return { kind: "number", min, max };
}

function familiesText(values: Readonly<Record<Family, unknown>>): string {
  const text = (value: unknown) => value === null ? "the paper's value" : String(value);
  const { locomotion, antmaze, maze2d } = values;
  if (antmaze === maze2d) {
    return text(locomotion) + (locomotion === antmaze ? "" : `, mazes ${text(antmaze)}`);
  }
  return text(locomotion) + (locomotion === antmaze ? "" : `, antmaze ${text(antmaze)}`) +
    `, maze2d ${text(maze2d)}`;
}
