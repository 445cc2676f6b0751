/**
 * Evaluation statistics of a policy: returns, episode lengths and D4RL's normalized score.
 *
 * @module
 */
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
  /** Number of episodes that reached their maze's goal from outside; null if there is no goal. */
  readonly reachedGoal: number | null;
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
  };
}

/** One episode in the JSON output of `train` and `eval` and in the run directory. */
export interface EpisodeRecord {
  /** Seed of the environment. */
  readonly seed: number;
  /** Sum of the rewards. */
  readonly return: number;
  /** Episode lengths in steps. */
  readonly length: number;
  /** D4RL's score; null if the task has no reference returns. */
  readonly score: number | null;
  /** Whether the episode reached its maze's goal from outside; null if there is no goal. */
  readonly reached_goal: boolean | null;
}

/** An evaluation in the JSON output of `train` and `eval` and in the run directory. */
export interface EvaluationRecord {
  /** The episodes, in seed order. */
  readonly episodes: readonly EpisodeRecord[];
  /** Mean return of the episodes. */
  readonly mean_return: number;
  /** Standard deviation of the return over the episodes. */
  readonly std_return: number;
  /** Mean length of the episodes in steps. */
  readonly mean_length: number;
  /** Mean D4RL score of the episodes; null if the task has no reference returns. */
  readonly score: number | null;
  /** Standard deviation of the score over the episodes. */
  readonly std_score: number | null;
  /** Number of episodes that reached their maze's goal from outside; null if there is no goal. */
  readonly reached_goal: number | null;
}

/**
 * Converts an evaluation to its record, with the names used in files and by `--json`.
 *
 * @param reference Returns that correspond to scores 0 and 100.
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
