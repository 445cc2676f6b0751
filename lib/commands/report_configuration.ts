/**
 * The configuration section of a report.
 *
 * @module
 */
import { type Content, type Html, html, table } from "../report/html.ts";
import type { Json } from "../runs/config.ts";
import { differencesOf } from "./run_difference.ts";
import type { RunRecord } from "./run_record.ts";
import { shellWord } from "../shell_word.ts";

/** Returns what the runs differ in, and the settings and commands of each. */
export function configurationHtml(runs: readonly RunRecord[]): Html {
  return html`<section><h2>Configuration</h2>
${runs.length > 1 ? differenceTable(runs) : ""}
${runs.map(runHtml)}
</section>`;
}

function differenceTable(runs: readonly RunRecord[]): Content {
  const differences = differencesOf(...runs);
  if (differences.length === 0) return html`<p>All runs have the same settings.</p>`;
  return html`<h3>Differences</h3>${
    table(
      ["setting", ...runs.map(({ name }) => name)],
      differences.map(({ setting, values }) => [setting, ...values.map(shown)]),
    )
  }`;
}

function runHtml(run: RunRecord): Html {
  const { name, config, algorithm } = run;
  const { hyperparameters, adapter, data: _, ...rest } = config;
  const rows = algorithm.hyperparameters.rows as Readonly<Record<string, HyperparameterRow>>;
  return html`<h3>${name}</h3>
<p>${algorithm.title}: ${algorithm.citation}</p>
<p>Commands:</p>
<pre>${commandsOf(run).join("\n")}</pre>
<details><summary>Settings and adapter</summary>
${
    table(["setting", "value"], [
      ...Object.entries(rest).map(([key, value]) => [key, shown(value as Json)]),
      ...Object.entries(adapter).map(([key, value]) => [`adapter.${key}`, shown(value)]),
    ])
  }</details>
<details><summary>Hyperparameters</summary>
${
    table(
      ["name", "symbol", "value", "meaning", "source of the paper's value"],
      Object.entries(hyperparameters).map(([key, value]) => {
        const { symbol = "", help = "", source = "" } = rows[key] ?? {};
        return [key, symbol, shown(value), help, source];
      }),
    )
  }</details>`;
}

/** The fields of a row of a hyperparameter table that are shown. */
interface HyperparameterRow {
  readonly symbol?: string;
  readonly help?: string;
  readonly source?: string;
}

/** Returns the commands that trained a run, and the one that makes this report. */
function commandsOf({ directory: { path }, processes }: RunRecord): string[] {
  return [
    ...processes.map(({ version, args }) =>
      `deno run -A cli.ts train ${args}`.trimEnd() + `  # version ${version}`
    ),
    `deno run -A cli.ts report ${shellWord(path)}`,
  ];
}

function shown(value: Json | undefined): string {
  if (value === undefined || value === null) return "–";
  return typeof value === "string" ? value : JSON.stringify(value);
}
