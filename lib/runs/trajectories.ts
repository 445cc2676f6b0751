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
import type { Episode } from "../envs/rollout.ts";
import { writeAtomic } from "./files.ts";
import { encode, type SafeTensor } from "./safetensors.ts";

/**
 * Writes the trajectory file of finished episodes.
 *
 * @param qpos Positions at the start and after each step, by episode.
 * @throws {UserError} If the folder does not exist or is not writable.
 */
export async function writeTrajectories(
  path: string,
  spec: EnvironmentSpec,
  episodes: readonly Episode[],
  qpos: readonly (readonly Float64Array[])[],
): Promise<void> {
  const tensors = new Map<string, SafeTensor>();
  episodes.forEach((episode, i) => {
    const times = qpos[i]!;
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
