import { terminalColumns, wrap } from "../terminal.ts";
import type { CommandLine, Flag, FlagTable } from "./flags.ts";

/**
 * Returns the width of help text: the terminal's columns, at most 100, or 80 without a terminal.
 */
export function helpColumns(): number {
  return Math.min(100, terminalColumns() ?? 80);
}

/**
 * Returns the text of a command's `--help`: its summary, its arguments, and every flag with its
 * default. Flags are grouped under headings, in the order of the table.
 *
 * @param width Maximum columns per line. A longer word gets a line of its own.
 */
export function helpText(command: CommandLine<FlagTable>, width: number = helpColumns()): string {
  const usage = command.positionals.map(({ name, optional, repeated }) =>
    (optional ? `[${name}]` : `<${name}>`) + (repeated ? "…" : "")
  );
  const lines = [
    ...wrap(command.summary, width),
    "",
    `Usage: deno run -A cli.ts ${[command.name, ...usage, "[flags]"].join(" ")}`,
  ];
  const flags = Object.entries(command.flags).map(([name, flag]) => ({
    left: flag.valueName === null ? `--${name}` : `--${name} ${flag.valueName}`,
    flag,
  }));
  flags.push({ left: "--help", flag: helpFlag });
  const positionals = command.positionals.map(({ name, help }) => ({ left: name, help }));
  const column = Math.min(
    Math.floor(0.34 * width),
    Math.max(...[...flags, ...positionals].map(({ left }) => left.length)),
  );

  if (positionals.length > 0) lines.push("", "Arguments:");
  for (const { left, help } of positionals) lines.push(...helpRow(left, help, column, width));
  for (const group of new Set(flags.map(({ flag }) => flag.group))) {
    lines.push("", `${group}:`);
    for (const { left, flag } of flags.filter((entry) => entry.flag.group === group)) {
      const shown = flag.shown === null ? "" : ` (default: ${flag.shown})`;
      lines.push(...helpRow(left, flag.help + shown, column, width));
    }
  }
  return lines.join("\n") + "\n";
}

const helpFlag: Flag<unknown> = {
  help: "Show this help",
  valueName: null,
  fallback: false,
  shown: null,
  group: "Options",
  parse: () => true,
};

/**
 * Formats an entry in two columns and wraps the right one. A left text that is longer than its
 * column gets a line of its own.
 *
 * @param column Width of the left column.
 * @param width Maximum columns per line.
 */
export function helpRow(left: string, right: string, column: number, width: number): string[] {
  const indent = " ".repeat(column + 4);
  const wrapped = wrap(right, width - indent.length);
  const start = left.length > column ? [`  ${left}`] : [];
  const head = left.length > column ? indent : `  ${left.padEnd(column)}  `;
  return [...start, head + wrapped[0], ...wrapped.slice(1).map((line) => indent + line)];
}
