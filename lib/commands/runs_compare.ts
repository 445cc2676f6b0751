/**
 * `runs compare`: shows in which settings and data two runs differ.
 *
 * @module
 */
import { formatTable } from "../report/table.ts";
import { fitted } from "../terminal.ts";
import { parseFlags, toggle } from "./flags.ts";
import { helpText } from "./help.ts";
import { type Difference, differencesOf, protocolDifferences } from "./run_difference.ts";
import { readRun } from "./run_record.ts";

const command = {
  name: "runs compare",
  summary: "Shows in which hyperparameters, data and other settings two runs differ, and whether " +
    "their scores can be compared.",
  positionals: [
    { name: "run A", help: "A run directory" },
    { name: "run B", help: "Another run directory" },
  ],
  flags: { json: toggle("Print one JSON object") },
} as const;

/** Prints the differences between two runs. */
export function compareRuns(args: readonly string[]): void {
  const parsed = parseFlags(command, args);
  if (parsed === "help") return console.log(helpText(command));
  const [a, b] = parsed.positionals.map((path) => readRun(path)) as [
    ReturnType<typeof readRun>,
    ReturnType<typeof readRun>,
  ];
  const differences = differencesOf(a, b);
  const protocol = protocolDifferences(a, b);
  if (parsed.flags.json) {
    const runs = [a.directory.path, b.directory.path];
    console.log(JSON.stringify({ runs, differences, comparable: protocol.length === 0 }));
    return;
  }
  console.log(
    differences.length === 0 ? "The runs have the same settings, data and machine." : formatTable(
      ["setting", a.directory.path, b.directory.path],
      differences.map(({ setting, values }) => [setting, ...values.map(shown)]),
    ),
  );
  console.log(fitted(`\n${verdict(protocol)}`));
}

function shown(value: Difference["values"][number]): string {
  if (value === undefined) return "–";
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return /^[0-9a-f]{64}$/.test(text) ? `${text.slice(0, 12)}…` : text;
}

function verdict(protocol: readonly string[]): string {
  return protocol.length === 0
    ? "Their scores can be compared: task, data and evaluation are the same."
    : `Their scores cannot be compared: ${protocol.join(", ")} differ.`;
}
