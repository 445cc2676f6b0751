/**
 * The final tables of a run.
 *
 * @module
 */
import type { EvaluationRow, Results, StageOutcome } from "../runs/results.ts";
import { bootstrapResamples } from "../report/statistics.ts";
import { paperScoreText } from "../data/catalog.ts";
import { flopsText, formatTable } from "../report/table.ts";

/** Returns the table of the stages and, if there are evaluations, the tables of the policies. */
export function resultTables(results: Results): string {
  return [
    stageTable(results),
    ...(results.evaluations.length > 0 ? [evaluationTables(results)] : []),
    ...(results.evaluations.length === 0 && Object.keys(results.action_latency_ms).length > 0
      ? [latencyLine(results)]
      : []),
  ].join("\n\n");
}

/** Returns the last evaluation of each seed and variant in a stage. */
export function lastEvaluations(
  evaluations: readonly EvaluationRow[],
  stage: string,
): EvaluationRow[] {
  const rows = evaluations.filter((row) => row.stage === stage);
  return [...new Map(rows.map((row) => [`${row.seed} ${row.variant}`, row])).values()];
}

/**
 * Returns those of the last evaluations that can be averaged: those at the latest step. A seed that
 * was interrupted earlier has the policy of an earlier step.
 */
export function atLatestStep(evaluations: readonly EvaluationRow[]): EvaluationRow[] {
  const latest = Math.max(...evaluations.map(({ step }) => step));
  return evaluations.filter(({ step }) => step === latest);
}

function stageTable({ stages }: Results): string {
  return formatTable(
    ["stage", "steps", "steps/s", "dispatches", "losses"],
    Object.entries(stages).map(([stage, outcome]) => [
      stage,
      outcome.step.toLocaleString("en-US"),
      outcome.made > 0 ? (outcome.made / outcome.seconds).toPrecision(3) : "–",
      outcome.dispatches ?? "–",
      [
        ...lossesText(outcome),
        ...(outcome.cached.length > 0 ? [`${outcome.cached.length} from the cache`] : []),
      ].join("  "),
    ]),
  );
}

/** Formats the mean losses over seeds and variants. */
function lossesText({ losses }: StageOutcome): string[] {
  return Object.keys(losses[0]?.metrics ?? {}).map((name) => {
    const values = losses.map(({ metrics }) => metrics[name]!);
    return `${name} ${(values.reduce((a, b) => a + b, 0) / values.length).toPrecision(4)}`;
  });
}

function evaluationTables(results: Results): string {
  const { evaluations } = results;
  const several = evaluations.some(({ seed, variant }) =>
    seed !== evaluations[0]!.seed || variant !== null
  );
  return [
    ...(several ? [statisticsTable(results)] : []),
    policyTable(results),
    scaleText(results),
  ].join("\n\n");
}

function statisticsTable({ actors, statistics, seeds }: Results): string {
  const quantity = statistics[0]!.quantity === "score" ? "D4RL score" : "return";
  const table = formatTable(
    ["actor", "per seed", `${quantity}, mean ± std`, "interquartile mean", "95 % interval"],
    statistics.map(({ stage, variant, values, mean, std, interquartile_mean, interval }) => [
      named(actors, stage, variant),
      values.map((value) => value.toFixed(1)).join(" "),
      mean.toFixed(1) + (values.length > 1 ? ` ± ${std.toFixed(1)}` : ""),
      interquartile_mean.toFixed(1),
      interval === null ? "–" : interval.map((value) => value.toFixed(1)).join(" to "),
    ]),
  );
  const shorter = statistics.flatMap((row) => {
    const left = seeds.filter((seed) => !row.seeds.includes(seed));
    return left.length === 0 ? [] : [`${named(actors, row.stage, row.variant)} ${left.join(", ")}`];
  });
  if (seeds.length === 1) return table;
  return `${table}\n± is the standard deviation over the seeds ${seeds.join(", ")}. The interval ` +
    `is a bootstrap interval\nof the interquartile mean with ${bootstrapResamples} resamples.` +
    (shorter.length === 0
      ? ""
      : `\nSeeds without an evaluation at the latest step are left out: ${shorter.join("; ")}.`);
}

/**
 * Returns rows for random actions, the data, and each policy. A policy has its last evaluation, and
 * its best one if that differs.
 */
