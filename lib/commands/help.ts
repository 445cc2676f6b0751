import { terminalColumns, wrap } from "../terminal.ts";
import type { CommandLine, Flag, FlagTable } from "./flags.ts";

/** Columns of help text: the terminal's, at most 100; 80 where there is no terminal. */
export function helpColumns(): number {
  return Math.min(100, terminalColumns() ?? 80);
}

/**
 * The text of a command's `--help`: what it does, what it takes, every flag with its default under
 * its group's heading, in the order of the table.
 *
 * @param width Columns that a line may have; a word that is longer stands alone on its line.
 */
export function helpText(command: CommandLine<FlagTable>, width: number = helpColumns()): string {
  const usage = command.positionals.map(({ name, optional }) =>
    optional ? `[${name}]` : `<${name}>`
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
  help: "Show this text",
  valueName: null,
  fallback: false,
  shown: null,
  group: "Options",
  parse: () => true,
};

/**
 * The lines of an entry in two columns, the right one wrapped; a left text that is longer than its
 * column gets a line of its own.
 *
 * @param column Columns of the left text.
 * @param width Columns of a line.
 */
export function helpRow(left: string, right: string, column: number, width: number): string[] {
  const indent = " ".repeat(column + 4);
  const wrapped = wrap(right, width - indent.length);
  const start = left.length > column ? [`  ${left}`] : [];
  const head = left.length > column ? indent : `  ${left.padEnd(column)}  `;
  return [...start, head + wrapped[0], ...wrapped.slice(1).map((line) => indent + line)];
}
