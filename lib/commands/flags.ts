/**
 * Flag tables. A command declares each of its flags once (kind, limits, default, help). The table
 * provides typed values, error messages and the text of `--help`.
 *
 * `@std/cli` parses the command line after every flag has been joined to its value and prefixed. On
 * its own it would read `--seed -1` and `--out ""` as flags without values, and `--no-cache=` as a
 * flag `cache`.
 *
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";
import { UserError } from "../errors.ts";
import { suggestion } from "../suggestion.ts";

/** A flag of a command: how its text is parsed to a `T`, and its entry in `--help`. */
export interface Flag<T> {
  /** Description in `--help`, without a full stop. */
  readonly help: string;
  /** Placeholder of the value in `--help`, for example `N`; null for a switch, which takes none. */
  readonly valueName: string | null;
  /** Value if the flag is absent. */
  readonly fallback: T;
  /** Default as shown in `--help`; null shows none. */
  readonly shown: string | null;
  /** Heading under which `--help` lists the flag. */
  readonly group: string;
  /** Parses the flag's text (empty for a switch). Throws `Expected` if the text is invalid. */
  readonly parse: (text: string) => T;
}

/** The flags of a command by name, without the leading dashes. */
export type FlagTable = Readonly<Record<string, Flag<unknown>>>;

/** The parsed values of a flag table, by flag name. */
export type FlagValues<F extends FlagTable> = {
  readonly [K in keyof F]: F[K] extends Flag<infer T> ? T : never;
};

/** The arguments and flags of a command. */
export interface CommandLine<F extends FlagTable> {
  /** Name on the command line, for example `data inspect`. */
  readonly name: string;
  /** Description at the top of `--help`. */
  readonly summary: string;
  /**
   * Positional arguments in order; those with `optional` come last. The last one may be `repeated`.
   */
  readonly positionals: readonly {
    readonly name: string;
    readonly help: string;
    readonly optional?: boolean;
    readonly repeated?: boolean;
  }[];
  /** Flags in the order of `--help`. */
  readonly flags: F;
}

/** A parsed command line: flag values and positional arguments. */
export interface Parsed<F extends FlagTable> {
  /** A value for every flag in the table: the given value, or the flag's fallback. */
  readonly flags: FlagValues<F>;
  /** Positional arguments as given. */
  readonly positionals: readonly string[];
}

/** States what a flag's value must be. {@linkcode parseFlags} adds the flag and the given text. */
export class Expected extends Error {}

/** Options of every kind of flag. */
export interface FlagOptions {
  /** Heading in `--help`. Defaults to `Options`. */
  readonly group?: string;
  /** Default as shown in `--help`, if it differs from `fallback` (for example, per task). */
  readonly shown?: string;
}

/** Returns a switch, which is false unless given. */
export function toggle(help: string, options: FlagOptions = {}): Flag<boolean> {
  return { ...described(help, null, false, null, options), parse: () => true };
}

/** Returns a flag with the value `true` or `false`, for options that may default to true. */
export function boolean<D extends boolean | undefined = undefined>(
  help: string,
  options: FlagOptions & { readonly fallback?: D } = {},
): Flag<boolean | D> {
  return valued(help, "true|false", options, (value) => {
    if (value !== "true" && value !== "false") throw new Expected("true or false");
    return value === "true";
  });
}

/** Returns a flag with a non-empty text. */
export function text<D extends string | undefined = undefined>(
  help: string,
  options: FlagOptions & { readonly valueName: string; readonly fallback?: D },
): Flag<string | D> {
  return valued(help, options.valueName, options, (value) => {
    if (value === "") throw new Expected("a non-empty value");
    return value;
  });
}

/** Returns a flag with one of the given choices. */
export function choice<const C extends string, D extends C | undefined = undefined>(
  help: string,
  choices: readonly C[],
  options: FlagOptions & { readonly fallback?: D } = {},
): Flag<C | D> {
  // A long list cannot be broken in the flag's column of `--help`.
  const long = choices.join("|").length > 40;
  const described = long ? `${help}: ${choices.join(", ")}` : help;
  return valued(described, long ? "NAME" : choices.join("|"), options, (value) => {
    const found = choices.find((word) => word === value);
    if (found === undefined) throw new Expected(`one of ${choices.join(", ")}`);
    return found;
  });
}

