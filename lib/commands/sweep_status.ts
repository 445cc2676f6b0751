/**
 * `sweep status`: shows the progress and scores of a sweep's units.
 *
 * @module
 */
import { join } from "node:path";
import { UserError } from "../errors.ts";
import { formatTable } from "../report/table.ts";
import { SweepDirectory } from "../sweep/manifest.ts";
import type { Unit } from "../sweep/units.ts";
import { fitted } from "../terminal.ts";
import { parseFlags, toggle } from "./flags.ts";
import { helpText } from "./help.ts";
import { progressOf, readRun } from "./run_record.ts";
import { type Score, scoreOf, scoreText } from "./runs.ts";
import { shellWord } from "../shell_word.ts";

const command = {
  name: "sweep status",
  summary: "Shows the progress of the units of a planned sweep, and the scores of their last " +
    "evaluations.",
  positionals: [{ name: "folder", help: "The folder of the sweep" }],
  flags: {
    json: toggle("Print one JSON object per unit"),
  },
} as const;

interface UnitLine {
  readonly index: number;
  readonly unit: string;
  readonly task: string;
  readonly algorithm: string;
  readonly score: Score | null;
  readonly state: "new" | "begun" | "finished" | "unreadable";
  readonly progress: string;
  /** Run directory; null if the unit has not begun. */
  readonly run: string | null;
}

/**
 * Prints the units of a sweep.
 *
 * @throws {UserError} If the folder is not a planned sweep.
 */
export function sweepStatus(args: readonly string[]): void {
  const parsed = parseFlags(command, args);
  if (parsed === "help") return console.log(helpText(command));
  const directory = new SweepDirectory(parsed.positionals[0]!);
  const lines = directory.read().map((unit, index) => lineOf(directory, unit, index));
  if (parsed.flags.json) {
    for (const line of lines) console.log(JSON.stringify(line));
    return;
  }
  console.log(formatTable(
    ["", "unit", "score", "progress"],
    lines.map(({ index, unit, score, progress }) => [
      String(index),
      unit,
      score === null ? "–" : scoreText(score),
      progress,
    ]),
  ));
  const count = (state: UnitLine["state"]) => lines.filter((line) => line.state === state).length;
  const unreadable = count("unreadable");
  console.log(
    `\n${count("finished")} of ${lines.length} units are finished, ${count("begun")} begun` +
      `${unreadable === 0 ? "" : `, ${unreadable} unreadable`}.`,
  );
  if (lines.some(({ score }) => score !== null)) {
    console.log(fitted(
      `report   deno run -A cli.ts report ${shellWord(directory.runs)}/* ` +
        `--out ${shellWord(join(directory.path, "report.html"))}`,
    ));
  }
}

function lineOf(directory: SweepDirectory, unit: Unit, index: number): UnitLine {
  const { name, task, algorithm } = unit;
  const line = { index, unit: name, task, algorithm };
  try {
    const state = directory.stateOf(unit);
    if (state === "new") {
      return { ...line, score: null, state, progress: "not begun", run: null };
    }
    const run = readRun(directory.runOf(unit).path);
    const score = scoreOf(run);
    return { ...line, score, state, progress: progressOf(run), run: run.directory.path };
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    const run = directory.runOf(unit).path;
    return { ...line, score: null, state: "unreadable", progress: error.message, run };
  }
}
