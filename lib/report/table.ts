import { terminalColumns } from "../terminal.ts";

/**
 * A table as plain text, as every command prints it: columns two spaces apart, a line under the
 * header, columns whose entries all begin with a digit or a sign set right, others left.
 *
 * A table that is wider than `width` is printed in parts, one below the other, each with the first
 * column: nothing is cut off.
 *
 * @param rows One list per row, as long as the header.
 * @param width Columns that a line may have: the terminal's, and any number in a file or a pipe.
 * @returns Lines without a line break at the end.
 */
export function formatTable(
  header: readonly string[],
  rows: readonly (readonly (string | number)[])[],
  width: number = Deno.stdout.isTerminal() ? terminalColumns() ?? Infinity : Infinity,
): string {
  const lines = [header, ...rows].map((row) => row.map(String));
  const columns = header.map((_, column) => {
    const entries = lines.slice(1).map((line) => line[column] ?? "");
    return {
      width: Math.max(...lines.map((line) => columnsOf(line[column] ?? ""))),
      // A dash stands for what is not known, whatever the column holds.
      right: entries.some((entry) => entry !== "–") &&
        entries.every((entry) => /^([-+−]?[\d.]|–$)/.test(entry)),
    };
  });
  const format = (line: readonly string[], shown: readonly number[]) =>
    shown.map((column) => {
      const { width, right } = columns[column]!;
      const entry = line[column] ?? "";
      const space = " ".repeat(width - columnsOf(entry));
      return right ? space + entry : entry + space;
    }).join("  ").trimEnd();
  const rule = columns.map(({ width }) => "─".repeat(width));
  return partsOf(columns.map(({ width }) => width), width).map((shown) =>
    [lines[0]!, rule, ...lines.slice(1)].map((line) => format(line, shown)).join("\n")
  ).join("\n\n");
}

/** The columns of each part of a table: the first, and as many others as fit beside it. */
function partsOf(widths: readonly number[], width: number): number[][] {
  const parts = [[0]];
  let taken = widths[0]!;
  widths.forEach((own, column) => {
    if (column === 0) return;
    if (taken + 2 + own > width && parts.at(-1)!.length > 1) {
      parts.push([0]);
      taken = widths[0]!;
    }
    parts.at(-1)!.push(column);
    taken += 2 + own;
  });
  return parts;
}

/** Columns that a text takes on a terminal: one for each character a person sees. */
function columnsOf(text: string): number {
  return [...new Intl.Segmenter().segment(text)].length;
}