/** Returns a flag with a whole number from `min` (defaults to 0) to `max`, both inclusive. */
export function integer<D extends number | undefined = undefined>(
  help: string,
  options: FlagOptions & { readonly min?: number; readonly max?: number; readonly fallback?: D } =
    {},
): Flag<number | D> {
  const { min = 0, max = Number.MAX_SAFE_INTEGER } = options;
  return valued(help, "N", options, (value) => parseInteger(value, min, max));
}

/** Returns a flag with a finite number from `min` to `max`, both inclusive. */
export function number<D extends number | undefined = undefined>(
  help: string,
  options: FlagOptions & { readonly min?: number; readonly max?: number; readonly fallback?: D } =
    {},
): Flag<number | D> {
  const { min = -Infinity, max = Infinity } = options;
  return valued(help, "X", options, (value) => parseNumber(value, min, max));
}

/**
 * Returns a flag with distinct values separated by commas, for example `0.01,0.02,0.05`. `element`
 * parses each value and sets the group.
 */
export function list<T>(
  help: string,
  element: Flag<T>,
): Flag<readonly Exclude<T, undefined>[] | undefined> {
  const valueName = element.valueName!;
  return valued(
    help,
    valueName.includes("|") ? `${valueName},…` : `${valueName},${valueName},…`,
    { group: element.group },
    (value) =>
      distinct(value.split(",").map((part) => element.parse(part) as Exclude<T, undefined>)),
  );
}

/** Largest seed. Seeds are 32-bit keys of the counter-based generator. */
export const maxSeed = 2 ** 32 - 1;

/** Most seeds of a run. */
const mostSeeds = 1024;

/** Returns a flag with distinct seeds, as ranges or a list: `0-5`, `0,2,7`, `0-2,7`. */
export function seeds<D extends readonly number[] | undefined = undefined>(
  help: string,
  options: FlagOptions & { readonly fallback?: D } = {},
): Flag<readonly number[] | D> {
  return valued(help, "A-B|N,N,…", options, (value) => {
    const tooMany = new Expected(`at most ${mostSeeds} seeds`);
    const seeds = value.split(",").flatMap((part) => {
      const range = /^(\d+)-(\d+)$/.exec(part);
      if (range === null) return [parseInteger(part, 0, maxSeed)];
      const first = parseInteger(range[1]!, 0, maxSeed);
      const last = parseInteger(range[2]!, 0, maxSeed);
      if (last < first) throw new Expected("ascending ranges, such as 0-5");
      if (last - first >= mostSeeds) throw tooMany;
      return Array.from({ length: last - first + 1 }, (_, i) => first + i);
    });
    if (seeds.length > mostSeeds) throw tooMany;
    return distinct(seeds);
  });
}

/**
 * Parses a command's arguments.
 *
 * @returns The values, or `"help"` if the arguments contain `--help` or `-h`.
 * @throws {UserError} If a flag is unknown (the message suggests the nearest one) or repeated, a
 * value is missing or invalid, or a positional argument is missing or surplus.
 */
export function parseFlags<F extends FlagTable>(
  command: CommandLine<F>,
  args: readonly string[],
): Parsed<F> | "help" {
  const end = args.indexOf("--");
  const options = end < 0 ? args : args.slice(0, end);
  if (options.some((arg) => arg === "--help" || arg === "-h")) return "help";

  const names = Object.keys(command.flags);
  const { _: positionals, ...given } = parseArgs(
    [...joinValues(command, options), ...args.slice(options.length)],
    { string: ["_", ...names.map(prefixed)], collect: names.map(prefixed) },
  );
  const values = Object.entries(command.flags).map(([name, flag]) => {
    const [value, second] = given[prefixed(name)] as string[];
    if (second !== undefined) throw new UserError(`--${name} is given twice; give it once`);
    return [name, value === undefined ? flag.fallback : readValue(name, flag, value)];
  });

  const missing = command.positionals.slice(positionals.length).find(({ optional }) => !optional);
  if (missing !== undefined) {
    throw new UserError(
      `${command.name} needs <${missing.name}>: ${missing.help}; ` +
        `see \`${command.name} --help\``,
    );
  }
  const surplus = positionals[command.positionals.length];
  if (surplus !== undefined && command.positionals.at(-1)?.repeated !== true) {
    throw new UserError(
      `unexpected argument "${surplus}": ${command.name} takes ` +
        (command.positionals.map(({ name }) => `<${name}>`).join(" ") || "flags only"),
    );
  }
  return { flags: Object.fromEntries(values) as FlagValues<F>, positionals };
}

