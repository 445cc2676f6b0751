import type { CommandLine, Flag, FlagTable } from "./flags.ts";

/** Columns of the text of `--help`. */
const width = 100;

/**
 * The text of a command's `--help`: what it does, what it takes, every flag with its default under
 * its group's heading, in the order of the table.
 */
export function helpText(command: CommandLine<FlagTable>): string {
  const usage = command.positionals.map(({ name, optional }) =>
    optional ? `[${name}]` : `<${name}>`
  );
  const lines = [
    command.summary,
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
    34,
    Math.max(...[...flags, ...positionals].map(({ left }) => left.length)),
  );

  if (positionals.length > 0) lines.push("", "Arguments:");
  for (const { left, help } of positionals) lines.push(...row(left, help, column));
  for (const group of new Set(flags.map(({ flag }) => flag.group))) {
    lines.push("", `${group}:`);
    for (const { left, flag } of flags.filter((entry) => entry.flag.group === group)) {
      const shown = flag.shown === null ? "" : ` (default: ${flag.shown})`;
      lines.push(...row(left, flag.help + shown, column));
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

/** Two columns, the right one wrapped; a left entry that is too long gets a line of its own. */
function row(left: string, right: string, column: number): string[] {
  const indent = " ".repeat(column + 4);
  const wrapped = wrap(right, width - indent.length);
  const start = left.length > column ? [`  ${left}`] : [];
  const head = left.length > column ? indent : `  ${left.padEnd(column)}  `;
  return [...start, head + wrapped[0], ...wrapped.slice(1).map((line) => indent + line)];
}

function wrap(text: string, columns: number): string[] {
  const lines = [""];
  for (const word of text.trim().split(/\s+/)) {
    const last = lines[lines.length - 1]!;
    if (last !== "" && last.length + 1 + word.length > columns) lines.push(word);
    else lines[lines.length - 1] = last === "" ? word : `${last} ${word}`;
  }
  return lines;
}
