/**
 * Plays an episode of every kind of robot and maze, for a test that compares Deno and a browser. It
 * runs in both.
 *
 * @module
 */
import { antmazes } from "../../lib/envs/mujoco/antmaze.ts";
import { locomotion } from "../../lib/envs/mujoco/locomotion.ts";
import { pointmazes } from "../../lib/envs/mujoco/pointmaze.ts";
import { evaluationSeeds } from "../../lib/envs/seeds.ts";
import { environments } from "../../lib/envs/ids.ts";
import { takeBinaryFrom } from "../../lib/envs/mujoco/simulation.ts";
import { taskOf } from "../../lib/envs/tasks.ts";
import { Player } from "../../lib/watch/player.ts";

/** The first id of every simulated task. */
const ids = [...locomotion, ...antmazes, ...pointmazes].map(([task]) =>
  [...environments].find(([, known]) => known.task === task)![0]
);

/** Steps of each episode. */
const steps = 60;

/** What is compared, by environment id. */
export type Played = Record<string, {
  readonly rewards: readonly number[];
  readonly return: number;
  readonly qpos: readonly number[];
}>;

/** Plays three episodes in every environment with a network of wavy weights. */
export async function everyRobot(): Promise<Played> {
  const played: Played = {};
  for (const id of ids) {
    const { observationSize, actionSize } = taskOf(id);
    const { profile } = environments.get(id)!;
    const weight = Float32Array.from(
      { length: observationSize * actionSize },
      (_, i) => Math.fround((i * 7919 % 101 - 50) / 100),
    );
    const tensors = new Map([
      ["net.0.weight", { shape: [actionSize, observationSize], data: weight }],
      ["net.0.bias", { shape: [actionSize], data: new Float32Array(actionSize) }],
    ]);
    const file = { source: id, metadata: {}, tensors };
    const player = await Player.create(id, profile, { policy: { file }, critic: null });
    const rewards: number[] = [];
    let total = 0;
    for (const seed of evaluationSeeds(3, 3)) {
      await player.reset(seed);
      for (let step = 0; step < steps; step++) await player.step();
      rewards.push(...player.progress.rewards);
      total += player.progress.return;
    }
    played[id] = { rewards, return: total, qpos: [...player.simulation.qpos] };
    await player.close();
  }
  return played;
}

Object.assign(globalThis, { everyRobot, takeBinaryFrom });
