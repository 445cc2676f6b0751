/**
 * Evaluation statistics of a policy: returns, episode lengths and D4RL's normalized score.
 *
 * @module
 */
import { tasks } from "../data/catalog.ts";
import { distributionOf } from "../data/summary.ts";
import type { Episode } from "./rollout.ts";
import { countsSuccess, normalizedScore, type ReferenceReturn } from "./scores.ts";

/** Mean and population standard deviation. */
export interface Spread {
  /** Mean. */
  readonly mean: number;
  /** Population standard deviation (divides by n). */
  readonly std: number;
}

/** Result of an evaluation. */
export interface Evaluation {
  /** The episodes, in seed order. */
  readonly episodes: readonly Episode[];
  /** Episode returns. */
  readonly return: Spread;
  /** Episode lengths in steps. */
  readonly length: Spread;
  /** D4RL's score (for antmaze the success rate in percent); null without reference returns. */
  readonly score: Spread | null;
  /** Episodes that came to their maze's goal from outside; null where there is no goal. */
  readonly reachedGoal: number | null;
  /** SRPO's score in the paper's Table 1; null where it has none. */
  readonly paperScore: Spread | null;
}

/** Returns D4RL's score of one episode, or null without reference returns. */
export function episodeScore(
  task: string,
  { return: value }: Episode,
  reference: ReferenceReturn | null,
): number | null {
  if (reference === null) return null;
  return normalizedScore(countsSuccess(task) ? Number(value > 0) : value, reference);
}

/**
 * Summarizes one or more episodes.
 *
 * @param task A D4RL task name or another environment id.
 * @param reference Returns that correspond to scores 0 and 100.
 */
export function summarize(
  task: string,
  episodes: readonly Episode[],
  reference: ReferenceReturn | null,
): Evaluation {
  const scores = episodes.map((episode) => episodeScore(task, episode, reference));
  return {
    episodes,
    return: spread(episodes.map((episode) => episode.return)),
    length: spread(episodes.map(({ length }) => length)),
    score: reference === null ? null : spread(scores.map((score) => score!)),
    reachedGoal: episodes.some(({ reachedGoal }) => reachedGoal === null)
      ? null
      : episodes.filter(({ reachedGoal }) => reachedGoal).length,
    paperScore: tasks.get(task)?.paperScore ?? null,
  };
}

/** One episode as the JSON of `train`, `eval` and the run directory has it. */
export interface EpisodeRecord {
  /** Seed of the environment. */
  readonly seed: number;
  /** Sum of the rewards. */
  readonly return: number;
  /** Steps. */
  readonly length: number;
  /** D4RL's score; null where the task has no reference returns. */
  readonly score: number | null;
  /** Whether it came to its maze's goal from outside; null where there is no goal. */
  readonly reached_goal: boolean | null;
}

/** An evaluation as the JSON of `train`, `eval` and the run directory has it. */
export interface EvaluationRecord {
  /** The episodes, in the order of their seeds. */
  readonly episodes: readonly EpisodeRecord[];
  /** Mean of the episodes' returns. */
  readonly mean_return: number;
  /** Their standard deviation over the episodes. */
  readonly std_return: number;
  /** Mean of their steps. */
  readonly mean_length: number;
  /** Mean of their D4RL scores; null where the task has no reference returns. */
  readonly score: number | null;
  /** Standard deviation of the scores over the episodes. */
  readonly std_score: number | null;
  /** Episodes that came to their maze's goal from outside; null where there is no goal. */
  readonly reached_goal: number | null;
}

/**
 * An evaluation under the names that files and `--json` use.
 *
 * @param reference Returns with scores 0 and 100.
 */
export function evaluationRecord(
  task: string,
  found: Evaluation,
  reference: ReferenceReturn | null,
): EvaluationRecord {
  return {
    episodes: found.episodes.map((episode) => ({
      seed: episode.seed,
      return: episode.return,
      length: episode.length,
      score: episodeScore(task, episode, reference),
      reached_goal: episode.reachedGoal,
    })),
    mean_return: found.return.mean,
    std_return: found.return.std,
    mean_length: found.length.mean,
    score: found.score?.mean ?? null,
    std_score: found.score?.std ?? null,
    reached_goal: found.reachedGoal,
  };
}

function spread(values: readonly number[]): Spread {
  const { mean, std } = distributionOf(values)!;
  return { mean, std };
}
