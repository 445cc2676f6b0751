/** Records where episodes in a maze went, as an observer of a rollout. */
export class EpisodePaths {
  /** Positions at the start and after each step, `[steps + 1, 2]`, by episode. */
  readonly paths: number[][] = [];

  /** Discards an earlier attempt at this episode; see `RolloutObserver`. */
  readonly begin = (episode: number): void => {
    this.paths[episode] = [];
  };

  /** Records the first two positions; see `RolloutObserver`. */
  readonly positions = (episodes: readonly number[], qpos: Float64Array): void => {
    const size = qpos.length / episodes.length;
    episodes.forEach((episode, i) => {
      this.paths[episode]!.push(qpos[size * i]!, qpos[size * i + 1]!);
    });
  };
}
