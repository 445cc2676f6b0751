/**
 * Sweeps as job arrays of Slurm: one element of the array per unit.
 *
 * @module
 */
import { join, resolve } from "node:path";
import * as v from "valibot";
import { UserError } from "../errors.ts";
import { makeFolder } from "../files.ts";
import { writeAtomic } from "../runs/files.ts";
import { parseJson, parseValue } from "../schema.ts";
import type { SweepDirectory } from "./manifest.ts";

/** Seconds between SIGTERM and the end of a job's time limit, for a checkpoint. */
const noticeSeconds = 120;

const jobSchema = v.strictObject({
  job: v.pipe(v.string("a job id"), v.regex(/^\d+$/, "a job id of digits")),
});

/** What a job script runs. */
export interface JobCommand {
  /** Program and arguments that train the unit whose index is appended. */
  readonly command: readonly string[];
  /** Absolute path of the working directory. */
  readonly workingDirectory: string;
}

/**
 * Returns the job script of a sweep.
 *
 * Slurm sends SIGTERM to the shell before the time limit (`--signal`). The shell passes it on, and
 * `train` saves a checkpoint and exits with 143. A unit that was stopped in this way while its job
 * was running is queued again. After `scancel`, the job is no longer running, and is not.
 *
 * @param indices Indices of the units, ascending.
 */
export function jobScript(
  directory: SweepDirectory,
  { command, workingDirectory }: JobCommand,
  indices: readonly number[],
): string {
  const path = resolve(directory.path);
  const log = join(resolve(directory.slurm), "%a.log");
  return `#!/bin/bash
#SBATCH --job-name=${jobName(path)}
#SBATCH --array=${arrayText(indices)}
#SBATCH --chdir=${directiveText(workingDirectory)}
#SBATCH --output=${directiveText(log)}
#SBATCH --open-mode=append
#SBATCH --requeue
#SBATCH --signal=B:TERM@${noticeSeconds}

${command.map(shellText).join(" ")} "$SLURM_ARRAY_TASK_ID" &
unit=$!
trap 'kill -TERM "$unit" 2>/dev/null' TERM

# A signal interrupts \`wait\`, so it is repeated until the process has ended.
while
  wait "$unit"
  code=$?
  kill -0 "$unit" 2>/dev/null
do :; done

# 143: stopped by SIGTERM after saving a checkpoint. A canceled job is not running any more.
# In one element, SLURM_JOB_ID is the id of the whole array, so it is not used here.
element="\${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID"
if [ "$code" -eq 143 ] && [ "$(squeue -h -j "$element" -o %T)" = RUNNING ]; then
  scontrol requeue "$element"
fi
exit "$code"
`;
}

/** Returns ascending indices as `sbatch --array` takes them: `0-2,5`. */
export function arrayText(indices: readonly number[]): string {
  const ranges: [number, number][] = [];
  for (const index of indices) {
    const last = ranges.at(-1);
    if (last !== undefined && last[1] === index - 1) last[1] = index;
    else ranges.push([index, index]);
  }
  return ranges.map(([first, last]) => first === last ? `${first}` : `${first}-${last}`).join(",");
}

/**
 * Writes the job script and submits it.
 *
 * @param options Further options for `sbatch`, which override those of the script.
 * @returns The id of the job array.
 * @throws {UserError} If the last job array of the sweep has not ended, `sbatch` is not installed,
 * or it rejects the job.
 */
export async function submitJob(
  directory: SweepDirectory,
  job: JobCommand,
  indices: readonly number[],
  options: readonly string[],
): Promise<string> {
  const record = join(directory.slurm, "job.json");
  const script = join(directory.slurm, "job.sh");
  await refuseUnended(record);
  makeFolder(directory.slurm);
  await writeAtomic(script, jobScript(directory, job, indices));
  const { success, stdout, stderr } = await output("sbatch", [...options, "--parsable", script]);
  const id = stdout.split(";", 1)[0]!.trim();
  if (!success || !/^\d+$/.test(id)) {
    throw new UserError(
      `sbatch rejected ${script}: ${(stderr || stdout).trim()}` +
        (options.length > 0 ? "; check the options after `--`" : ""),
    );
  }
  await writeAtomic(record, JSON.stringify({ job: id }) + "\n");
  return id;
}

/** Rejects a sweep whose last job array is still queued or running. */
async function refuseUnended(record: string): Promise<void> {
  let text: string;
  try {
    text = Deno.readTextFileSync(record);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    throw new UserError(`cannot read ${record}: ${(error as Error).message}`);
  }
  const { job } = parseValue(jobSchema, parseJson(text, record), record);
  // squeue fails for a job that ended long ago.
  const { success, stdout } = await output("squeue", ["-h", "-j", job]);
  if (success && stdout.trim() !== "") {
    throw new UserError(
      `job ${job} of this sweep is still queued or running; wait until it ends, or cancel it with ` +
        `scancel ${job}`,
    );
  }
}

async function output(
  program: string,
  args: readonly string[],
): Promise<{ success: boolean; stdout: string; stderr: string }> {
  try {
    const { success, stdout, stderr } = await new Deno.Command(program, { args: [...args] })
      .output();
    const decoder = new TextDecoder();
    return { success, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new UserError(
      `${program} was not found; submit the sweep on a machine where Slurm's commands are ` +
        "installed, or run it here with `sweep run`",
    );
  }
}

function jobName(path: string): string {
  return path.split(/[/\\]/).at(-1)!.replaceAll(/[^\w.-]+/g, "_") || "sweep";
}

function shellText(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

/**
 * Quotes a path in a directive of `sbatch`.
 *
 * @throws {UserError} If the path has characters that a directive cannot hold.
 */
function directiveText(path: string): string {
  if (/["\\\r\n]/.test(path)) {
    throw new UserError(`Slurm cannot use the path ${JSON.stringify(path)}; rename the folder`);
  }
  // Only %a in the name of a log file is replaced by Slurm; other percent signs are doubled.
  return `"${path.replaceAll(/%(?!a\.log$)/g, "%%")}"`;
}
