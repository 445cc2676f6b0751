/**
 * Dispatches the command line to a command and maps thrown errors to exit codes.
 *
 * @module
 */
import { missingPermission, UserError } from "../errors.ts";
import { version } from "../version.ts";
import { suggestion } from "../suggestion.ts";
import { fitted, wrap } from "../terminal.ts";
import { helpColumns, helpRow } from "./help.ts";

/** A command. The table in `cli.ts` lists commands by name (`train`, `data inspect`). */
export interface Command {
  /** One line for the list of commands. */
  readonly summary: string;
  /** Loads the command's module. The returned function takes the arguments after the name. */
  readonly load: () => Promise<(args: readonly string[]) => CommandResult | Promise<CommandResult>>;
}

/** Result of a command: an exit code, or nothing for exit code 0. */
export type CommandResult = number | void;

/** Exit code for a bug in this program (`EX_SOFTWARE` of sysexits). */
export const bugExitCode = 70;

/**
 * Runs the command that `args` name and returns the exit code of the process.
 *
 * The exit code is the command's own, or 0. For a `UserError` it is the error's `exitCode`, and
 * only the message is printed. For any other error it is 70, and the stack is printed.
 */
export async function runCommandLine(
  commands: Readonly<Record<string, Command>>,
  args: readonly string[],
): Promise<number> {
  try {
    return await dispatch(commands, args) ?? 0;
  } catch (error) {
    const known = asUserError(error);
    try {
      if (known !== null) console.error(fitted(`error: ${printable(known.message)}`, Deno.stderr));
      else {
        console.error("This is a bug in srpo-webgpu; please report it with the lines below.");
        console.error(error);
      }
    } catch { /* Standard error cannot be written either; only the exit code remains. */ }
    return known === null ? bugExitCode : known.exitCode;
  }
}

/** Replaces control characters, which may come from a file. */
function printable(text: string): string {
  return text.replaceAll(/[^\P{Cc}\n]/gu, "\ufffd");
}

/** Codes of errors of a disk that is full, over quota, read-only or damaged. */
const diskErrors: readonly unknown[] = ["ENOSPC", "EDQUOT", "EROFS", "EIO"];

/** Returns the error as a `UserError`, or null if it is a bug. */
function asUserError(error: unknown): UserError | null {
  if (error instanceof UserError) return error;
  const denied = missingPermission(error);
  if (denied !== null) return denied;
  if (!(error instanceof Error && "code" in error)) return null;
  // Most code that writes files throws its own UserError, which names the file.
  if (/console\.log/.test(error.stack ?? "")) {
    return new UserError(`cannot write to standard output: ${error.message}`);
  }
  if (diskErrors.includes(error.code)) return new UserError(error.message);
  return null;
}

async function dispatch(
  commands: Readonly<Record<string, Command>>,
  args: readonly string[],
): Promise<CommandResult> {
  const first = args[0];
  if (first === "help" && args.length > 1) {
    return await dispatch(commands, [...args.slice(1), "--help"]);
  }
  if (first === undefined || first === "help" || first === "--help" || first === "-h") {
    console.log(commandList(commands));
    return;
  }
  if (first === "--version" || first === "-V") {
    console.log(`srpo-webgpu ${version} (deno ${Deno.version.deno})`);
    return;
  }
  // The longest name wins, so that `data inspect` would be preferred to `data`.
  for (const words of [2, 1]) {
    const name = args.slice(0, words).join(" ");
    if (args.length >= words && Object.hasOwn(commands, name)) {
      const run = await commands[name]!.load();
      return await run(args.slice(words));
    }
  }
  const family = Object.keys(commands).filter((name) => name.startsWith(`${first} `));
  if (family.length > 0) {
    const second = args[1];
    if (second === undefined || second === "--help" || second === "-h") {
      console.log(
        commandList(Object.fromEntries(family.map((name) => [name, commands[name]!]))),
      );
      return;
    }
    throw new UserError(
      `unknown command "${first} ${second}"${suggestion(`${first} ${second}`, family)}; ` +
        `expected ${family.join(" or ")}`,
    );
  }
  throw new UserError(
    `unknown command "${first}"${suggestion(first, Object.keys(commands))}; ` +
      "see `--help` for all commands",
  );
}

function commandList(commands: Readonly<Record<string, Command>>): string {
  const names = Object.keys(commands);
  const column = Math.max(0, ...names.map((name) => name.length));
  const width = helpColumns();
  return [
    ...wrap(
      "Trains and evaluates offline RL policies on WebGPU. The default algorithm is SRPO (Score " +
        "Regularized Policy Optimization).",
      width,
    ),
    "",
    "Usage: deno run -A cli.ts <command> [flags]",
    "",
    "Commands:",
    ...names.flatMap((name) => helpRow(name, commands[name]!.summary, column, width)),
    "",
    ...wrap(
      "Run `<command> --help` to see a command's flags, or `--version` to see the version.",
      width,
    ),
  ].join("\n");
}
