/**
 * What `eval` prints.
 *
 * @module
 */
import { type PaperScore, paperScoreText } from "../data/catalog.ts";
import type { EnvironmentSpec } from "../envs/environment.ts";
import {
  episodeScore,
  type Evaluation,
  evaluationRecord,
  type Spread,
} from "../envs/evaluation.ts";
import { type Episode, longestEpisode } from "../envs/rollout.ts";
import { referenceReturn } from "../envs/scores.ts";
import { boundsText, checkRange, isUnit } from "../nn/host/action_bounds.ts";
import type { Placed } from "../nn/placement.ts";
import { flopsText } from "../report/table.ts";
import type { TrainedPolicy } from "../runs/trained.ts";

/** Returns the server's reference returns. Defaults to those of the built-in environment. */
export function referenceOf(spec: EnvironmentSpec, task: string) {
  return spec.referenceReturn ?? referenceReturn(task);
}

/** An actor with its measured latency. */
export interface MeasuredActor extends Placed {
  /** Milliseconds per action. */
  readonly latency: number;
}

/** Returns what is printed before the episodes: environment, policy, cost of an action, notes. */
export function headingText(
  spec: EnvironmentSpec,
  { way, files, network, notes, actionBounds }: TrainedPolicy,
  seeds: readonly number[],
  actors: ReadonlyMap<string, MeasuredActor>,
  note: string | null,
): string {
  const [base] = actors.values();
  const costs = [...actors].map(([way, { latency, adapter, reason, policy: { flops } }]) => {
    const relative = (value: number, to: number) =>
      actors.size > 1 ? ` (${factor(value / to)}×)` : "";
    return `${way} ${latency.toPrecision(3)} ms${relative(latency, base!.latency)}` +
      (flops === undefined
        ? ""
        : `, ${flopsText(flops)}${relative(flops, base!.policy.flops ?? flops)}`) +
      (adapter === null ? "" : `, on ${adapter}`) +
      (reason === null ? "" : `, on the CPU: ${reason}`);
  });
  const versions = Object.entries(spec.versions).map(([name, version]) => `${name} ${version}`);
  const lines = [
    `environment  ${spec.id} (${versions.join(", ")})`,
    `policy       ${way === null ? "" : `${way}, `}${files.join(" and ")}`,
    ...(network === undefined ? [] : [`network      ${network}`]),
    ...costs.map((cost, i) => `${i === 0 ? "one action  " : "            "} ${cost}`),
    `seeds        ${seeds[0]}` + (seeds.length > 1 ? ` to ${seeds.at(-1)}` : ""),
  ];
  const range = { low: spec.actionLow, high: spec.actionHigh };
  if (note !== null) lines.push(`note: ${note}`);
  if (spec.maxEpisodeSteps === null) {
    lines.push(
      `note: ${spec.id} has no step limit; episodes are cut after ${longestEpisode} steps`,
    );
  }
  checkRange(files.join(" and "), actionBounds, range, spec.id);
  if (actionBounds !== null) {
    if (network === undefined) lines.push(`actions      scaled to ${boundsText(actionBounds)}`);
  } else if (!isUnit(range)) {
    lines.push(
      "note: the environment's actions do not range from -1 to 1, but the policy's actions are " +
        "not scaled",
    );
  }
  lines.push(...notes.map((note) => `note: ${note}`));
  return lines.join("\n") + "\n";
}

/** Returns the line of a finished episode. */
export function episodeLine(
  index: number,
  episode: Episode,
  task: string,
  references: ReturnType<typeof referenceOf>,
): string {
  const score = episodeScore(task, episode, references);
  return [
    `episode ${String(index + 1).padStart(3)}`,
    `seed ${episode.seed}`,
    `return ${decimals(episode.return)(episode.return).padStart(8)}`,
    `length ${String(episode.length).padStart(4)}`,
    ...(score === null ? [] : [`score ${score.toFixed(1).padStart(5)}`]),
    ...(episode.reachedGoal === null
      ? []
      : [episode.reachedGoal ? "reached the goal" : "did not reach the goal"]),
  ].join("  ");
}

/** Returns what is printed after the episodes. */
export function evaluationText(found: Evaluation): string {
  const { reachedGoal, score } = found;
  const spread = ({ mean, std }: Spread) => `${decimals(mean)(mean)} ± ${decimals(mean)(std)}`;
  const lines = [
    "",
    `return       ${spread(found.return)} (mean ± standard deviation over ${
      count(found.episodes.length)
    })`,
    `length       ${spread(found.length)}`,
  ];
  if (score !== null) {
    lines.push(`D4RL score   ${score.mean.toFixed(1)} ± ${score.std.toFixed(1)}`);
  }
  if (reachedGoal !== null) {
    lines.push(
      `goal         reached from outside in ${reachedGoal} of ${count(found.episodes.length)}`,
    );
  }
  return lines.join("\n");
}

/** Returns the line with the paper's score of a column of Table 1. */
export function paperText(score: PaperScore, column: string): string {
  return `paper        ${paperScoreText(score)} (${column}, Table 1: mean, with the standard ` +
    "deviation over seeds where the table has it)";
}

/** Returns `1 episode`, `20 episodes`. */
function count(episodes: number): string {
  return `${episodes} episode${episodes === 1 ? "" : "s"}`;
}

function factor(ratio: number): string {
  return ratio < 10 ? ratio.toFixed(1) : ratio.toFixed(0);
}

/** Returns a formatter with three decimals for magnitudes below 10, and one decimal otherwise. */
function decimals(size: number): (value: number) => string {
  return (value) => value.toFixed(Math.abs(size) < 10 ? 3 : 1);
}

/** Returns the output of `--json`. */
export function evaluationJson(
  task: string,
  { way, files }: TrainedPolicy,
  spec: EnvironmentSpec,
  found: Evaluation,
  actors: ReadonlyMap<string, MeasuredActor>,
  published: PaperScore | undefined,
) {
  const ofEach = <T>(value: (actor: MeasuredActor) => T) =>
    Object.fromEntries([...actors].map(([name, actor]) => [name, value(actor)]));
  return {
    task,
    policy: way ?? "file",
    files,
    ...evaluationRecord(task, found, referenceOf(spec, task)),
    paper_score: published ?? null,
    action_latency_ms: ofEach(({ latency }) => latency),
    action_flops: ofEach(({ policy }) => policy.flops ?? null),
    adapter: ofEach(({ adapter }) => adapter),
    versions: spec.versions,
  };
}
