import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import {
  boolean,
  choice,
  integer,
  list,
  number,
  parseFlags,
  seeds,
  text,
  toggle,
} from "../../lib/commands/flags.ts";
import { helpText } from "../../lib/commands/help.ts";
import { UserError } from "../../lib/errors.ts";

const command = {
  name: "train",
  summary: "Trains.",
  positionals: [{ name: "task", help: "a task or a file", optional: true }],
  flags: {
    out: text("Run directory", { valueName: "DIR" }),
    preset: choice("Sizes and steps", ["quick", "paper"], { fallback: "paper" }),
    "critic-steps": integer("Critic steps", { group: "Critic", shown: "the task's" }),
    batch: integer("Batch", { min: 1, max: 65536, fallback: 256 }),
    tau: number("Expectile", { min: 0, max: 1, fallback: 0.7, group: "Critic" }),
    betas: list("Temperatures", number("", { min: 0 })),
    seeds: seeds("Seeds", { fallback: [0] }),
    json: toggle("Print one JSON line"),
  },
} as const;

function read(...args: string[]) {
  const parsed = parseFlags(command, args);
  if (parsed === "help") throw new Error("unexpected help");
  return parsed;
}

function refuses(args: string[], message: string) {
  const error = assertThrows(() => parseFlags(command, args), UserError);
  assertEquals(error.message, message);
}

Deno.test("parseFlags() returns the default of each absent flag", () => {
  assertEquals(read(), {
    flags: {
      out: undefined,
      preset: "paper",
      "critic-steps": undefined,
      batch: 256,
      tau: 0.7,
      betas: undefined,
      seeds: [0],
      json: false,
    },
    positionals: [],
  });
});

Deno.test("parseFlags() reads --flag value and --flag=value, with positionals anywhere", () => {
  const { flags, positionals } = read(
    "--preset=quick",
    "hopper-medium-v2",
    "--critic-steps",
    "20_000",
    "--json",
    "--tau=9e-1",
    "--betas",
    "0.01,0.5",
    "--out=a=b",
  );
  assertEquals(positionals, ["hopper-medium-v2"]);
  assertEquals(flags, {
    out: "a=b",
    preset: "quick",
    "critic-steps": 20000,
    batch: 256,
    tau: 0.9,
    betas: [0.01, 0.5],
    seeds: [0],
    json: true,
  });
});

Deno.test("boolean() accepts only true and false", () => {
  const switchable = { ...command, flags: { baseline: boolean("Baseline", { fallback: true }) } };
  const values = (...args: string[]) => {
    const parsed = parseFlags(switchable, args);
    return parsed === "help" ? parsed : parsed.flags.baseline;
  };
  assertEquals(values(), true);
  assertEquals(values("--baseline", "false"), false);
  assertEquals(values("--baseline=true"), true);
  const error = assertThrows(() => values("--baseline=yes"), UserError);
  assertEquals(error.message, '--baseline needs true or false, got "yes"');
});

Deno.test("parseFlags() keeps a numeric positional as given", () => {
  assertEquals(read("007").positionals, ["007"]);
});

Deno.test("parseFlags() treats all arguments after -- as positional", () => {
  assertEquals(read("--", "--json").positionals, ["--json"]);
});

Deno.test("seeds() reads ranges, lists and both", () => {
  assertEquals(read("--seeds", "0-5").flags.seeds, [0, 1, 2, 3, 4, 5]);
  assertEquals(read("--seeds", "0,2,7").flags.seeds, [0, 2, 7]);
  assertEquals(read("--seeds=4-4,1").flags.seeds, [4, 1]);
  assertEquals(read("--seeds", "4294967295").flags.seeds, [4294967295]);
});

Deno.test("seeds() rejects descending ranges, repeated values and invalid seeds", () => {
  refuses(["--seeds", "5-0"], '--seeds needs ascending ranges, such as 0-5, got "5-0"');
  refuses(
    ["--seeds", "0-2,1"],
    '--seeds needs distinct values (1 is repeated), got "0-2,1"',
  );
  refuses(["--seeds", "0-9999"], '--seeds needs at most 1024 seeds, got "0-9999"');
  refuses(
    ["--seeds", "0-999,2000-2999"],
    '--seeds needs at most 1024 seeds, got "0-999,2000-2999"',
  );
  refuses(["--seeds", "1,"], '--seeds needs a whole number from 0 to 4294967295, got "1,"');
  refuses(["--seeds", "-1"], '--seeds needs a whole number from 0 to 4294967295, got "-1"');
});

