/**
 * `runs export`: writes the metrics of a run as CSV.
 *
 * @module
 */
import { join } from "node:path";
import { checkWritable } from "../files.ts";
import { writeAtomic } from "../runs/files.ts";
import { metricsCsv } from "../runs/metrics_csv.ts";
import { parseFlags, text } from "./flags.ts";
import { helpText } from "./help.ts";
import { readRun } from "./run_record.ts";

const command = {
  name: "runs export",
  summary: "Writes the metrics of a run as CSV, one row per seed and variant at each logged step.",
  positionals: [{ name: "run", help: "A run directory" }],
  flags: {
    csv: text("File to write", { valueName: "FILE", shown: "metrics.csv in the run directory" }),
  },
} as const;

/** Exports the metrics of a run. */
export async function exportRun(args: readonly string[]): Promise<void> {
  const parsed = parseFlags(command, args);
  if (parsed === "help") return console.log(helpText(command));
  const { directory, rows } = readRun(parsed.positionals[0]!);
  const path = parsed.flags.csv ?? join(directory.path, "metrics.csv");
  await checkWritable(path);
  await writeAtomic(path, metricsCsv(rows));
  console.log(`wrote ${rows.length.toLocaleString("en-US")} rows to ${path}`);
}