/** Returns a flag's name as passed to the parser. */
function prefixed(name: string): string {
  return `flag-${name}`;
}

/**
 * Yields the arguments with every flag in the form `--flag-name=value`. The value of a switch is
 * empty.
 *
 * @throws {UserError} If a flag is not in the command's table or lacks its value.
 */
function* joinValues<F extends FlagTable>(
  command: CommandLine<F>,
  args: readonly string[],
): Generator<string> {
  const names = Object.keys(command.flags);
  for (let i = 0; i < args.length; i++) {
    const arg = args[i]!;
    if (arg === "-" || !arg.startsWith("-")) {
      yield arg;
      continue;
    }
    const [rawName] = arg.split("=", 1) as [string];
    const name = rawName.replace(/^--?/, "");
    if (!rawName.startsWith("--") || !names.includes(name)) {
      throw new UserError(
        `unknown flag ${rawName}${suggestion(name, names, "--")}; ` +
          `see \`${command.name} --help\` for all flags`,
      );
    }
    const { valueName } = command.flags[name]!;
    const joined = `--${prefixed(arg.slice(2))}`;
    if (arg !== rawName) yield joined;
    else if (valueName === null) yield `${joined}=`;
    else {
      const value = args[++i];
      if (value === undefined || value.startsWith("--")) {
        throw new UserError(`${rawName} needs a value: ${rawName} ${valueName}`);
      }
      yield `${joined}=${value}`;
    }
  }
}

function readValue(name: string, flag: Flag<unknown>, value: string): unknown {
  if (flag.valueName === null && value !== "") {
    throw new UserError(`--${name} is a switch and takes no value, got "${value}"`);
  }
  try {
    return flag.parse(value);
  } catch (error) {
    if (!(error instanceof Expected)) throw error;
    throw new UserError(`--${name} needs ${error.message}, got "${value}"`);
  }
}

function described<T>(
  help: string,
  valueName: string | null,
  fallback: T,
  shown: string | null,
  options: FlagOptions,
): Omit<Flag<T>, "parse"> {
  return {
    help,
    valueName,
    fallback,
    shown: options.shown ?? shown,
    group: options.group ?? "Options",
  };
}

/** Returns a flag with a value. Its default, if any, is shown as a user would type it. */
function valued<T, D extends T | undefined>(
  help: string,
  valueName: string,
  options: FlagOptions & { readonly fallback?: D },
  parse: (text: string) => T,
): Flag<T | D> {
  const { fallback } = options;
  const shown = fallback === undefined ? null : String(fallback);
  return { ...described(help, valueName, fallback as D, shown, options), parse };
}

function parseInteger(value: string, min: number, max: number): number {
  const parsed = /^[+-]?\d[\d_]*(e\d+)?$/i.test(value) ? Number(value.replaceAll("_", "")) : NaN;
  if (!Number.isSafeInteger(parsed) || parsed < min || parsed > max) {
    throw new Expected(`a whole number${limits(min, max)}`);
  }
  return parsed;
}

function parseNumber(value: string, min: number, max: number): number {
  const parsed = value.trim() === "" ? NaN : Number(value);
  if (!Number.isFinite(parsed) || parsed < min || parsed > max) {
    throw new Expected(`a number${limits(min, max)}`);
  }
  return parsed;
}

function limits(min: number, max: number): string {
  const bounded = max !== Infinity && max !== Number.MAX_SAFE_INTEGER;
  if (min === -Infinity) return bounded ? ` of at most ${max}` : "";
  return bounded ? ` from ${min} to ${max}` : ` of at least ${min}`;
}

function distinct<T>(values: readonly T[]): readonly T[] {
  const twice = values.find((value, i) => values.indexOf(value) !== i);
  if (twice !== undefined) throw new Expected(`distinct values (${twice} is repeated)`);
  return values;
}
