/**
 * `report`: writes an HTML report of one run, or a comparison of several.
 *
 * @module
 */
import { join } from "node:path";
import { UserError } from "../errors.ts";
import { checkWritable } from "../files.ts";
import { writeAtomic } from "../runs/files.ts";
import { lostRows } from "../runs/results.ts";
import { fitted } from "../terminal.ts";
import { parseFlags, text } from "./flags.ts";
import { helpText } from "./help.ts";
import { reportPage } from "./report_page.ts";
import { readRun } from "./run_record.ts";

const command = {
  name: "report",
  summary: "Writes an HTML report of one run, or a comparison of several: scores with intervals, " +
    "curves, cost per action, pictures, data, configuration and commands. The file loads nothing " +
    "else and can be sent to others. Runs with different data or evaluations get separate tables.",
  positionals: [{ name: "run", repeated: true, help: "One or more run directories" }],
  flags: {
    out: text("File to write", {
      valueName: "FILE",
      shown: "report.html in the run directory, or in the current folder if there are several runs",
    }),
  },
} as const;

/**
 * Writes a report.
 *
 * @throws {UserError} If a run directory is invalid, named twice, or the file cannot be written.
 */
export async function report(args: readonly string[]): Promise<void> {
  const parsed = parseFlags(command, args);
  if (parsed === "help") return console.log(helpText(command));
  const runs = parsed.positionals.map((path) => readRun(path));
  const real = runs.map(({ directory }) => Deno.realPathSync(directory.path));
  const twice = real.findIndex((path, i) => real.indexOf(path) !== i);
  if (twice >= 0) {
    throw new UserError(`the run ${runs[twice]!.directory.path} is named twice; name it once`);
  }
  for (const { directory, rows, results } of runs) {
    const lost = results?.finished ? lostRows(results, rows) : 0;
    if (lost === 0) continue;
    console.error(
      fitted(`warning: ${directory.metrics} lacks ${lost} of its rows; the report lacks them too`),
    );
  }
  const path = parsed.flags.out ??
    (runs.length === 1 ? join(runs[0]!.directory.path, "report.html") : "report.html");
  await checkWritable(path);
  await writeAtomic(path, await reportPage(runs));
  console.log(fitted(`wrote ${path}`));
}
