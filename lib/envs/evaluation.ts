/**
 * What episodes say of a policy: returns, lengths and D4RL's score.
 *
 * @module
 */
import { tasks } from "../data/catalog.ts";
import { distributionOf } from "../data/summary.ts";
import type { Episode } from "./rollout.ts";
import { countsSuccess, normalizedScore, type ReferenceReturn } from "./scores.ts";

/** Mean and standard deviation (of the values as they are, not of a sample). */
export interface Spread {
  /** Mean. */
  readonly mean: number;
  /** Standard deviation. */
  readonly std: number;
}

/** The figures of an evaluation. */
export interface Evaluation {
  /** The episodes, in the order of their seeds. */
  readonly episodes: readonly Episode[];
  /** Returns. */
  readonly return: Spread;
  /** Steps. */
  readonly length: Spread;
  /** D4RL's score, of antmaze the success rate in per cent; null where there are no references. */
  readonly score: Spread | null;
  /** SRPO's score in the paper's Table 1; null where it has none. */
  readonly paperScore: Spread | null;
}

/** D4RL's score of one episode; null where there are no reference returns. */
export function episodeScore(
  task: string,
  { return: value }: Episode,
  reference: ReferenceReturn | null,
): number | null {
  if (reference === null) return null;
  return normalizedScore(countsSuccess(task) ? Number(value > 0) : value, reference);
}

/**
 * The figures of at least one episode.
 *
 * @param task D4RL's name of the task, or another environment's id.
 * @param reference Returns with scores 0 and 100.
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
    paperScore: tasks.get(task)?.paperScore ?? null,
  };
}

function spread(values: readonly number[]): Spread {
  const { mean, std } = distributionOf(values)!;
  return { mean, std };
}
