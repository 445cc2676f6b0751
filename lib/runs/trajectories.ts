/**
 * Trajectory files: the simulator's positions at each step of episodes, for later viewing.
 *
 * A trajectory file is a safetensors file. Episode i has the float64 tensors `episode.<i>.qpos`
 * `[steps + 1, positions]`, MuJoCo's generalized positions at the start and after each step, and
 * `episode.<i>.return` `[]`. The metadata are `environment`, `seeds` (the episodes' seeds,
 * separated by commas) and the environment's versions as `version.<name>`.
 *
 * @module
 */
import type { EnvironmentSpec } from "../envs/environment.ts";
import type { Episode, RolloutObserver } from "../envs/rollout.ts";
import { writeAtomic } from "./files.ts";
import { encode, type SafeTensor } from "./safetensors.ts";

/** Records the positions of episodes while they are played. */
export class TrajectoryRecorder implements Required<Pick<RolloutObserver, "begin" | "positions">> {
  /** Positions by episode and time. */
  readonly #qpos: Float64Array[][] = [];

  /** Discards the positions of an earlier attempt at this episode. */
  begin(episode: number): void {
    this.#qpos[episode] = [];
  }

  /** Records one row of positions for each of `episodes`. */
  positions(episodes: readonly number[], qpos: Float64Array): void {
    const size = qpos.length / episodes.length;
    episodes.forEach((episode, i) => {
      this.#qpos[episode]!.push(qpos.slice(i * size, (i + 1) * size));
    });
  }

  /**
   * Writes the trajectory file of the given finished episodes.
   *
   * @throws {UserError} If the folder does not exist or is not writable.
   */
  async write(path: string, spec: EnvironmentSpec, episodes: readonly Episode[]): Promise<void> {
    const tensors = new Map<string, SafeTensor>();
    episodes.forEach((episode, i) => {
      const times = this.#qpos[i]!;
      const size = times[0]!.length;
      const data = new Float64Array(times.length * size);
      times.forEach((qpos, time) => data.set(qpos, time * size));
      tensors.set(`episode.${i}.qpos`, { dtype: "F64", shape: [times.length, size], data });
      tensors.set(`episode.${i}.return`, {
        dtype: "F64",
        shape: [],
        data: Float64Array.of(episode.return),
      });
    });
    const versions = Object.entries(spec.versions).map(([name, version]) =>
      [`version.${name}`, version] as const
    );
    const metadata = {
      environment: spec.id,
      seeds: episodes.map(({ seed }) => seed).join(","),
      ...Object.fromEntries(versions),
    };
    await writeAtomic(path, encode(tensors, metadata));
  }
}
