/**
 * `sweep submit`: submits the units of a sweep that are not finished to a cluster.
 *
 * @module
 */
import { resolve } from "node:path";
import { UserError } from "../errors.ts";
import { SweepDirectory } from "../sweep/manifest.ts";
import { submitJob } from "../sweep/slurm.ts";
import { fitted } from "../terminal.ts";
import { parseFlags, toggle } from "./flags.ts";
import { helpText } from "./help.ts";
import { programCommand } from "./program.ts";
import { shellWord } from "../shell_word.ts";

const command = {
  name: "sweep submit",
  summary: "Submits the units of a planned sweep that are not finished to Slurm, as a job array. " +
    "A unit that reaches the time limit of its job saves a checkpoint, is queued again and " +
    "continues.",
  positionals: [
    { name: "folder", help: "The folder of the sweep, on a file system that all nodes share" },
    {
      name: "sbatch options",
      optional: true,
      repeated: true,
      help: "After --, options for sbatch: -- --partition=gpu --gres=gpu:1 --time=12:00:00",
    },
  ],
  flags: {
    slurm: toggle("Submit to Slurm, the only supported scheduler (required)"),
  },
} as const;

/**
 * Submits a sweep.
 *
 * @throws {UserError} If the folder is not a planned sweep, its last job array has not ended, or
 * `sbatch` is missing or rejects the job.
 */
export async function sweepSubmit(args: readonly string[]): Promise<void> {
  const parsed = parseFlags(command, args);
  if (parsed === "help") return console.log(helpText(command));
  if (!parsed.flags.slurm) {
    throw new UserError("sweep submit needs --slurm, the only supported scheduler");
  }
  const [path, ...options] = parsed.positionals;
  const directory = new SweepDirectory(path!);
  const units = directory.read();
  const pending = units.flatMap((unit, i) => directory.stateOf(unit) === "finished" ? [] : [i]);
  if (pending.length === 0) return console.log(fitted(`all ${units.length} units are finished`));
  const { program, args: own } = programCommand();
  const job = await submitJob(
    directory,
    {
      command: [program, ...own, "sweep", "run", resolve(path!), "--unit"],
      workingDirectory: Deno.cwd(),
    },
    pending,
    options,
  );
  console.log(fitted(
    `submitted job ${job} with ${pending.length} of ${units.length} units\n` +
      `queue    squeue -j ${job}\n` +
      `cancel   scancel ${job}\n` +
      `results  deno run -A cli.ts sweep status ${shellWord(path!)}`,
  ));
}
