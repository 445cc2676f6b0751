/**
 * Episode seeds. Training uses 32-bit seeds. Episode seeds lie above them, in a separate range per
 * purpose. A stream has 32 bits of its seed, so an evaluation of n episodes repeats one of m
 * collected episodes with a probability of n m / 2^32.
 *
 * @module
 */

/** The purpose that an episode is played for. */
export type Purpose = "evaluation" | "collection";

const bases: Readonly<Record<Purpose, number>> = { evaluation: 1e10, collection: 2e10 };

/** Largest seed that a user can choose for episodes. */
export const maxEpisodeSeed = 9999;

/** Largest number of episodes per user seed. */
export const maxEpisodes = 1e6;

/**
 * Returns the environment seed of an episode.
 *
 * @param seed The user's seed, from 0 to {@linkcode maxEpisodeSeed}.
 * @param episode Index of the episode, below {@linkcode maxEpisodes}.
 */
export function episodeSeed(purpose: Purpose, seed: number, episode: number): number {
  return bases[purpose] + seed * maxEpisodes + episode;
}

/** Returns the environment seeds of the first `episodes` episodes of an evaluation. */
export function evaluationSeeds(seed: number, episodes: number): number[] {
  return Array.from({ length: episodes }, (_, i) => episodeSeed("evaluation", seed, i));
}

/**
 * Returns the seed of a policy's random stream in the episode with the given environment seed. It
 * differs from the environment seed, which would repeat the numbers of the initial state.
 */
export function policySeed(environmentSeed: number): number {
  return environmentSeed + 2 ** 52;
}
