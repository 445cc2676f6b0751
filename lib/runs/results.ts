/**
 * `results.json`: the results of a run, as shown in its final tables. `train --json` prints the
 * same data. `docs/run-directory.md` describes the fields.
 *
 * @module
 */
import * as v from "valibot";
import type { PaperScore } from "../data/catalog.ts";
import type { EvaluationRecord } from "../envs/evaluation.ts";
import { UserError } from "../errors.ts";
import { kinds, parseValue } from "../schema.ts";
import { openJson, sealJson } from "./checksum.ts";
import { writeAtomic } from "./files.ts";
import { assertOwn } from "./identity.ts";
import { episodesSchema, type MetricsRow, readMetrics, type ReplicaName } from "./metrics.ts";

/** One evaluation of one policy. */
export interface EvaluationRow extends EvaluationRecord, ReplicaName {
  /** Stage that trained the policy. */
  readonly stage: string;
  /** The actor, as `eval --policy` names it. */
  readonly policy: string;
  /** Completed steps of the stage. */
  readonly step: number;
}

/** Statistics over seeds of the last evaluations of a stage, or of one of its variants. */
export interface EvaluationStatistics {
  /** Stage that trained the policies. */
  readonly stage: string;
  /** The actor, as `eval --policy` names it. */
  readonly policy: string;
  /** Name of the variant in a sweep, else null. */
  readonly variant: string | null;
  /** Seeds in the order of `values`. */
  readonly seeds: readonly number[];
  /** The kind of value: D4RL scores, or returns if the task has no reference returns. */
  readonly quantity: "score" | "return";
  /** One value per seed: the mean over its episodes. */
  readonly values: readonly number[];
  /** Mean over the seeds. */
  readonly mean: number;
  /** Population standard deviation over the seeds. */
  readonly std: number;
  /** Mean of the middle half of the values. */
  readonly interquartile_mean: number;
  /** 95 % bootstrap interval of the interquartile mean; null for a single seed. */
  readonly interval: readonly [low: number, high: number] | null;
}

/** The outcome of a stage. */
export interface StageOutcome {
  /** Completed steps. */
  readonly step: number;
  /** Total steps of the stage. */
  readonly steps: number;
  /** Dispatches per step; null if the last process did not train the stage. */
  readonly dispatches: number | null;
  /** Steps trained by the last process. */
  readonly made: number;
  /** Seconds that these steps took. */
  readonly seconds: number;
  /**
   * Replicas taken from the stage cache: their directories, and those of the runs that trained
   * them.
   */
  readonly cached: readonly { readonly directory: string; readonly run: string }[];
  /** Last logged losses per seed and variant. */
  readonly losses: readonly (ReplicaName & { readonly metrics: MetricsRow["metrics"] })[];
}

/** Reference returns and scores of a task. */
export interface References {
  /** Return of a random policy, which has score 0; null if D4RL has none. */
  readonly random_return: number | null;
  /** Return of an expert policy, which has score 100; null if D4RL has none. */
  readonly expert_return: number | null;
  /** Mean return of the data's complete episodes; null if there are none. */
  readonly data_return: number | null;
  /** D4RL score of `data_return`. */
  readonly data_score: number | null;
  /** Whether the score is the percentage of successes, as in antmaze. */
  readonly counts_success: boolean;
}

/** An actor that is evaluated, with its stage. */
export interface EvaluatedActor {
  /** Name of the stage. */
  readonly stage: string;
  /** The actor, as `eval --policy` names it. */
  readonly policy: string;
  /** Title in tables. */
  readonly title: string;
  /**
   * Score of this kind of policy in the paper's Table 1; absent if the table has none, and in runs
   * of version 0.3 and earlier.
   */
  readonly paper_score?: PaperScore;
}

/** The results of a run. */
export interface Results {
  /** Id of the run (`identity.ts`). Absent in runs of versions before 0.4. */
  readonly run_id?: string;
  /** Name of the algorithm. */
  readonly algorithm: string;
  /** Name of the task. */
  readonly task: string;
  /** Seeds in the order of the replica axis. */
  readonly seeds: readonly number[];
  /** Names of a sweep's variants; empty if nothing was swept. */
  readonly variants: readonly string[];
  /** Whether all stages and evaluations are complete. */
  readonly finished: boolean;
  /** The stages that were started, by name. */
  readonly stages: Readonly<Record<string, StageOutcome>>;
  /** Reference returns and scores. */
  readonly references: References;
  /** The evaluated actors, in the order of their stages. */
  readonly actors: readonly EvaluatedActor[];
  /** All evaluations, in the order in which they ran. */
  readonly evaluations: readonly EvaluationRow[];
  /** Statistics over seeds of the last evaluation of each stage and variant. */
  readonly statistics: readonly EvaluationStatistics[];
  /** Milliseconds per action on this machine, by the actor's name in `eval --policy`. */
  readonly action_latency_ms: Readonly<Record<string, number>>;
  /** FLOPs per action, by the same names; null if the policy does not count them. */
  readonly action_flops: Readonly<Record<string, number | null>>;
  /** Rows of `metrics.jsonl` when this was written. Absent in runs of versions before 0.4. */
  readonly metrics_rows?: number;
  /** Paths of the pictures. */
  readonly pictures: readonly string[];
}

