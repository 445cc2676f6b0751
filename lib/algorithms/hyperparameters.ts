/**
 * Tables of hyperparameters: of each its symbol, its values by preset and task family, and where they
 * are from. An algorithm has one; the command line's flags, `--help` and `config.json` are made from it.
 *
 * @module
 */
import type { Family, Task } from "../data/catalog.ts";
import { UserError } from "../errors.ts";

/** `paper`: the published schedule. `quick`: what two processor cores do in minutes. */
export type Preset = "paper" | "quick";

/** A value of a hyperparameter. */
export type HyperparameterValue = number | string | boolean;

/** Values of an algorithm's hyperparameters by name. */
export type HyperparameterValues = Readonly<Record<string, HyperparameterValue>>;

/** What values a hyperparameter takes; limits are included. */
export type ValueKind =
  | { readonly kind: "integer" | "number"; readonly min: number; readonly max: number }
  | { readonly kind: "choice"; readonly choices: readonly string[] }
  | { readonly kind: "boolean" };

/** One row of a table. */
export interface Hyperparameter<T> {
  /** Part of the method it belongs to, a stage or for example `data`; the heading in `--help`. */
  readonly group: string;
  /** The paper's symbol; empty where it has none. */
  readonly symbol: string;
  /** One line for `--help`. */
  readonly help: string;
  /** Where the `paper` values are from. */
  readonly source: string;
  /** What values it takes. */
  readonly values: ValueKind;
  /** Values by preset and family; null stands for the one that the paper gives for the task. */
  readonly defaults: Readonly<Record<Preset, Readonly<Record<Family, T | null>>>>;
}

/** What hyperparameters are chosen for: a task, or no known task of a family. */
export type TaskTraits = Pick<Task, "family" | "beta"> & { readonly name: string | null };

/** What holds between the values of a table. */
export interface HyperparameterRules<H> {
  /**
   * The values that are published for a task, for rows whose default is null.
   *
   * @throws {UserError} Where nothing is published.
   */
  published?(task: TaskTraits): Partial<H>;
  /**
   * Looks at values that fit their rows.
   *
   * @throws {UserError} Where they do not fit each other.
   */
  check?(values: H): void;
}

/** The hyperparameters of an algorithm, in the order of `--help`. */
export class HyperparameterTable<H extends HyperparameterValues = HyperparameterValues> {
  /** The rows by name, in camel case. */
  readonly rows: { readonly [K in keyof H]: Hyperparameter<H[K]> };
  readonly #rules: HyperparameterRules<H>;

  /** Makes the table of these rows, which {@linkcode row} makes one by one. */
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

  /** Name of a hyperparameter's flag without the dashes: `critic-steps` for `criticSteps`. */
  flagName(name: keyof H & string): string {
    return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  }

  /**
   * The default of a hyperparameter as `--help` shows it, for example
   * `1500000; quick: 10000, maze2d 20000`.
   */
  defaultText(name: keyof H & string): string {
    const { paper, quick } = this.rows[name].defaults;
    const [published, scaled] = [familiesText(paper), familiesText(quick)];
    return published === scaled ? published : `${published}; quick: ${scaled}`;
  }

  /**
   * All hyperparameters for a task.
   *
   * @param target A task, or only its family where the data are of no known task.
   * @param overrides Values that stand in place of the preset's.
   * @throws {UserError} An override is not a value of its hyperparameter, values do not fit each other,
   * or nothing is published for the task where the preset takes the published value.
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

/** A row; without values of its own, the preset `quick` has the paper's. */
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

/** Values of each family. */
export function families<T>(locomotion: T, antmaze: T, maze2d: T): Record<Family, T> {
  return { locomotion, antmaze, maze2d };
}

/** The same value in every family. */
export function all<T>(value: T): Record<Family, T> {
  return families(value, value, value);
}

/** A value for locomotion, and one for AntMaze and Maze2D. */
export function mazes<T>(locomotion: T, maze: T): Record<Family, T> {
  return families(locomotion, maze, maze);
}

/** Whole numbers from `min` to `max`. */
export function integer(min: number, max: number): ValueKind {
  return { kind: "integer", min, max };
}

/** Numbers from `min` to `max`. */
export function number(min: number, max: number): ValueKind {
  return { kind: "number", min, max };
}

function familiesText(values: Readonly<Record<Family, unknown>>): string {
  const text = (value: unknown) => value === null ? "the paper's for the task" : String(value);
  const { locomotion, antmaze, maze2d } = values;
  if (antmaze === maze2d) {
    return text(locomotion) + (locomotion === antmaze ? "" : `, mazes ${text(antmaze)}`);
  }
  return text(locomotion) + (locomotion === antmaze ? "" : `, antmaze ${text(antmaze)}`) +
    `, maze2d ${text(maze2d)}`;
}