Deno.test("parseFlags() names the nearest known flag for an unknown one", () => {
  refuses(
    ["--critic-step", "5"],
    "unknown flag --critic-step, did you mean --critic-steps?; see `train --help` for all flags",
  );
  refuses(
    ["--otu", "x"],
    "unknown flag --otu, did you mean --out?; see `train --help` for all flags",
  );
  refuses(["--frobnicate"], "unknown flag --frobnicate; see `train --help` for all flags");
  refuses(["-q"], "unknown flag -q; see `train --help` for all flags");
  refuses(["--constructor"], "unknown flag --constructor; see `train --help` for all flags");
  refuses(["--no-out=x"], "unknown flag --no-out; see `train --help` for all flags");
  refuses(["--_", "x"], "unknown flag --_; see `train --help` for all flags");
});

Deno.test("parseFlags() rejects a repeated flag", () => {
  refuses(["--batch", "1", "--batch=2"], "--batch is given twice; give it once");
  refuses(["--json", "--json"], "--json is given twice; give it once");
});

Deno.test("parseFlags() rejects counts that are negative, malformed or out of range", () => {
  refuses(
    ["--critic-steps", "-5"],
    '--critic-steps needs a whole number of at least 0, got "-5"',
  );
  refuses(["--critic-steps=1.5"], '--critic-steps needs a whole number of at least 0, got "1.5"');
  refuses(["--critic-steps=0x10"], '--critic-steps needs a whole number of at least 0, got "0x10"');
  refuses(["--critic-steps="], '--critic-steps needs a whole number of at least 0, got ""');
  refuses(["--batch", "0"], '--batch needs a whole number from 1 to 65536, got "0"');
  refuses(["--tau", "1.01"], '--tau needs a number from 0 to 1, got "1.01"');
  refuses(["--tau", "NaN"], '--tau needs a number from 0 to 1, got "NaN"');
  refuses(["--betas", "0.1,,2"], '--betas needs a number of at least 0, got "0.1,,2"');
  refuses(["--preset", "fast"], '--preset needs one of quick, paper, got "fast"');
  refuses(["--out", ""], '--out needs a non-empty value, got ""');
});

Deno.test("parseFlags() rejects a flag without a value and a switch with one", () => {
  refuses(["--out", "--json"], "--out needs a value: --out DIR");
  refuses(["--out"], "--out needs a value: --out DIR");
  refuses(["--json", "a", "b"], 'unexpected argument "b": train takes <task>');
  refuses(["--json=yes"], '--json is a switch and takes no value, got "yes"');
});

Deno.test("parseFlags() rejects surplus and missing positional arguments", () => {
  refuses(["a", "b"], 'unexpected argument "b": train takes <task>');
  const inspect = {
    name: "data inspect",
    summary: "Inspects.",
    positionals: [{ name: "file", help: "an HDF5 file" }],
    flags: {},
  };
  const error = assertThrows(() => parseFlags(inspect, []), UserError);
  assertEquals(
    error.message,
    "data inspect needs <file>: an HDF5 file; see `data inspect --help`",
  );
});

Deno.test("parseFlags() asks for help wherever --help occurs, even with other errors", () => {
  assertEquals(parseFlags(command, ["--help"]), "help");
  assertEquals(parseFlags(command, ["--frobnicate", "-h"]), "help");
});

Deno.test("helpText() shows every flag with its default, by group, within the given width", () => {
  const line = {
    ...command,
    flags: {
      ...command.flags,
      "a-name-that-is-longer-than-the-column": toggle("word ".repeat(40)),
    },
  };
  const help = helpText(line, 100);
  assertStringIncludes(help, "Usage: deno run -A cli.ts train [task] [flags]\n");
  for (const [name, flag] of Object.entries(command.flags)) {
    assertStringIncludes(help, `  --${name}`);
    if (flag.shown !== null) assertStringIncludes(help, `(default: ${flag.shown})`);
  }
  const critic = help.slice(help.indexOf("\nCritic:\n"));
  assertStringIncludes(critic, "--tau X");
  assertStringIncludes(critic, "(default: the task's)");
  for (const width of [60, 80, 100]) {
    const lines = helpText(line, width).split("\n");
    assertEquals(lines.filter((line) => line.length > width || line.endsWith(" ")), []);
  }
  assertEquals(helpText(line, 60).split(/\s+/), help.split(/\s+/));
});

Deno.test("parseFlags() does not interpret a no- prefix in flag names", () => {
  const line = {
    name: "train",
    summary: "",
    positionals: [],
    flags: { "no-cache": toggle("Keep nothing"), cache: toggle("Keep it") },
  };
  assertEquals(parseFlags(line, ["--no-cache"]), {
    flags: { "no-cache": true, cache: false },
    positionals: [],
  });
});
