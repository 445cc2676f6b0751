/**
 * The page of a report.
 *
 * @module
 */
import { isInPaper, paperScoreText } from "../data/catalog.ts";
import { type Content, type Html, html, page, table } from "../report/html.ts";
import { bootstrapResamples } from "../report/statistics.ts";
import { seedsLabel } from "../runs/directory.ts";
import { version } from "../version.ts";
import { configurationHtml } from "./report_configuration.ts";
import { actorCosts, costHtml } from "./report_cost.ts";
import { dataSummary } from "./report_data.ts";
import { actorName, curveFigures, figureHtml, pictureHtml, scoreFigure } from "./report_figures.ts";
import { type ActorScore, type Group, groupsOf, quantityOf, scoresOf } from "./report_series.ts";
import { protocolDifferences, protocolOf } from "./run_difference.ts";
import { progressOf, type RunRecord } from "./run_record.ts";

/**
 * Returns the report of one or more runs as one HTML document. Runs with different data or
 * evaluation protocols are in separate sections, and the page says so.
 */
export async function reportPage(runs: readonly RunRecord[]): Promise<string> {
  const groups = groupsOf(runs);
  const title = runs.length === 1 ? runs[0]!.name : `Comparison of ${runs.length} runs`;
  const sections = [];
  for (const [i, group] of groups.entries()) {
    sections.push(await groupHtml(group, groups.length > 1 ? ` (${i + 1})` : "", i));
  }
  return page(
    title,
    html`<h1>${title}</h1>
<p class="note">Made with srpo-webgpu ${version} on ${utc(new Date())}.</p>
${overview(runs)}
${groups.length > 1 ? warning(runs, groups) : ""}
${sections}
${await picturesHtml(runs)}
${await dataHtml(runs)}
${configurationHtml(runs)}`,
    inert,
  );
}

/** Forbids scripts and whatever is not in the page: it shows texts and pictures of run folders. */
const inert = html`
  <meta http-equiv="content-security-policy"
    content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
`;

function overview(runs: readonly RunRecord[]): Html {
  return table(
    ["run", "algorithm", "task", "seeds", "begun", "progress"],
    runs.map((run) => [
      run.directory.path,
      run.algorithm.title,
      run.config.task,
      html`<span>${seedsLabel(run.config.seeds)}</span>`,
      html`<span>${utc(run.begun)}</span>`,
      progressOf(run),
    ]),
  );
}

/** Says that not all scores can be compared, and why. */
function warning(runs: readonly RunRecord[], groups: readonly Group[]): Html {
  const differing = protocolDifferences(...runs);
  return html`<div class="warning"><p>These runs differ in ${differing.join(" and ")}, so their
scores cannot be compared. They are in ${groups.length} separate sections, each with its own table
and figures:</p>
${
    table(
      ["section", "series", ...differing],
      groups.map(({ series }, i) => {
        const protocol = protocolOf(series[0].runs[0]);
        return [
          html`<a href="#group-${i}">${i + 1}</a>`,
          series.map(({ name }) => name).join("; "),
          ...differing.map((part) => shortened(String(protocol[part as keyof typeof protocol]))),
        ];
      }),
    )
  }</div>`;
}

async function groupHtml(group: Group, suffix: string, place: number): Promise<Html> {
  const { task } = group.series[0].runs[0].config;
  const quantity = quantityOf(group);
  const scores = scoresOf(group);
  const costs = actorCosts(group, scores);
  const curves = [];
  for (const { name, figure } of curveFigures(task, group)) {
    curves.push(await figureHtml(`${name}-${place + 1}`, figure));
  }
  return html`<section id="group-${place}">
<h2>Scores on ${task}${suffix}</h2>
${protocolNote(group)}
${
    scores.length === 0
      ? html`<p>There are no evaluations.</p>`
      : html`${scoreTable(group, quantity, scores)}
${await figureHtml(`scores-${place + 1}`, scoreFigure(task, quantity, scores))}`
  }
${paperTable(group)}
${await costHtml(task, quantity, costs, place)}
<h2>Curves${suffix}</h2>
${curves.length === 0 ? html`<p>There are no metrics.</p>` : curves}
</section>`;
}

function protocolNote({ series }: Group): Html {
  const { data, environment, "episodes per evaluation": episodes } = protocolOf(series[0].runs[0]);
  return html`<p class="note">Data ${shortened(data)} (SHA-256)${
    environment === null ? "" : `, environment ${String(environment)}`
  }, ${String(episodes ?? "an unknown number of")} episodes per evaluation.</p>`;
}

