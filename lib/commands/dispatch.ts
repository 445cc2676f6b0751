/**
 * From the words on the command line to a command, and from what it throws to an exit code.
 *
 * @module
 */
import { UserError } from "../errors.ts";
import { version } from "../version.ts";
import { suggestion } from "../suggestion.ts";
import { wrap } from "../terminal.ts";
import { helpColumns, helpRow } from "./help.ts";

/** A command by its words (`train`, `data inspect`) in the table of `cli.ts`. */
export interface Command {
  /** What it does, in one line, for the list of commands. */
  readonly summary: string;
  /** Loads its module and gives the function that runs it on the arguments after its words. */
  readonly load: () => Promise<(args: readonly string[]) => CommandResult | Promise<CommandResult>>;
}

/** What a command gives: an exit code where it is not 0, such as that of a signal. */
export type CommandResult = number | void;

/** Exit code of an error that is a bug of this program (sysexits' `EX_SOFTWARE`). */
export const bugExitCode = 70;

/**
 * Runs the command that `args` call and gives the exit code of the process: the command's, or 0; 1 or
 * the code of a `UserError` whose message was printed alone; 70 with the stack of any other error.
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
      if (known !== null) console.error(`error: ${known.message}`);
      else {
        console.error("This is a bug of the program; please report it with the lines below.");
        console.error(error);
      }
    } catch { /* Standard error cannot be written either; the exit code remains. */ }
    return known === null ? bugExitCode : known.exitCode;
  }
}

/** The error as one that a person can act on; null where it is a bug. */
function asUserError(error: unknown): UserError | null {
  if (error instanceof UserError) return error;
  if (error instanceof Deno.errors.NotCapable) {
    return new UserError(`a permission is missing: ${error.message}, or with -A for all`);
  }
  // What is written to files explains its errors itself; what remains is the console.
  if (error instanceof Error && "code" in error && /console\.log/.test(error.stack ?? "")) {
    return new UserError(`standard output cannot be written: ${error.message}`);
  }
  return null;
}

async function dispatch(
  commands: Readonly<Record<string, Command>>,
  args: readonly string[],
): Promise<CommandResult> {
  const first = args[0];
  if (first === undefined || first === "help" || first === "--help" || first === "-h") {
    console.log(commandList(commands));
    return;
  }
  if (first === "--version" || first === "-V") {
    console.log(`srpo-webgpu ${version} (deno ${Deno.version.deno})`);
    return;
  }
  // The longest name wins, so `data inspect` is found before a `data`.
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
        `there are ${family.join(", ")}`,
    );
  }
  throw new UserError(
    `unknown command "${first}"${suggestion(first, Object.keys(commands))}; ` +
      "`--help` lists all",
  );
}

function commandList(commands: Readonly<Record<string, Command>>): string {
  const names = Object.keys(commands);
  const column = Math.max(0, ...names.map((name) => name.length));
  const width = helpColumns();
  return [
    ...wrap(
      "Trains offline RL policies with Score Regularized Policy Optimization on WebGPU.",
      width,
    ),
    "",
    "Usage: deno run -A cli.ts <command> [flags]",
    "",
    "Commands:",
    ...names.flatMap((name) => helpRow(name, commands[name]!.summary, column, width)),
    "",
    ...wrap("`<command> --help` shows a command's flags; `--version` the version.", width),
  ].join("\n");
}
