/**
 * Seeds of episodes. Training's random numbers have 32-bit seeds; those of episodes lie above, in a
 * range of their own for each purpose, so that no evaluation repeats what a data set was made from.
 *
 * @module
 */

/** What episodes are played for. */
export type Purpose = "evaluation" | "collection";

const bases: Readonly<Record<Purpose, number>> = { evaluation: 1e10, collection: 2e10 };

/** Largest seed that a person chooses for episodes. */
export const maxEpisodeSeed = 9999;

/** Episodes that one chosen seed has seeds for. */
export const maxEpisodes = 1e6;

/**
 * The environment seed of an episode.
 *
 * @param purpose What it is played for.
 * @param seed The person's seed, from 0 to {@linkcode maxEpisodeSeed}.
 * @param episode Counted from 0, below {@linkcode maxEpisodes}.
 */
export function episodeSeed(purpose: Purpose, seed: number, episode: number): number {
  return bases[purpose] + seed * maxEpisodes + episode;
}

/** The environment seeds of the first `episodes` episodes of an evaluation. */
export function evaluationSeeds(seed: number, episodes: number): number[] {
  return Array.from({ length: episodes }, (_, i) => episodeSeed("evaluation", seed, i));
}

/**
 * The seed of a policy's own draws in the episode with the given environment seed: another one, since
 * from the same seed it would draw the numbers that the environment starts with.
 */
export function policySeed(environmentSeed: number): number {
  return environmentSeed + 2 ** 52;
}
