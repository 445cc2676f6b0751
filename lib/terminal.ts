/**
 * Columns of the terminal, and text that fits them.
 *
 * @module
 */

/**
 * Columns of the terminal. Any standard stream tells them, so that `--help | less` fits too; where
 * none is a terminal, the variable `COLUMNS` does, if it may be read.
 *
 * @returns Null where the size is not known.
 */
export function terminalColumns(): number | null {
  try {
    const { columns } = Deno.consoleSize();
    if (columns > 0) return columns;
  } catch {
    // None of the standard streams is a terminal.
  }
  const { state } = Deno.permissions.querySync({ name: "env", variable: "COLUMNS" });
  const columns = state === "granted" ? Number(Deno.env.get("COLUMNS")) : NaN;
  return Number.isInteger(columns) && columns > 0 ? columns : null;
}

/** The text in lines of at most `columns` columns, broken between words. */
export function wrap(text: string, columns: number): string[] {
  const lines = [""];
  for (const word of text.trim().split(/\s+/)) {
    const last = lines[lines.length - 1]!;
    if (last !== "" && last.length + 1 + word.length > columns) lines.push(word);
    else lines[lines.length - 1] = last === "" ? word : `${last} ${word}`;
  }
  return lines;
}

/**
 * Returns `text` with every line that is longer than `columns` broken between words. The
 * continuation of a line that starts with a label (`adapter  …`) is indented to the label's width.
 */
export function fitLines(text: string, columns: number): string {
  return text.split("\n").flatMap((line) => {
    if (line.length <= columns) return [line];
    const label = /^[a-z]+ {2,}/.exec(line)?.[0] ?? "";
    const rest = wrap(line.slice(label.length), Math.max(1, columns - label.length));
    return rest.map((part, i) => (i === 0 ? label : " ".repeat(label.length)) + part);
  }).join("\n");
}

/** Returns `text` fitted to the terminal by {@linkcode fitLines}; unchanged in a pipe or a file. */
export function fitted(text: string, stream: { isTerminal(): boolean } = Deno.stdout): string {
  const columns = stream.isTerminal() ? terminalColumns() : null;
  return columns === null ? text : fitLines(text, columns);
}
