import { assert, assertAlmostEquals, assertEquals, assertNotEquals } from "@std/assert";
import { makeEnvironment } from "../../lib/envs/registry.ts";
import { rollout } from "../../lib/envs/rollout.ts";
import { evaluationSeeds } from "../../lib/envs/seeds.ts";
import { policyFrom } from "../../lib/algorithms/policy_parts.ts";
import { Player } from "../../lib/watch/player.ts";
import { mayUseFiles } from "../data/files.ts";
import { mlpTensors, noiseModelTensors } from "../nn/host/networks.ts";

const [seed] = evaluationSeeds(7, 1);
const metadata = {};
const file = { source: "hopper", metadata, tensors: mlpTensors("net", 11, 16, 3) };
const critic = { source: "critic", tensors: mlpTensors("vf.v", 11, 16, 1) };
const playable = { policy: { file }, critic: { algorithm: "srpo", checkpoint: critic } };
const ignore = !mayUseFiles;

async function play(player: Player): Promise<void> {
  while (player.progress.ended === null) await player.step();
}

Deno.test({
  name: "Player: plays the episodes of rollout(), and a critic's values are those of its network",
  ignore,
  fn: async () => {
    const player = await Player.create("hopper", "mjpy", playable);
    await player.reset(seed!);
    const environment = await makeEnvironment("hopper", 1);
    const [episode] = await rollout(environment, policyFrom(playable.policy), [seed!]);
    await play(player);
    const { rewards, values, ended, pushed, switched, ...progress } = player.progress;
    assertEquals(progress.return, episode!.return);
    assertEquals([rewards.length, values.length], [episode!.length, episode!.length]);
    assertEquals([ended, pushed, switched], ["terminated", false, false]);
    assertEquals(player.criticSymbol, "V(s)");
    assertAlmostEquals(player.simulation.time, rewards.length * 0.008, 1e-9);
    assert(new Set(values).size > 1);
    await environment.close();
    await player.close();
  },
});

Deno.test({
  name: "Player: draws a policy's random numbers as rollout() does",
  ignore,
  fn: async () => {
    const policy = {
      algorithm: "srpo",
      actor: "idql",
      checkpoints: {
        behavior: { source: "b", tensors: noiseModelTensors("diffusion", 4, 2, 8) },
        critic: {
          source: "c",
          tensors: new Map([
            ...mlpTensors("q0_target.q1", 6, 8, 1),
            ...mlpTensors("q0_target.q2", 6, 8, 1),
          ]),
        },
      },
      options: { candidates: 4, steps: 2 },
      bounds: null,
    };
    const player = await Player.create("maze2d-umaze-dense-v1", "mjpy", { policy, critic: null });
    await player.reset(seed!);
    await play(player);
    const environment = await makeEnvironment("maze2d-umaze-dense-v1", 2);
    const [, episode] = await rollout(
      environment,
      policyFrom(policy),
      evaluationSeeds(6, 1).concat(seed!),
    );
    assertEquals(player.progress.return, episode!.return);
    assertEquals(player.progress.reachedGoal, episode!.reachedGoal);
    await environment.close();
    await player.close();
  },
});

Deno.test({
  name: "Player: a push moves the body along the force, changes the return, and ends with a reset",
  ignore,
  fn: async () => {
    const player = await Player.create("maze2d-open-v0", "mjpy", {
      policy: { file: { source: "zero", metadata, tensors: mlpTensors("net", 4, 2) } },
      critic: null,
    });
    /** Positions of the ball after 20 steps, pushed by a force or not. */
    const after = async (force: number) => {
      await player.reset(seed!);
      if (force !== 0) player.push(1, [force, 0, 0], [0, 0, 0]);
      for (let step = 0; step < 20; step++) await player.step();
      return [...player.simulation.qpos] as [number, number];
    };
    const [x, y] = await after(0);
    const [pushedX, pushedY] = await after(-50);
    assert(pushedX < x - 0.05, `x is ${pushedX} with the push, ${x} without`);
    assertAlmostEquals(pushedY, y, 0.01);
    assertEquals(player.progress.pushed, true);
    assertEquals(await after(0), [x, y]);
    assertEquals(player.progress.pushed, false);
    await player.close();
  },
});

Deno.test({
  name: "Player: another policy can take over within an episode",
  ignore,
  fn: async () => {
    const player = await Player.create("hopper", "mjpy", playable);
    await player.reset(seed!);
    player.use({ policy: { file: { ...file, tensors: mlpTensors("net", 11, 3) } }, critic: null });
    assertEquals(player.progress.switched, false);
    await player.step();
    const alone = [...player.progress.action];
    assertEquals(player.criticSymbol, null);
    player.use(playable);
    assertEquals(player.progress.switched, true);
    await player.reset(seed!);
    await player.step();
    assertNotEquals([...player.progress.action], alone);
    assertEquals(player.progress.switched, false);
    await player.close();
  },
});