function policyTable(results: Results): string {
  const { actors, evaluations, references } = results;
  const goal = evaluations.some(({ reached_goal }) => reached_goal !== null);
  const scored = evaluations.some(({ score }) => score !== null);
  const cost = costColumns(results);
  const blank = [...(goal ? ["–"] : []), ...cost.headings.map(() => "–")];
  const lines: string[][] = [];
  const { random_return, data_return, data_score } = references;
  if (random_return !== null) {
    lines.push(["random (D4RL's figure)", "", random_return.toFixed(1), "0.0", ...blank]);
  }
  if (data_return !== null) {
    const score = data_score === null ? [] : [data_score.toFixed(1)];
    lines.push(["data", "", data_return.toFixed(1), ...score, ...blank]);
  }
  for (const { stage } of actors) {
    for (const last of lastEvaluations(evaluations, stage)) {
      const rows = evaluations.filter((row) =>
        row.stage === stage && row.seed === last.seed && row.variant === last.variant
      );
      const best = rows.reduce((a, b) => b.mean_return >= a.mean_return ? b : a);
      for (
        const [row, which] of best === last
          ? [[last, ""]] as const
          : [[last, ", last"], [best, ", best"]] as const
      ) {
        lines.push([
          `${named(actors, stage, row.variant)}${which} (step ${row.step.toLocaleString("en-US")})`,
          String(row.seed),
          `${row.mean_return.toFixed(1)} ± ${row.std_return.toFixed(1)}`,
          ...(scored ? [row.score!.toFixed(1)] : []),
          ...(goal ? [`${row.reached_goal} of ${row.episodes.length}`] : []),
          ...cost.of(row.policy),
        ]);
      }
    }
  }
  const table = formatTable(
    [
      "actor",
      "seed",
      "return",
      ...(scored ? ["D4RL score"] : []),
      ...(goal ? ["reached the goal"] : []),
      ...cost.headings,
    ],
    lines,
  );
  const counts = [...new Set(evaluations.map(({ episodes }) => episodes.length))];
  return `${table}\n± is the standard deviation over the ${counts.join(" or ")} ` +
    `${counts.join() === "1" ? "episode" : "episodes"} of an evaluation.${
      goal ? "\nAn episode reaches the goal if it enters it from outside." : ""
    }`;
}

/** Returns the headings and entries of the columns with the cost of an action, as far as known. */
function costColumns({ action_latency_ms: latency, action_flops: flops }: Results) {
  const timed = Object.keys(latency).length > 0;
  const counted = Object.values(flops).some((value) => value !== null);
  return {
    headings: [...(timed ? ["ms/action"] : []), ...(counted ? ["per action"] : [])],
    of(policy: string): string[] {
      const [time, count] = [latency[policy], flops[policy] ?? null];
      return [
        ...(timed ? [time === undefined ? "–" : time.toPrecision(3)] : []),
        ...(counted ? [count === null ? "–" : flopsText(count)] : []),
      ];
    },
  };
}

/** Explains the scores 0 and 100, and gives the paper's scores of the evaluated policies. */
function scaleText({ references, actors, evaluations }: Results): string {
  const { random_return, expert_return, counts_success } = references;
  const scale = random_return === null || expert_return === null
    ? "The task has no D4RL score, because D4RL has no reference returns for it."
    : counts_success
    ? "D4RL score: the percentage of successful episodes."
    : `D4RL score: 0 is the return of random actions (${
      random_return.toFixed(1)
    }), 100 is that of an ` +
      `expert (${expert_return.toFixed(1)}).`;
  const played = new Set(evaluations.map(({ policy }) => policy));
  const published = actors.flatMap(({ policy, title, paper_score }) =>
    paper_score === undefined || !played.has(policy)
      ? []
      : [`${title} ${paperScoreText(paper_score)}`]
  );
  return published.length === 0
    ? scale
    : `${scale}\nScores in the SRPO paper's Table 1: ${published.join(", ")}.`;
}

function latencyLine({ action_latency_ms }: Results): string {
  const times = Object.entries(action_latency_ms).map(([way, ms]) =>
    `${way} ${ms.toPrecision(3)} ms`
  );
  return `time per action: ${times.join(", ")}`;
}

function named(actors: Results["actors"], stage: string, variant: string | null): string {
  const { title } = actors.find((actor) => actor.stage === stage)!;
  return variant === null ? title : `${title} ${variant}`;
}
