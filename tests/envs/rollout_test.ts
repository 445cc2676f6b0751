import { assert, assertAlmostEquals, assertEquals, assertRejects } from "@std/assert";
import { BridgeError, connectEnvironment } from "../../lib/envs/bridge/client.ts";
import { launchServer } from "../../lib/envs/bridge/launch.ts";
import { srpo as srpoAlgorithm } from "../../lib/algorithms/srpo/algorithm.ts";
import { portableTarget } from "../../lib/autodiff/engine.ts";
import { evaluateHere } from "../../lib/envs/evaluate_here.ts";
import { Placement } from "../../lib/nn/placement.ts";
import { evaluateInWorker } from "../../lib/envs/evaluate_in_worker.ts";
import { candidatePolicy, solverSampler } from "../../lib/algorithms/candidate_policy.ts";
import { networkPolicy, type Policy } from "../../lib/nn/host/policy.ts";
import { RandomStream } from "../../lib/envs/random.ts";
import { makeEnvironment } from "../../lib/envs/registry.ts";
import {
  type Connection,
  type Episode,
  longestEpisode,
  rollout,
  rolloutWithRetries,
} from "../../lib/envs/rollout.ts";
import { evaluationSeeds } from "../../lib/envs/seeds.ts";
import { UserError } from "../../lib/errors.ts";
import { Mlp, TwinQ } from "../../lib/nn/host/mlp.ts";
import { NoiseModel } from "../../lib/nn/host/noise_model.ts";
import { decode } from "../../lib/runs/safetensors.ts";
import { projectFile } from "../data/files.ts";
import type { NamedTensors } from "../../lib/nn/host/tensors.ts";
import { mlpTensors, noiseModelTensors } from "../nn/host/networks.ts";
import { mayLaunch } from "./bridge/raw_client.ts";
import { toyWorld } from "./bridge/toy_batch.ts";
import type { EnvironmentBatch } from "../../lib/envs/environment.ts";

const mayRead = Deno.permissions.querySync({ name: "read" }).state === "granted";
const seeds = evaluationSeeds(0, 7);

/** A policy that falls soon and uses the random streams of its episodes. */
function restless(): Policy {
  const actions = (rows: number) => new Float64Array(3 * rows);
  return {
    observationSize: 11,
    actionSize: 3,
    act: (observations, random) =>
      actions(random.length).map((_, i) =>
        Math.tanh(observations[11 * Math.floor(i / 3)]! + random[Math.floor(i / 3)]!.normal())
      ),
  };
}

async function hopper(count: number): Promise<Connection> {
  const environment = await makeEnvironment("hopper", count);
  return { environment, close: () => environment.close() };
}

async function play(count: number): Promise<Episode[]> {
  const { environment, close } = await hopper(count);
  try {
    return await rollout(environment, restless(), seeds);
  } finally {
    await close();
  }
}

Deno.test({
  name: "rollout(): an episode is bit-identical whichever others are played at the same time",
  ignore: !mayRead,
  async fn() {
    const alone = await play(1);
    assertEquals(alone.map(({ seed }) => seed), seeds);
    assert(new Set(alone.map((episode) => episode.return)).size === seeds.length);
    assertEquals(await play(3), alone);
    assertEquals(await play(20), alone);
  },
});

Deno.test({
  name:
    "rollout(): reports each episode's begin, its initial position and one per step, and its end",
  ignore: !mayRead,
  async fn() {
    const { environment, close } = await hopper(3);
    const positions = seeds.map(() => 0);
    const ended: Episode[] = [];
    const begun: number[] = [];
    const episodes = await rollout(environment, restless(), seeds, {
      begin: (episode) => begun.push(episode),
      positions: (playing, qpos) => {
        assertEquals(qpos.length, 6 * playing.length);
        for (const episode of playing) positions[episode]!++;
      },
      end: (episode, result) => ended[episode] = result,
    });
    await close();
    assertEquals(begun.toSorted(), seeds.map((_, i) => i));
    assertEquals(positions, episodes.map(({ length }) => length + 1));
    assertEquals(ended, episodes);
  },
});

