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
  readonly load: () => Promise<(args: readonly string[]) => void | Promise<void>>;
}

/** Exit code of an error that is a bug of this program (sysexits' `EX_SOFTWARE`). */
export const bugExitCode = 70;

/**
 * Runs the command that `args` call and gives the exit code of the process: 0, the code of the
 * `UserError` whose message was printed alone, or 70 with the stack of any other error.
 */
export async function runCommandLine(
  commands: Readonly<Record<string, Command>>,
  args: readonly string[],
): Promise<number> {
  try {
    await dispatch(commands, args);
    return 0;
  } catch (error) {
    if (error instanceof UserError) {
      console.error(`error: ${error.message}`);
      return error.exitCode;
    }
    console.error("This is a bug of the program; please report it with the lines below.");
    console.error(error);
    return bugExitCode;
  }
}

async function dispatch(
  commands: Readonly<Record<string, Command>>,
  args: readonly string[],
): Promise<void> {
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
      await run(args.slice(words));
      return;
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