function scoreTable(group: Group, quantity: string, scores: readonly ActorScore[]): Html {
  const digits = (value: number) => value.toFixed(1);
  // A single seed has no standard deviation over seeds.
  const spread = ({ mean, std, values }: ActorScore["last"]) =>
    digits(mean) + (values.length > 1 ? ` ± ${digits(std)}` : "");
  const rows = scores.map((score) => [
    score.series.name,
    actorName(score),
    html`<span>${seedsLabel(score.seeds)}</span>`,
    score.step.toLocaleString("en-US"),
    spread(score.last),
    digits(score.last.interquartileMean),
    score.last.interval === null ? "–" : score.last.interval.map(digits).join(" to "),
    spread(score.best),
    String(score.evaluations),
    score.paper === null ? "–" : paperScoreText(score.paper),
  ]);
  return html`
    ${table(
      [
        "series",
        "policy",
        "seeds",
        "step",
        `last: ${quantity}, mean ± std`,
        "last: interquartile mean",
        "95 % interval",
        "best: mean ± std",
        "evaluations",
        "paper's Table 1",
      ],
      [...rows, ...referenceRows(group, quantity)],
    )}<p
      class="note">± is the standard deviation over the seeds. The interval is a bootstrap interval
    of the interquartile mean with ${bootstrapResamples} resamples. “Last” is the policy at the step
    of the row.${leftOutText(
      scores,
    )} “Best” is the highest of each seed's evaluations, which were chosen by the same episodes
    that score them: it is too high, the more so the more evaluations there are.</p>
  `;
}

/** Names the seeds that were interrupted before the others. */
function leftOutText(scores: readonly ActorScore[]): string {
  const shorter = scores.filter(({ leftOut }) => leftOut.length > 0)
    .map((score) => `${score.series.name}, ${actorName(score)}: ${seedsLabel(score.leftOut)}`);
  return shorter.length === 0
    ? ""
    : ` Seeds whose last evaluation is of an earlier step are left out (${shorter.join("; ")}).`;
}

/** Rows of what the data and random actions reach. */
function referenceRows({ series }: Group, quantity: string): Content[][] {
  const references = series.flatMap(({ runs }) => runs)
    .map(({ results }) => results?.references).find((each) => each !== undefined);
  if (references === undefined) return [];
  const { random_return, data_return, data_score } = references;
  const score = quantity !== "return";
  const row = (name: string, value: number | null) =>
    value === null ? [] : [[name, "", "", "–", value.toFixed(1), "–", "–", "–", "–", "–"]];
  return [
    ...row("data", score ? data_score : data_return),
    ...row("random actions (D4RL)", score ? (random_return === null ? null : 0) : random_return),
  ];
}

/** The task's row of the paper's Table 1; nothing if it is not in the table. */
function paperTable({ series }: Group): Content {
  const { task } = series[0].runs[0];
  if (!isInPaper(task)) return "";
  const columns = Object.entries(task.paperScores);
  return html`
    <h3>The paper's Table 1</h3>
    ${table(columns.map(([name]) => name), [
      columns.map(([, score]) => paperScoreText(score)),
    ])}<p
      class="note">D4RL scores of ${task.name} as published: means over six seeds for SRPO, with the
    networks and steps of <code>--preset paper</code>.</p>
  `;
}

async function picturesHtml(runs: readonly RunRecord[]): Promise<Content> {
  const found = [];
  for (const { name, results, directory } of runs) {
    for (const picture of (results?.pictures ?? []).map((path) => path.split(/[/\\]/).at(-1)!)) {
      if (picture === "curves.svg") continue; // drawn above, together with the other runs
      const short = picture.replace(/\.svg$/, "");
      try {
        const svg = Deno.readTextFileSync(directory.picture(short));
        found.push(
          html`<h3>${name}</h3>${await pictureHtml(`${name}-${short}`, svg, `${name}: ${short}`)}`,
        );
      } catch (error) {
        if (!(error instanceof Deno.errors.NotFound)) throw error;
        found.push(html`<p class="note">${name}: ${picture} is no longer there.</p>`);
      }
    }
  }
  return found.length === 0 ? "" : html`<section><h2>Pictures</h2>${found}</section>`;
}

async function dataHtml(runs: readonly RunRecord[]): Promise<Html> {
  const distinct = new Map(runs.map(({ config }) => [config.data.sha256, config]));
  const found = [];
  for (const config of distinct.values()) {
    const { text, figure } = await dataSummary(config);
    const name = `returns-${config.data.sha256.slice(0, 8)}`;
    found.push(html`<h3>${config.task}</h3>${text}
${figure === null ? "" : await figureHtml(name, figure)}`);
  }
  return html`<section><h2>Data</h2>${found}</section>`;
}

function shortened(text: string): string {
  return /^[0-9a-f]{64}$/.test(text) ? `${text.slice(0, 12)}…` : text;
}

function utc(date: Date): string {
  return `${date.toISOString().slice(0, 16).replace("T", " ")} UTC`;
}
