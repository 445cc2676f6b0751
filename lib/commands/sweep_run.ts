/**
 * `sweep run`: trains the units of a sweep on this machine, one after another.
 *
 * @module
 */
import { UserError } from "../errors.ts";
import { watchInterrupt } from "../runs/interrupt.ts";
import { SweepDirectory } from "../sweep/manifest.ts";
import type { Unit } from "../sweep/units.ts";
import { fitted } from "../terminal.ts";
import { integer, parseFlags } from "./flags.ts";
import { helpText } from "./help.ts";
import { programCommand } from "./program.ts";

const command = {
  name: "sweep run",
  summary:
    "Trains the units of a planned sweep on this machine, one after another. Finished units are " +
    "skipped and interrupted ones continued. Ctrl-C saves a checkpoint and stops.",
  positionals: [{ name: "folder", help: "The folder of the sweep" }],
  flags: {
    unit: integer("Train only the unit with this index, from 0 in the order of `sweep status`", {
      shown: "all",
    }),
  },
} as const;

/** Runs `train` with arguments until it ends or `signal` is aborted, and returns its exit code. */
export type TrainUnit = (args: readonly string[], signal: AbortSignal) => Promise<number>;

/** Number of failed units that the last message names. */
const mostNamed = 5;

/**
 * Trains the units of a sweep. A unit that fails does not stop the others.
 *
 * @param trainUnit Runs `train`; in a process of its own by default.
 * @returns Exit code: 0; 1 if a unit failed; that of the signal if one stopped the sweep.
 * @throws {UserError} If the folder is not a planned sweep, or it has no unit with the given index.
 */
export async function sweepRun(
  args: readonly string[],
  trainUnit: TrainUnit = trainInProcess,
): Promise<number> {
  const parsed = parseFlags(command, args);
  if (parsed === "help") {
    console.log(helpText(command));
    return 0;
  }
  const directory = new SweepDirectory(parsed.positionals[0]!);
  const units = directory.read();
  const { unit: only } = parsed.flags;
  if (only !== undefined && only >= units.length) {
    throw new UserError(
      `${directory.path} has ${units.length} units, so --unit needs a whole number from 0 to ` +
        `${units.length - 1}, got ${only}`,
    );
  }
  using interrupt = watchInterrupt("stopping the sweep after a checkpoint of its unit");
  const failed: string[] = [];
  for (const [index, unit] of units.entries()) {
    if (interrupt.requested) break;
    if (only !== undefined && index !== only) continue;
    const label = `unit ${index} of 0-${units.length - 1}: ${unit.name}`;
    const outcome = await attempt(directory, unit, label, trainUnit, interrupt.signal);
    if (interrupt.requested) break;
    if (outcome !== 0) failed.push(unit.name);
  }
  if (interrupt.exitCode !== null) return interrupt.exitCode;
  if (failed.length === 0) return 0;
  const named = failed.slice(0, mostNamed).join(", ");
  const more = failed.length > mostNamed ? ` and ${failed.length - mostNamed} more` : "";
  console.error(fitted(
    `error: ${
      failed.length === 1 ? "1 unit" : `${failed.length} units`
    } failed, see the messages above: ${named}${more}. The same command tries them again`,
    Deno.stderr,
  ));
  return 1;
}

/** Trains or continues a unit and returns its exit code, 0 if it is already finished. */
async function attempt(
  directory: SweepDirectory,
  unit: Unit,
  label: string,
  trainUnit: TrainUnit,
  signal: AbortSignal,
): Promise<number> {
  try {
    if (directory.stateOf(unit) === "finished") {
      console.log(fitted(`${label} is already finished`));
      return 0;
    }
    const args = directory.trainArguments(unit);
    console.log(fitted(`${label}\ntrain ${args.join(" ")}`));
    return await trainUnit(args, signal);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    console.error(fitted(`error: ${error.message}`, Deno.stderr));
    return error.exitCode;
  }
}

/** Runs `train` in a process of its own, so that a crash of one unit does not stop the others. */
async function trainInProcess(args: readonly string[], signal: AbortSignal): Promise<number> {
  const { program, args: own } = programCommand();
  const child = new Deno.Command(program, { args: [...own, "train", ...args] }).spawn();
  const stop = () => {
    try {
      child.kill("SIGTERM");
    } catch { /* It has ended by itself. */ }
  };
  signal.addEventListener("abort", stop);
  try {
    return (await child.status).code;
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