/** Writes `results.json`. */
export async function writeResults(path: string, results: Results): Promise<void> {
  await writeAtomic(path, sealJson(results));
}

const number = v.nullable(kinds.number);
const replica = { seed: kinds.count, variant: v.nullable(kinds.name) };
const metrics = v.record(v.string(), kinds.number);
const schema: v.GenericSchema<unknown, Results> = v.object({
  run_id: v.exactOptional(kinds.text),
  algorithm: kinds.text,
  task: kinds.text,
  seeds: v.array(kinds.count),
  variants: v.array(kinds.name),
  finished: kinds.flag,
  stages: v.record(
    v.string(),
    v.object({
      step: kinds.count,
      steps: kinds.count,
      dispatches: v.nullable(kinds.count),
      made: kinds.count,
      seconds: kinds.number,
      cached: v.array(v.object({ directory: kinds.text, run: kinds.text })),
      losses: v.array(v.object({ ...replica, metrics })),
    }),
  ),
  references: v.object({
    random_return: number,
    expert_return: number,
    data_return: number,
    data_score: number,
    counts_success: kinds.flag,
  }),
  actors: v.array(v.object({
    stage: kinds.name,
    policy: kinds.text,
    title: kinds.text,
    paper_score: v.exactOptional(
      v.object({ mean: kinds.number, std: v.exactOptional(kinds.number) }),
    ),
  })),
  evaluations: v.array(v.object({
    ...replica,
    stage: kinds.name,
    policy: kinds.text,
    step: kinds.count,
    episodes: episodesSchema,
    mean_return: kinds.number,
    std_return: kinds.number,
    mean_length: kinds.number,
    score: number,
    std_score: number,
    reached_goal: v.nullable(kinds.count),
  })),
  statistics: v.array(v.object({
    stage: kinds.name,
    policy: kinds.text,
    variant: v.nullable(kinds.name),
    seeds: v.array(kinds.count),
    quantity: v.picklist(["score", "return"], '"score" or "return"'),
    values: v.array(kinds.number),
    mean: kinds.number,
    std: kinds.number,
    interquartile_mean: kinds.number,
    interval: v.nullable(v.tuple([kinds.number, kinds.number])),
  })),
  action_latency_ms: metrics,
  // Version 0.3 and earlier did not count FLOPs.
  action_flops: v.optional(v.record(v.string(), number), {}),
  metrics_rows: v.exactOptional(kinds.count),
  pictures: v.array(kinds.text),
});

/**
 * Reads `results.json`. Returns null if it does not exist.
 *
 * @param id Id of the run, if it is to be compared.
 * @throws {UserError} If it is not JSON, does not have the form written by `writeResults`, or
 * belongs to another run.
 */
export function readResults(path: string, id?: string): Results | null {
  let text: string;
  try {
    text = Deno.readTextFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw new UserError(`cannot read ${path}: ${(error as Error).message}`);
  }
  const advice = "delete it, and --resume creates it again";
  try {
    const results = parseValue(schema, openJson(text, path, advice), path);
    if (id !== undefined) assertOwn(path, results.run_id, id);
    return results;
  } catch (error) {
    if (!(error instanceof UserError) || error.message.includes(advice)) throw error;
    throw new UserError(`${error.message}; ${advice}`);
  }
}

/** Returns how many rows `metrics.jsonl` has lost since the results were written. */
export function lostRows({ metrics_rows = 0 }: Results, rows: readonly MetricsRow[]): number {
  return Math.max(0, metrics_rows - rows.length);
}

/** Returns the evaluations among the rows of a metrics file, in their order. */
export function evaluationsOf(
  rows: readonly MetricsRow[],
  actors: readonly EvaluatedActor[],
): EvaluationRow[] {
  const actorOf = (stage: string) => {
    const actor = actors.find((each) => each.stage === stage);
    if (actor !== undefined) return actor;
    throw new UserError(
      `the metrics have an evaluation of the stage "${stage}", but the evaluated stages are ` +
        actors.map((each) => each.stage).join(", "),
    );
  };
  return rows.flatMap(({ stage, step, seed, variant, metrics, episodes }) =>
    episodes === null ? [] : [{
      stage,
      policy: actorOf(stage).policy,
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

/** Returns the figures of an evaluation for the metrics file, without nulls. */
export function figuresOf({ episodes: _, ...figures }: EvaluationRecord): MetricsRow["metrics"] {
  return Object.fromEntries(
    Object.entries(figures).filter((figure): figure is [string, number] => figure[1] !== null),
  );
}

/** Returns the last losses of each seed and variant of a stage. */
export function lastLosses(path: string, stage: string): StageOutcome["losses"] {
  const rows = readMetrics(path).filter((row) => row.stage === stage && row.episodes === null);
  const last = new Map(rows.map((row) => [`${row.seed} ${row.variant}`, row]));
  return [...last.values()].map(({ seed, variant, metrics }) => ({ seed, variant, metrics }));
}
