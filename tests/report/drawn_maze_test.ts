import { assertEquals } from "@std/assert";
import type { OfflineDataset } from "../../lib/data/offline_dataset.ts";
import { evaluateHere } from "../../lib/envs/evaluate_here.ts";
import { evaluateInWorker, evaluateInWorkers } from "../../lib/envs/evaluate_in_worker.ts";
import { PositionRecorder } from "../../lib/envs/position_recorder.ts";
import { evaluationSeeds } from "../../lib/envs/seeds.ts";
import { Mlp } from "../../lib/nn/host/mlp.ts";
import { networkPolicy, type Policy } from "../../lib/nn/host/policy.ts";
import { drawnMaze, drawnSeeds } from "../../lib/report/drawn_maze.ts";
import { mlpTensors } from "../nn/host/networks.ts";

const mayRead = Deno.permissions.querySync({ name: "read" }).state === "granted";
const task = "maze2d-umaze-v1";
const tensors = mlpTensors("policy.net", 4, 8, 2);
const data = { rows: 1, observations: new Float32Array(4) } as OfflineDataset;
const value = (_: unknown, rows: number) => new Float32Array(rows);

/** A policy that counts its calls. */
function counting(): Policy & { calls: number } {
  const policy = networkPolicy(new Mlp({ source: "test", tensors }, "policy.net", "tanh"));
  const counted = {
    ...policy,
    calls: 0,
    act(...given: Parameters<Policy["act"]>) {
      counted.calls++;
      return policy.act(...given);
    },
  };
  return counted;
}

Deno.test({
  name: "drawnMaze(): an evaluation's paths, recorded in its worker, equal those it would play",
  ignore: !mayRead,
  async fn() {
    // The first 24 evaluation episodes start in every cell, the first 20 do not.
    const seeds = evaluationSeeds(0, 20);
    const pathSeeds = await drawnSeeds(task);
    const all = evaluationSeeds(0, 24);
    assertEquals(pathSeeds.filter((seed) => !seeds.includes(seed)), [all[21]!, all[23]!]);
    let paths: readonly (readonly number[])[] = [];
    let ended = 0;
    const request = {
      algorithm: "srpo",
      actor: "srpo",
      checkpoints: { policy: { source: "test", tensors } },
      options: {},
      task,
      seeds,
      pathSeeds,
    };
    const options = {
      onPaths: (found: typeof paths) => paths = found,
      onEpisode: (count: number) => ended = count,
    };
    const divided = await evaluateInWorkers(request, 3, options);
    const [dividedPaths, dividedEnded] = [paths, ended];
    [paths, ended] = [[], 0];
    const episodes = await evaluateInWorker(request, options);
    assertEquals([divided, dividedPaths, dividedEnded], [episodes, paths, ended]);
    const here = new PositionRecorder();
    assertEquals(episodes, await evaluateHere(counting(), task, seeds));
    assertEquals(ended, 20);
    await evaluateHere(counting(), task, pathSeeds, here);
    assertEquals(paths, here.paths());

    const policy = counting();
    const played = await drawnMaze(task, data, value, new Map([["P", policy]]));
    assertEquals(played.policies[0]!.trajectories.map(({ length }) => length), Array(7).fill(602));
    assertEquals(policy.calls, 301); // one for the actions at rest
    policy.calls = 0;
    const known = new Map([["P", new Map(paths.map((path, i) => [pathSeeds[i]!, path]))]]);
    const drawn = await drawnMaze(task, data, value, new Map([["P", policy]]), known);
    assertEquals(drawn, played);
    assertEquals(policy.calls, 1);
    policy.calls = 0;
    const without = await drawnMaze(task, data, value, new Map([["P", policy]]), null);
    assertEquals(without.policies[0]!.trajectories, []);
    assertEquals(policy.calls, 1);
  },
});