Deno.test("rollout(): cuts episodes of an environment that has no step limit", async () => {
  const toy = await toyWorld().make("toy", 2);
  // A toy whose episodes never end.
  const endless: EnvironmentBatch = {
    ...{ spec: { ...toy.spec, maxEpisodeSteps: null }, count: 2 },
    reset: (seeds) => Promise.resolve(Float64Array.from(seeds.flatMap(() => [0, 0]))),
    step: (actions) => {
      const n = actions.length / 2;
      return Promise.resolve({
        observations: actions.slice(),
        rewards: new Float64Array(n).fill(1),
        terminated: new Uint8Array(n),
        truncated: new Uint8Array(n),
      });
    },
    ...{ resetTo: () => Promise.resolve(null), state: () => Promise.resolve(null) },
    close: () => toy.close(),
  };
  const still: Policy = {
    ...{ observationSize: 2, actionSize: 2 },
    act: ({ length }) => new Float64Array(length),
  };
  const episodes = await rollout(endless, still, evaluationSeeds(0, 2));
  await endless.close();
  assertEquals(episodes.map(({ length }) => length), [longestEpisode, longestEpisode]);
});

Deno.test({
  name: "rollout(): rejects a policy whose sizes differ from the environment's",
  ignore: !mayRead,
  async fn() {
    const { environment, close } = await hopper(1);
    const policy = networkPolicy(
      new Mlp({ source: "p", tensors: mlpTensors("net", 17, 6) }, "net", "tanh"),
    );
    await assertRejects(
      () => rollout(environment, policy, seeds),
      UserError,
      "the policy takes 17 observation entries and returns 6 action entries, but hopper has 11 and 3",
    );
    await close();
  },
});

/** Kills the server at the 10th action of a connection, up to `times` times. */
function killing(times: number) {
  const policy = restless();
  let server: Awaited<ReturnType<typeof launchServer>> | undefined;
  let actions = 0;
  let kills = 0;
  return {
    async connect(): Promise<Connection> {
      server = await launchServer({ kind: "wasm" });
      actions = 0;
      const environment = await connectEnvironment(server.url, "hopper", 3);
      return { environment, close: server.close };
    },
    policy: {
      ...policy,
      act(observations: Float64Array, random: readonly RandomStream[]) {
        if (++actions === 10 && kills++ < times) Deno.kill(server!.pid, "SIGKILL");
        return policy.act(observations, random);
      },
    },
  };
}

Deno.test({
  name: "rolloutWithRetries(): repeats the episodes of a killed server bit for bit",
  ignore: !mayLaunch,
  async fn() {
    const { connect, policy } = killing(1);
    const faults: string[] = [];
    const announce = ({ fault }: BridgeError) => faults.push(fault);
    const episodes = await rolloutWithRetries({ connect, retries: 1, announce }, policy, seeds);
    assertEquals(faults, ["lost"]);
    assertEquals(episodes, await play(1));
  },
});

Deno.test({
  name: "rolloutWithRetries(): throws one clear error when no retry is left",
  ignore: !mayLaunch,
  async fn() {
    const { connect, policy } = killing(2);
    const faults: string[] = [];
    const announce = ({ fault }: BridgeError) => faults.push(fault);
    await assertRejects(
      () => rolloutWithRetries({ connect, retries: 1, announce }, policy, seeds),
      BridgeError,
      "the episodes in progress are lost",
    );
    assertEquals(faults, ["lost"]);
  },
});

/** SRPO's actor with these tensors, in the form that a worker receives. */
function srpo(source: string, tensors: NamedTensors["tensors"]) {
  const named = new Map([...tensors].map(([name, tensor]) => [`policy.${name}`, tensor]));
  const checkpoints = { policy: { source, tensors: named } };
  return { algorithm: "srpo", actor: "srpo", checkpoints, options: {} };
}

Deno.test({
  name: "evaluateInWorker(): a published policy earns its published return, as in this thread",
  ignore: !mayRead,
  async fn() {
    const source = projectFile("tests/fixtures/policies/tqc-hopper.safetensors");
    const policy = { source, tensors: decode(Deno.readFileSync(source), source).tensors };
    const one = evaluationSeeds(3, 1);
    const episodes = await evaluateInWorker({
      ...srpo(source, policy.tensors),
      task: "hopper-expert-v2",
      seeds: one,
    });
    // Published: 3754.2 ± 8.3 over episodes; the tolerance is three standard deviations.
    assertAlmostEquals(episodes[0]!.return, 3754.2, 3 * 8.3);
    assertEquals(episodes.map(({ length }) => length), [1000]);
    const { environment, close } = await hopper(1);
    const here = await rollout(environment, networkPolicy(new Mlp(policy, "net", "tanh")), one);
    await close();
    assertEquals(episodes, here);
  },
});

