/**
 * The progress line of `eval`.
 *
 * @module
 */
import type { Episode } from "../envs/rollout.ts";
import { Progress, standardError } from "../runs/progress.ts";

/** The progress line of an evaluation: steps out of the largest possible number. */
export class EpisodeProgress {
  readonly #episodes: number;
  readonly #maxSteps: number | null;
  readonly #line: Progress;
  #steps = 0;
  #ended = 0;

  constructor(episodes: number, maxSteps: number | null) {
    this.#episodes = episodes;
    this.#maxSteps = maxSteps;
    this.#line = new Progress("eval", episodes * (maxSteps ?? 0), standardError());
  }

  step(playing: number): void {
    // Without a step limit there is no total to compare with.
    if (this.#maxSteps === null) return;
    this.#steps += playing;
    this.#line.update(this.#steps, {});
  }

  /** Counts an episode's remaining steps as done. */
  end({ length }: Episode): void {
    if (this.#maxSteps === null) return;
    this.#steps += this.#maxSteps - length;
    this.#line.evaluated(++this.#ended, this.#episodes);
    this.#line.clear();
  }
}
