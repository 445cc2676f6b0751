import { terminalColumns } from "../terminal.ts";

/**
 * Formats a plain-text table. Columns are two spaces apart and a line underlines the header.
 * Columns whose entries all begin with a digit or a sign are right-aligned, others left-aligned.
 *
 * A table wider than `width` is split into parts, printed one below the other. Each part repeats
 * the first column, and nothing is cut off.
 *
 * @param rows One list per row, as long as the header.
 * @param width Largest line width; defaults to the terminal's, unlimited in a file or pipe.
 * @returns The lines, without a trailing line break.
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
      right: alignsRight(entries),
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

/** Whether a column is right-aligned: its entries all begin with a digit or a sign. */
export function alignsRight(entries: readonly string[]): boolean {
  // A dash marks an unknown value in any column.
  return entries.some((entry) => entry !== "–") &&
    entries.every((entry) => /^([-+−]?[\d.]|–$)/.test(entry));
}

/** Returns the columns of each part of a table: the first, and as many others as fit. */
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

/** Returns the terminal columns of a text: one per visible character (grapheme). */
function columnsOf(text: string): number {
  return [...new Intl.Segmenter().segment(text)].length;
}

/** Formats FLOPs with three significant digits, without an exponent. */
export function flopsText(flops: number): string {
  const prefixes = ["", "k", "M", "G", "T"];
  const power = flops < 1 ? 0 : Math.min(4, Math.floor(Math.log10(flops) / 3));
  return `${Number((flops / 1000 ** power).toPrecision(3))} ${prefixes[power]}FLOP`;
}