Deno.test({
  name: "evaluateInWorker(): an actor that gains by a GPU acts there, the same as in this thread",
  ignore: !mayRead,
  async fn() {
    const actor = srpoAlgorithm.actors.find(({ name }) => name === "idql")!;
    const options = { candidates: 2000, steps: 5 };
    const checkpoints = {
      behavior: { source: "behavior", tensors: noiseModelTensors("diffusion", 11, 3, 8) },
      critic: {
        source: "critic",
        tensors: new Map([
          ...mlpTensors("q0_target.q1", 14, 8, 1),
          ...mlpTensors("q0_target.q2", 14, 8, 1),
        ]),
      },
    };
    const few = seeds.slice(0, 1);
    const episodes = await evaluateInWorker({
      algorithm: "srpo",
      actor: "idql",
      checkpoints,
      options,
      target: portableTarget,
      task: "hopper",
      seeds: few,
    });
    await using placement = new Placement({ target: portableTarget });
    const { policy, adapter } = await placement.place({
      policy: actor.act(checkpoints, options),
      describe: () => actor.describe!(checkpoints, options),
    });
    assert(adapter !== null);
    assertEquals(episodes, await evaluateHere(policy, "hopper", few));
  },
});

Deno.test({
  name: "evaluateInWorker(): rejects unknown tasks and unsuitable policies with a UserError",
  ignore: !mayRead,
  async fn() {
    const policy = srpo("p.safetensors", mlpTensors("net", 11, 3));
    await assertRejects(
      () => evaluateInWorker({ ...policy, task: "hoper", seeds }),
      UserError,
      'no built-in environment is called "hoper"',
    );
    await assertRejects(
      () => evaluateInWorker({ ...policy, task: "halfcheetah", seeds }),
      UserError,
      "but halfcheetah has 17 and 6",
    );
    await assertRejects(
      () => evaluateInWorker({ ...srpo("p.safetensors", new Map()), task: "hopper", seeds }),
      UserError,
      "p.safetensors: expected a tensor policy.net.0.weight",
    );
  },
});

Deno.test("candidatePolicy(): takes the candidate with the highest Q, drawn from the row's own stream", () => {
  const from = (tensors: ReturnType<typeof mlpTensors>) => ({ source: "run", tensors });
  const model = new NoiseModel(from(noiseModelTensors("diffusion", 5, 2, 8)), "diffusion");
  const q = new TwinQ(
    from(new Map([...mlpTensors("q.q1", 7, 9, 1), ...mlpTensors("q.q2", 7, 9, 1)])),
    "q",
    2,
  );
  const observation = Float64Array.of(0.1, -0.2, 0.3, 0.5, -0.7);
  const act = (candidates: number, seed: number) => [
    ...candidatePolicy(model, q, candidates, solverSampler(8)).act(observation, [
      new RandomStream(seed),
    ]),
  ];
  const value = (action: number[]) => {
    const result = new Float32Array(1);
    q.minimum(Float32Array.from(observation), Float32Array.from(action), 1, result);
    return result[0]!;
  };
  // Drawing one candidate at a time from the same stream gives the eight candidates.
  const random = new RandomStream(4);
  const single = candidatePolicy(model, q, 1, solverSampler(8));
  const candidates = Array.from({ length: 8 }, () => [...single.act(observation, [random])]);
  const best = candidates.toSorted((a, b) => value(b) - value(a))[0]!;
  assertEquals(act(8, 4), best);
  assert(new Set(candidates.map(value)).size > 1);

  // Rows do not depend on each other.
  const both = candidatePolicy(model, q, 8, solverSampler(8)).act(
    Float64Array.from([...observation, ...observation]),
    [new RandomStream(9), new RandomStream(4)],
  );
  assertEquals([...both.subarray(2)], best);
  assertEquals([...both.subarray(0, 2)], act(8, 9));
});

Deno.test("candidatePolicy(): rejects a behavior model and a Q of different sizes", () => {
  const model = new NoiseModel(
    { source: "run", tensors: noiseModelTensors("diffusion", 5, 2, 8) },
    "diffusion",
  );
  const tensors = new Map([...mlpTensors("q.q1", 8, 1), ...mlpTensors("q.q2", 8, 1)]);
  const q = new TwinQ({ source: "run", tensors }, "q", 2);
  let message = "";
  try {
    candidatePolicy(model, q, 4, solverSampler(4));
  } catch (error) {
    assert(error instanceof UserError);
    message = error.message;
  }
  assertEquals(
    message,
    "the behavior model takes 5 state and 2 action entries, but Q takes 6 and 2; " +
      "use a behavior model and a critic from the same run",
  );
});
