import type { RolloutObserver } from "./rollout.ts";

/** Records the simulator's positions while episodes are played, as an observer of a rollout. */
export class PositionRecorder implements Required<Pick<RolloutObserver, "begin" | "positions">> {
  /** `qpos` at the start and after each step, by episode. */
  readonly qpos: Float64Array[][] = [];
  readonly #most: number;

  /**
   * Creates an empty recorder.
   *
   * @param most Number of episodes to record, the first ones. Defaults to all.
   */
  constructor(most = Infinity) {
    this.#most = most;
  }

  /**
   * Discards the positions of an earlier attempt at this episode; see {@linkcode RolloutObserver}.
   */
  readonly begin = (episode: number): void => {
    if (episode < this.#most) this.qpos[episode] = [];
  };

  /** Records one row of positions for each of `episodes`; see {@linkcode RolloutObserver}. */
  readonly positions = (episodes: readonly number[], qpos: Float64Array): void => {
    const size = qpos.length / episodes.length;
    episodes.forEach((episode, i) => {
      if (episode < this.#most) this.qpos[episode]!.push(qpos.slice(i * size, (i + 1) * size));
    });
  };

  /** Returns the first two positions of each row, `[steps + 1, 2]` by episode: a path in a maze. */
  paths(): number[][] {
    return this.qpos.map((rows) => rows.flatMap(([x, y]) => [x!, y!]));
  }
}
