/**
 * Runs benchmarks one after another, each in its own process: `deno task bench [names…] [--json]`.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { runCommandLine } from "../lib/commands/dispatch.ts";
import { parseFlags, toggle } from "../lib/commands/flags.ts";
import { suggestion } from "../lib/suggestion.ts";
import { UserError } from "../lib/errors.ts";

/**
 * The benchmarks, which are the files next to this one. `prints` is their output: tables (with
 * `--json` an object), always an object, or always plain text.
 */
const benchmarks = {
  stages: {
    prints: "tables",
    summary: "steps/s of the three stages, one seed and six, compared with PyTorch",
  },
  matmul: { prints: "tables", summary: "GFLOP/s of the matrix products, compared with PyTorch" },
  peers: { prints: "tables", summary: "the same steps in jax-js, tfjs and PyTorch" },
  threads: {
    prints: "tables",
    summary: "numbers of the software driver's threads; runs only if named",
  },
  gpu: { prints: "tables", summary: "the paper's schedule in hours; runs only if named" },
  physics: { prints: "text", summary: "steps/s of the built-in environments" },
  bridge: { prints: "text", summary: "time per step of environments over the bridge" },
  load: { prints: "object", summary: "time to load a million rows" },
} as const;

type Name = keyof typeof benchmarks;
const names = Object.keys(benchmarks) as Name[];

const usage = [
  "Usage: deno task bench [names…] [--json]",
  "",
  "Runs benchmarks, each in its own process. Without names, runs all except threads and gpu.",
  "With --json, each prints one JSON object on its own line.",
  "",
  ...names.map((name) => `  ${name.padEnd(8)} ${benchmarks[name].summary}`),
].join("\n");

const command = {
  name: "bench",
  summary: "Measures speed",
  positionals: names.map((name) => ({ name, help: "a benchmark", optional: true })),
  flags: { json: toggle("print one JSON object per benchmark") },
};

async function bench(args: readonly string[]): Promise<void> {
  const parsed = parseFlags(command, args);
  if (parsed === "help") {
    console.log(usage);
    return;
  }
  const { flags: { json }, positionals } = parsed;
  const chosen = positionals.length > 0
    ? positionals.map(nameOf)
    : names.filter((name) =>
      !["gpu", "threads"].includes(name) && !(json && benchmarks[name].prints === "text")
    );
  for (const name of chosen) {
    const { prints, summary } = benchmarks[name];
    if (json && prints === "text") {
      throw new UserError(`the benchmark "${name}" prints no JSON; run it without --json`);
    }
    if (!json) console.log(`\n── ${name}: ${summary}`);
    const script = fileURLToPath(new URL(`./${name}.ts`, import.meta.url));
    const { code } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", script, ...(json && prints === "tables" ? ["--json"] : [])],
      stdout: "inherit",
      stderr: "inherit",
    }).spawn().status;
    if (code !== 0) throw new UserError(`the benchmark "${name}" failed with exit code ${code}`);
  }
}

function nameOf(word: string): Name {
  const name = names.find((known) => known === word);
  if (name === undefined) {
    throw new UserError(
      `there is no benchmark "${word}"${suggestion(word, names)}; there are ${names.join(", ")}`,
    );
  }
  return name;
}

Deno.exitCode = await runCommandLine(
  { bench: { summary: command.summary, load: () => Promise.resolve(bench) } },
  ["bench", ...Deno.args],
);
