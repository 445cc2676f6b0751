/**
 * Flags as a table: a command declares each of its flags once (kind, limits, default, help) and
 * gets from it typed values, refusals a person can act on, and the text of `--help`.
 *
 * The command line is parsed by `@std/cli`, after every flag has been joined to its value and given a
 * prefix: by itself it would take `--seed -1` and `--out ""` for flags without one, and `--no-cache=`
 * for a flag `cache`.
 *
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";
import { UserError } from "../errors.ts";
import { suggestion } from "../suggestion.ts";

/** One flag of a command: how its text becomes a `T`, and what `--help` says of it. */
export interface Flag<T> {
  /** What the flag does, one sentence without a full stop. */
  readonly help: string;
  /** What stands for the value in `--help`, for example `N`; null for a switch, which takes none. */
  readonly valueName: string | null;
  /** Value where the flag is absent. */
  readonly fallback: T;
  /** The default as `--help` shows it; null shows none. */
  readonly shown: string | null;
  /** Heading under which `--help` lists the flag. */
  readonly group: string;
  /** Value of the flag's text (of a switch: of the empty text). Throws an `Expected` otherwise. */
  readonly parse: (text: string) => T;
}

/** Flags of a command by name, without the leading dashes. */
export type FlagTable = Readonly<Record<string, Flag<unknown>>>;

/** The values that a table of flags gives, by flag name. */
export type FlagValues<F extends FlagTable> = {
  readonly [K in keyof F]: F[K] extends Flag<infer T> ? T : never;
};

/** What a command takes. */
export interface CommandLine<F extends FlagTable> {
  /** Words that call it, for example `data inspect`. */
  readonly name: string;
  /** What it does, in one line. */
  readonly summary: string;
  /** Positional arguments in order; those with `optional` come last. */
  readonly positionals: readonly {
    readonly name: string;
    readonly help: string;
    readonly optional?: boolean;
  }[];
  /** Its flags, in the order of `--help`. */
  readonly flags: F;
}

/** What a person typed for a command: the flags' values and the positional arguments. */
export interface Parsed<F extends FlagTable> {
  /** A value for every flag of the table: what was typed, or the flag's fallback. */
  readonly flags: FlagValues<F>;
  /** Positional arguments as typed. */
  readonly positionals: readonly string[];
}

/** Says what a flag's value should have been; {@linkcode parseFlags} adds the flag and the text. */
export class Expected extends Error {}

/** What every kind of flag may state besides its help. */
export interface FlagOptions {
  /** Heading in `--help`; `Options` where absent. */
  readonly group?: string;
  /** Default as `--help` shows it, where the value itself does not say it (a task's own value). */
  readonly shown?: string;
}

/** A flag that is on or off. */
export function toggle(help: string, options: FlagOptions = {}): Flag<boolean> {
  return { ...described(help, null, false, null, options), parse: () => true };
}

/** A flag with `true` or `false`, for what may be on by default. */
export function boolean<D extends boolean | undefined = undefined>(
  help: string,
  options: FlagOptions & { readonly fallback?: D } = {},
): Flag<boolean | D> {
  return valued(help, "true|false", options, (value) => {
    if (value !== "true" && value !== "false") throw new Expected("true or false");
    return value === "true";
  });
}

/** A flag with any text that is not empty. */
export function text<D extends string | undefined = undefined>(
  help: string,
  options: FlagOptions & { readonly valueName: string; readonly fallback?: D },
): Flag<string | D> {
  return valued(help, options.valueName, options, (value) => {
    if (value === "") throw new Expected("a text that is not empty");
    return value;
  });
}

/** A flag with one of the given words. */
export function choice<const C extends string, D extends C | undefined = undefined>(
  help: string,
  choices: readonly C[],
  options: FlagOptions & { readonly fallback?: D } = {},
): Flag<C | D> {
  return valued(help, choices.join("|"), options, (value) => {
    const found = choices.find((word) => word === value);
    if (found === undefined) throw new Expected(`one of ${choices.join(", ")}`);
    return found;
  });
}

/** A flag with a whole number between `min` (0 where absent) and `max`, both included. */
export function integer<D extends number | undefined = undefined>(
  help: string,
  options: FlagOptions & { readonly min?: number; readonly max?: number; readonly fallback?: D } =
    {},
): Flag<number | D> {
  const { min = 0, max = Number.MAX_SAFE_INTEGER } = options;
  return valued(help, "N", options, (value) => parseInteger(value, min, max));
}

/** A flag with a finite number between `min` and `max`, both included. */
export function number<D extends number | undefined = undefined>(
  help: string,
  options: FlagOptions & { readonly min?: number; readonly max?: number; readonly fallback?: D } =
    {},
): Flag<number | D> {
  const { min = -Infinity, max = Infinity } = options;
  return valued(help, "X", options, (value) => parseNumber(value, min, max));
}

/**
 * A flag with several values separated by commas, each as `element` takes one: `0.01,0.02,0.05`. The
 * group is the element's.
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

/** Largest seed: seeds are 32-bit keys of the counted random numbers. */
export const maxSeed = 2 ** 32 - 1;

/** A flag with seeds, as a range or a list: `0-5`, `0,2,7`, `0-2,7`. */
export function seeds<D extends readonly number[] | undefined = undefined>(
  help: string,
  options: FlagOptions & { readonly fallback?: D } = {},
): Flag<readonly number[] | D> {
  return valued(help, "A-B|N,N,…", options, (value) =>
    distinct(
      value.split(",").flatMap((part) => {
        const range = /^(\d+)-(\d+)$/.exec(part);
        if (range === null) return [parseInteger(part, 0, maxSeed)];
        const first = parseInteger(range[1]!, 0, maxSeed);
        const last = parseInteger(range[2]!, 0, maxSeed);
        if (last < first) throw new Expected("ranges that count up, such as 0-5");
        if (last - first >= 1024) throw new Expected("at most 1024 seeds");
        return Array.from({ length: last - first + 1 }, (_, i) => first + i);
      }),
    ));
}

/**
 * Reads a command's arguments.
 *
 * @returns The values, or `"help"` where `--help` (or `-h`) stands among the arguments.
 * @throws UserError on an unknown flag (naming the nearest known one), a repeated flag, a missing or
 * unfit value, a missing or surplus positional argument.
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
        `\`${command.name} --help\` says more`,
    );
  }
  const surplus = positionals[command.positionals.length];
  if (surplus !== undefined) {
    throw new UserError(
      `${command.name} does not know what to do with "${surplus}": it takes ` +
        (command.positionals.map(({ name }) => `<${name}>`).join(" ") || "flags only"),
    );
  }
  return { flags: Object.fromEntries(values) as FlagValues<F>, positionals };
}

/** A flag's name as the parser gets it. */
function prefixed(name: string): string {
  return `flag-${name}`;
}

/**
 * The arguments with every flag in the form `--flag-name=value`; a switch's value is empty.
 *
 * @throws UserError on a flag that is not in the command's table, or lacks its value.
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
          `\`${command.name} --help\` lists all`,
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

/** A flag with a value: its default, where it has one, is shown the way a person would type it. */
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
  if (twice !== undefined) throw new Expected(`each value once (${twice} stands there twice)`);
  return values;
}
