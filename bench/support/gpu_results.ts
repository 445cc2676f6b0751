/**
 * Results of the checks and benchmarks of a graphics card, read from their output and formatted.
 *
 * @module
 */
import type { Table } from "./rounds.ts";

/** The outcome of a check or benchmark. */
export interface Outcome {
  readonly step: string;
  readonly command: string;
  readonly seconds: number;
  readonly failed: boolean;
  /** The result in a few words. */
  readonly result: string;
  readonly tables: readonly Table[];
}

/** A parsed output. */
type Found = Pick<Outcome, "result" | "tables">;

/** Reads the summary of `deno test`; null if there is none. */
export function parityOutcome(output: string): Found | null {
  const summary = /^(?:ok|FAILED) \| .*?(\d+) passed.*?(\d+) failed/m.exec(output);
  return summary && { result: `${summary[1]} passed, ${summary[2]} failed`, tables: [] };
}

/** Reads the last line of a benchmark or of `gradcheck`, one JSON object; null if it is none. */
export function tablesOutcome(step: string, output: string): Found | null {
  let object: {
    tables?: Table[];
    checks?: readonly { operation: string; shape: string; passed: boolean }[];
  };
  try {
    object = JSON.parse(output.trim().split("\n").at(-1)!);
  } catch {
    return null;
  }
  if (step !== "gradcheck") {
    return object.tables
      ? { result: `${object.tables.length} tables`, tables: object.tables }
      : null;
  }
  const { checks } = object;
  if (!checks) return null;
  const failed = checks.filter((check) => !check.passed);
  const names = new Set(failed.map(({ operation, shape }) => `${operation}, ${shape}`));
  const result = `${checks.length - failed.length} of ${checks.length} checks passed`;
  return { result: [result, ...names].join("; "), tables: [] };
}

/** Formats a report: the outcomes, then the tables. */
export function markdownOf(
  { version, began, seconds, machine, outcomes }: {
    readonly version: string;
    readonly began: string;
    readonly seconds: number;
    readonly machine: string;
    readonly outcomes: readonly Outcome[];
  },
): string {
  return [
    "# Measurements of a graphics card",
    `srpo-webgpu ${version}, ${began}, ${seconds} s in all. ${machine}`,
    markdownTable(
      ["step", "result", "seconds", "command"],
      outcomes.map(({ step, result, seconds, command }) => [
        step,
        result,
        seconds,
        `\`${command}\``,
      ]),
    ),
    ...outcomes.flatMap(({ step, tables }) =>
      tables.flatMap(({ title, header, rows, notes = [] }) => [
        `## ${step}: ${title}`,
        markdownTable(header, rows),
        ...notes,
      ])
    ),
  ].join("\n\n") + "\n";
}

function markdownTable(
  header: readonly string[],
  rows: readonly (readonly (string | number)[])[],
): string {
  const line = (cells: readonly (string | number)[]) =>
    `| ${cells.map((cell) => String(cell).replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(header), line(header.map(() => "---")), ...rows.map(line)].join("\n");
}
