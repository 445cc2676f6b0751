/**
 * A table as plain text, as every command prints it: columns two spaces apart, a line under the
 * header, columns whose entries all begin with a digit or a sign set right, others left.
 *
 * @param rows One list per row, as long as the header.
 * @returns Lines without a line break at the end.
 */
export function formatTable(
  header: readonly string[],
  rows: readonly (readonly (string | number)[])[],
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
  const format = (line: readonly string[]) =>
    columns.map(({ width, right }, column) => {
      const entry = line[column] ?? "";
      const space = " ".repeat(width - columnsOf(entry));
      return right ? space + entry : entry + space;
    }).join("  ").trimEnd();
  const rule = columns.map(({ width }) => "─".repeat(width)).join("  ");
  return [format(lines[0]!), rule, ...lines.slice(1).map(format)].join("\n");
}

/** Columns that a text takes on a terminal: one for each character a person sees. */
function columnsOf(text: string): number {
  return [...new Intl.Segmenter().segment(text)].length;
}
