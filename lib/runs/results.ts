/**
 * `results.json`: what a run came to, as its final tables show it. `docs/run-directory.md` describes
 * the fields; `train --json` prints the same.
 *
 * @module
 */
import type { EvaluationRecord } from "../envs/evaluation.ts";
import { UserError } from "../errors.ts";
import { writeAtomic } from "./files.ts";
import { type MetricsRow, readMetrics, type ReplicaName } from "./metrics.ts";

/** One evaluation of one policy. */
export interface EvaluationRow extends EvaluationRecord, ReplicaName {
  /** Stage whose policy it is. */
  readonly stage: string;
  /** The actor, as `eval --policy` names it. */
  readonly policy: string;
  /** Steps of the stage done. */
  readonly step: number;
}

/** The last evaluations of all seeds of a stage, or of one variant in it. */
export interface EvaluationStatistics {
  /** Stage whose policies they are. */
  readonly stage: string;
  /** The actor, as `eval --policy` names it. */
  readonly policy: string;
  /** Name of the variant in a sweep, else null. */
  readonly variant: string | null;
  /** Seeds in the order of `values`. */
  readonly seeds: readonly number[];
  /** What the values are: D4RL's scores, or returns where the task has no reference returns. */
  readonly quantity: "score" | "return";
  /** One value for each seed: a mean over its episodes. */
  readonly values: readonly number[];
  /** Mean over the seeds. */
  readonly mean: number;
  /** Standard deviation over the seeds, of the values as they are. */
  readonly std: number;
  /** Mean of the middle half of the values. */
  readonly interquartile_mean: number;
  /** 95 % bootstrap interval of the interquartile mean; null of a single seed. */
  readonly interval: readonly [low: number, high: number] | null;
}

/** What became of a stage. */
export interface StageOutcome {
  /** Steps done. */
  readonly step: number;
  /** Steps of the whole stage. */
  readonly steps: number;
  /** Dispatches of one step; null where the last process trained nothing of it. */
  readonly dispatches: number | null;
  /** Steps made by the last process. */
  readonly made: number;
  /** Seconds that they took. */
  readonly seconds: number;
  /** Replicas from the stage cache: their directories, and of the runs that trained them. */
  readonly cached: readonly { readonly directory: string; readonly run: string }[];
  /** The last logged losses of each seed and variant. */
  readonly losses: readonly (ReplicaName & { readonly metrics: MetricsRow["metrics"] })[];
}

/** What the returns of a task are measured by. */
export interface References {
  /** Return with score 0, a random policy's; null where D4RL gives none. */
  readonly random_return: number | null;
  /** Return with score 100, an expert's. */
  readonly expert_return: number | null;
  /** Mean return of the data's episodes; null where none is complete. */
  readonly data_return: number | null;
  /** D4RL's score of that. */
  readonly data_score: number | null;
  /** SRPO's score in the paper's Table 1; null where it has none. */
  readonly paper_score: { readonly mean: number; readonly std: number } | null;
  /** Whether the score counts successes, in per cent: antmaze's does. */
  readonly counts_success: boolean;
}

/** A stage's actor that is evaluated. */
export interface EvaluatedActor {
  /** The stage. */
  readonly stage: string;
  /** The actor, as `eval --policy` names it. */
  readonly policy: string;
  /** What tables call it. */
  readonly title: string;
}

/** What a run came to. */
export interface Results {
  /** Name of the algorithm. */
  readonly algorithm: string;
  /** Task whose environment was played in. */
  readonly task: string;
  /** Seeds in the order of the replica axis. */
  readonly seeds: readonly number[];
  /** Names of a sweep's variants; empty where nothing was swept. */
  readonly variants: readonly string[];
  /** Whether every stage and every evaluation is complete. */
  readonly finished: boolean;
  /** The stages that were begun, by name. */
  readonly stages: Readonly<Record<string, StageOutcome>>;
  /** What returns are measured by. */
  readonly references: References;
  /** The actors that are evaluated, in the order of their stages. */
  readonly actors: readonly EvaluatedActor[];
  /** Every evaluation, in the order it was made. */
  readonly evaluations: readonly EvaluationRow[];
  /** Statistics over seeds of the last evaluation of each stage and variant. */
  readonly statistics: readonly EvaluationStatistics[];
  /** Milliseconds of one action on this machine, by the way of acting that `eval --policy` names. */
  readonly action_latency_ms: Readonly<Record<string, number>>;
  /** Pictures that were drawn. */
  readonly pictures: readonly string[];
}

/** Writes `results.json`. */
export async function writeResults(path: string, results: Results): Promise<void> {
  await writeAtomic(path, JSON.stringify(results, null, 2) + "\n");
}

/**
 * Reads `results.json`; null where there is none.
 *
 * @throws {UserError} It is not JSON, or not of the form that `writeResults` writes.
 */
export function readResults(path: string): Results | null {
  let text: string;
  try {
    text = Deno.readTextFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw new UserError(`cannot read ${path}: ${(error as Error).message}`);
  }
  let results: Partial<Results> | null = null;
  try {
    results = JSON.parse(text);
  } catch { /* reported below */ }
  const whole = typeof results?.finished === "boolean" && Array.isArray(results.evaluations) &&
    Array.isArray(results.statistics) && Array.isArray(results.actors) &&
    [results.stages, results.references, results.action_latency_ms]
      .every((field) => typeof field === "object" && field !== null) &&
    [results.seeds, results.variants, results.pictures].every(Array.isArray);
  if (!whole) {
    throw new UserError(
      `${path} does not hold the results of a run; delete it, and --resume makes it anew`,
    );
  }
  return results as Results;
}

/** The evaluations of the given actors among the rows of a metrics file, in their order. */
export function evaluationsOf(
  rows: readonly MetricsRow[],
  actors: readonly EvaluatedActor[],
): EvaluationRow[] {
  return rows.flatMap(({ stage, step, seed, variant, metrics, episodes }) =>
    episodes === null ? [] : [{
      stage,
      policy: actors.find((actor) => actor.stage === stage)!.policy,
      step,
      seed,
      variant,
      episodes,
      mean_return: metrics["mean_return"]!,
      std_return: metrics["std_return"]!,
      mean_length: metrics["mean_length"]!,
      score: metrics["score"] ?? null,
      std_score: metrics["std_score"] ?? null,
      reached_goal: metrics["reached_goal"] ?? null,
    }]
  );
}

/** The figures of an evaluation as the metrics file holds them: those that there are. */
export function figuresOf({ episodes: _, ...figures }: EvaluationRecord): MetricsRow["metrics"] {
  return Object.fromEntries(
    Object.entries(figures).filter((figure): figure is [string, number] => figure[1] !== null),
  );
}

/** The last losses of each seed and variant of a stage. */
export function lastLosses(path: string, stage: string): StageOutcome["losses"] {
  const rows = readMetrics(path).filter((row) => row.stage === stage && row.episodes === null);
  const last = new Map(rows.map((row) => [`${row.seed} ${row.variant}`, row]));
  return [...last.values()].map(({ seed, variant, metrics }) => ({ seed, variant, metrics }));
}
