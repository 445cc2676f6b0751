import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { parseFlags, toggle } from "../../lib/commands/flags.ts";
import { helpText } from "../../lib/commands/help.ts";
import {
  hyperparameterFlags,
  hyperparameterOverrides,
} from "../../lib/commands/hyperparameter_flags.ts";
import { UserError } from "../../lib/errors.ts";
import { srpo } from "../../lib/algorithms/srpo/algorithm.ts";
import { hyperparametersFor } from "../../lib/algorithms/srpo/hyperparameters.ts";

const table = srpo.hyperparameters;

const command = {
  name: "train",
  summary: "Trains.",
  positionals: [],
  flags: { json: toggle("Print one JSON line"), ...hyperparameterFlags(srpo) },
};

function overrides(...args: string[]) {
  const parsed = parseFlags(command, args);
  if (parsed === "help") throw new Error("unexpected help");
  return hyperparameterOverrides(table, parsed.flags);
}

Deno.test("hyperparameterFlags() has a flag with its default for every hyperparameter", () => {
  const help = helpText(command).replaceAll(/\s+/g, " ");
  for (const name of table.names) {
    assertStringIncludes(help, ` --${table.flagName(name)} `);
    assertStringIncludes(help, `[${table.rows[name]!.source}]`);
    assertStringIncludes(help, `(default: ${table.defaultText(name)})`);
  }
});

Deno.test("hyperparameterOverrides() returns only the given values", () => {
  assertEquals(overrides("--json"), {});
  const given = overrides(
    "--critic-steps=5",
    "--beta",
    "0.25",
    "--normalize-beta=false",
    "--weighting",
    "constant",
  );
  assertEquals(given, { criticSteps: 5, beta: 0.25, normalizeBeta: false, weighting: "constant" });
  const { criticSteps, beta, normalizeBeta, weighting } = hyperparametersFor(
    "maze2d",
    "paper",
    given,
  );
  assertEquals({ criticSteps, beta, normalizeBeta, weighting }, given);
});

Deno.test("hyperparameterFlags() accepts every default in the table", () => {
  for (const preset of ["paper", "quick"] as const) {
    const values = Object.entries(hyperparametersFor("maze2d", preset));
    const args = values.map(([name, value]) =>
      `--${srpo.hyperparameters.flagName(name as "beta")}=${value}`
    );
    assertEquals(Object.entries(overrides(...args)), values);
  }
});

Deno.test("hyperparameterFlags() rejects values outside the table's limits", () => {
  const refused = (arg: string, message: string) =>
    assertEquals(assertThrows(() => overrides(arg), UserError).message, message);
  refused(
    "--critic-steps=-1",
    '--critic-steps needs a whole number from 1 to 1000000000, got "-1"',
  );
  refused("--expectile=1", '--expectile needs a number from 0.001 to 0.999, got "1"');
  refused(
    "--weighting=sigma",
    '--weighting needs one of sigma2, sigma4, alpha_over_sigma, constant, two_term, fixed_time, got "sigma"',
  );
});
