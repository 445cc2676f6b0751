import { assert, assertAlmostEquals, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { join } from "node:path";
import { makeEnvironment } from "../../lib/envs/registry.ts";
import { episodeSeed, evaluationSeeds } from "../../lib/envs/seeds.ts";
import { UserError } from "../../lib/errors.ts";
import { mayUseFiles, projectFile, withFolder } from "../data/files.ts";
import { toySpec, toyWorld } from "../envs/bridge/toy_batch.ts";

const ignore = !mayUseFiles;
const policy = projectFile("tests/fixtures/policies/tqc-hopper.safetensors");

/** Runs the command without printing its messages. */
async function collect(...args: string[]): Promise<void> {
  const { dataCollect } = await import("../../lib/commands/data_collect.ts");
  const { log } = console;
  console.log = () => {};
  try {
    await dataCollect(args);
  } finally {
    console.log = log;
  }
}

async function read(path: string) {
  const { loadDataset } = await import("../../lib/data/dataset.ts");
  return await loadDataset([path]);
}

async function readField(path: string, field: string): Promise<Float64Array> {
  const { D4rlFile } = await import("../../lib/data/hdf5.ts");
  const file = await D4rlFile.open(path);
  const size = file.layout(field).shape.reduce((product, n) => product * n, 1);
  const values = new Float64Array(size);
  file.read(field, values);
  file.close();
  return values;
}

Deno.test({
  name: "dataCollect() writes steps that the simulator reproduces from the recorded actions",
  ignore,
  fn: () =>
    withFolder(async (folder) => {
      const out = join(folder, "hopper.hdf5");
      const steps = 1500;
      await collect(
        ...["--task", "hopper-medium-v2", "--policy", policy, "--out", out],
        ...["--steps", String(steps), "--noise", "0.3", "--epsilon", "0.1", "--seed", "7"],
      );
      const data = await read(out);
      const next = await readField(out, "next_observations");
      const [qpos, qvel] = [await readField(out, "infos/qpos"), await readField(out, "infos/qvel")];
      assertEquals([data.rows, data.observationSize, data.actionSize], [steps, 11, 3]);

      const environment = await makeEnvironment("hopper", 1);
      let observation: Float64Array | null = null;
      let episode = 0;
      for (let row = 0; row < steps; row++) {
        observation ??= await environment.reset([episodeSeed("collection", 7, episode++)]);
        const state = (await environment.state())!;
        assertEquals(qpos.slice(6 * row, 6 * row + 6), state.qpos);
        assertEquals(qvel.slice(6 * row, 6 * row + 6), state.qvel);
        const rowOf = (field: ArrayLike<number>, size: number) =>
          Array.from({ length: size }, (_, i) => field[row * size + i]!);
        assertEquals(rowOf(data.observations, 11), [...Float32Array.from(observation)]);
        const step = await environment.step(Float64Array.from(rowOf(data.actions, 3)));
        assertEquals(data.rewards[row], Math.fround(step.rewards[0]!));
        assertEquals(data.terminals[row], step.terminated[0]);
        assertEquals(data.timeouts[row], step.truncated[0]);
        assertEquals(rowOf(next, 11), [...Float32Array.from(step.observations)]);
        const over = step.terminated[0] === 1 || step.truncated[0] === 1;
        observation = over ? null : step.observations;
      }
      await environment.close();
      assert(episode > 3, "noise makes it fall");
      // Within an episode, a row's next observation is the following row's observation.
      for (const row of data.transitions) {
        if (data.terminals[row] === 1) continue;
        assertEquals(
          data.observations.slice(11 * row + 11, 11 * row + 22),
          Float32Array.from(next.slice(11 * row, 11 * row + 11)),
        );
      }
    }),
});

Deno.test({
  name: "dataCollect() writes D4RL's fields and the provenance metadata",
  ignore,
  fn: () =>
    withFolder(async (folder) => {
      const out = join(folder, "hopper.hdf5");
      await collect("--task", "hopper", "--policy", policy, "--out", out, "--steps", "10");
      const { D4rlFile } = await import("../../lib/data/hdf5.ts");
      const file = await D4rlFile.open(out);
      assertEquals(
        file.fields.filter((field) => !field.startsWith("metadata/")).toSorted(),
        [
          "actions",
          "infos/qpos",
          "infos/qvel",
          "next_observations",
          "observations",
          "rewards",
          "terminals",
          "timeouts",
        ],
      );
      const metadata = (name: string) => file.scalar(`metadata/${name}`);
      assertEquals(["task", "source", "seed", "noise", "profile"].map(metadata), [
        "hopper",
        policy,
        0,
        0,
        "mjpy",
      ]);
      file.close();
    }),
});

Deno.test({
  name: "dataCollect() gives the same data for equal seeds and different data for different seeds",
  ignore,
  fn: () =>
    withFolder(async (folder) => {
      const actions = async (seed: string, name: string) => {
        const out = join(folder, name);
        await collect(
          ...["--task", "hopper", "--policy", policy, "--out", out, "--steps", "20"],
          ...["--noise", "0.1", "--seed", seed],
        );
        return (await read(out)).actions;
      };
      const first = await actions("1", "a.hdf5");
      assertEquals(await actions("1", "b.hdf5"), first);
      assert(String(await actions("2", "c.hdf5")) !== String(first));
    }),
});

Deno.test({
  name: "dataCollect() --planner writes the steps of maze2d's planner",
  ignore,
  fn: () =>
    withFolder(async (folder) => {
      const out = join(folder, "maze.hdf5");
      const steps = 3000;
      await collect("--task", "maze2d-umaze-v1", "--planner", "--steps", `${steps}`, "--out", out);
      const { collectMaze2d } = await import("../../lib/envs/planner.ts");
      const rows = await collectMaze2d("maze2d-umaze-v1", steps, 0);
      const data = await read(out);
      assertEquals(data.observations, rows.observations);
      assertEquals(data.actions, rows.actions);
      assertEquals(data.rewards, rows.rewards);
      assertEquals([...data.timeouts], [...rows.timeouts]);
      assertEquals(data.terminals.every((flag) => flag === 0), true);
      assertEquals(await readField(out, "infos/qpos"), rows.qpos);
      assertEquals(await readField(out, "infos/qvel"), rows.qvel);
      assertEquals(await readField(out, "infos/goal"), Float64Array.from(rows.goals));
    }),
});

Deno.test({
  name: "dataCollect() rejects invalid requests and leaves no file",
  ignore,
  fn: () =>
    withFolder(async (folder) => {
      const out = join(folder, "x.hdf5");
      const refuses = (message: string, ...args: string[]) =>
        assertRejects(() => collect(...args), UserError, message);
      await refuses("data collect needs --task", "--out", out, "--planner");
      await refuses("data collect needs --out", "--task", "hopper", "--planner");
      await refuses("none is given", "--task", "hopper", "--out", out);
      await refuses(
        "both --policy and --planner are given",
        ...["--task", "hopper", "--out", out, "--planner", "--policy", policy],
      );
      await refuses(
        "the planner needs a maze2d task",
        ...["--task", "hopper", "--out", out, "--planner"],
      );
      await refuses(
        "--noise applies to --policy, not to --planner",
        ...["--task", "maze2d-umaze-v1", "--out", out, "--planner", "--noise", "0.1"],
      );
      await refuses(
        "--epsilon applies to --policy FILE, not to --policy random",
        ...["--task", "hopper", "--out", out, "--policy", "random", "--epsilon", "0.1"],
      );
      await refuses(
        "but halfcheetah has 17 and 6",
        ...["--task", "halfcheetah", "--out", out, "--policy", policy],
      );
      await refuses(
        "there is no folder",
        ...["--task", "hopper", "--policy", policy, "--steps", "2"],
        ...["--out", join(folder, "no", "x.hdf5")],
      );
      assertEquals([...Deno.readDirSync(folder)], []);
    }),
});

Deno.test({
  name: "dataCollect() rejects an existing file or a folder before playing; --overwrite replaces",
  ignore,
  fn: () =>
    withFolder(async (folder) => {
      const out = join(folder, "x.hdf5");
      // So many steps would outlast the test, so the error must come before playing.
      const args = ["--task", "hopper", "--policy", "random", "--steps", "100_000_000"];
      await Deno.writeTextFile(out, "precious");
      await assertRejects(
        () => collect(...args, "--out", out),
        UserError,
        `${out}: already exists; --overwrite replaces it`,
      );
      for (const more of [[], ["--overwrite"]]) {
        await assertRejects(
          () => collect(...args, "--out", folder, ...more),
          UserError,
          `${folder}: is a folder, expected the name of the file to write`,
        );
      }
      assertEquals(await Deno.readTextFile(out), "precious");
      await collect(...args.slice(0, -1), "4", "--out", out, "--overwrite");
      assertEquals((await read(out)).rows, 4);
      assertEquals([...Deno.readDirSync(folder)].map(({ name }) => name), ["x.hdf5"]);
    }),
});

Deno.test({
  name: "dataCollect() --policy random draws actions uniformly, in every kind of environment",
  ignore,
  fn: () =>
    withFolder(async (folder) => {
      const tasks = { "hopper": 3000, "maze2d-umaze-v1": 50, "antmaze-umaze-v2": 5 };
      for (const [task, steps] of Object.entries(tasks)) {
        const out = join(folder, `${task}.hdf5`);
        await collect("--task", task, "--policy", "random", "--steps", `${steps}`, "--out", out);
        const { actions, rows } = await read(out);
        assertEquals(rows, steps, task);
        assertEquals(new Set(actions).size > actions.length / 2, true, task);
        if (task !== "hopper") continue;
        // Uniform on [-1, 1]: mean 0, variance 1/3; 9000 draws, so five standard errors.
        const mean = actions.reduce((sum, value) => sum + value, 0) / actions.length;
        const square = actions.reduce((sum, value) => sum + value ** 2, 0) / actions.length;
        assertAlmostEquals(mean, 0, 5 * Math.sqrt(1 / 3 / actions.length));
        assertAlmostEquals(square, 1 / 3, 5 * Math.sqrt(4 / 45 / actions.length));
      }
    }),
});

Deno.test({
  name: "dataCollect() --policy random needs action bounds, and reads ./random as a file",
  ignore,
  async fn() {
    const { randomPolicy } = await import("../../lib/envs/collect.ts");
    assertThrows(
      () => randomPolicy(toySpec),
      UserError,
      "toy: entry 1 of the action ranges from -Infinity to Infinity",
    );
    await withFolder(async (folder) => {
      const args = ["--task", "hopper", "--policy", "./random", "--out", join(folder, "x.hdf5")];
      await assertRejects(() => collect(...args), UserError, "./random: no such file or folder");
    });
  },
});

Deno.test("collectSteps() records no state if the environment exposes none", async () => {
  const { collectSteps } = await import("../../lib/envs/collect.ts");
  const policy = {
    observationSize: 2,
    actionSize: 2,
    act: () => Float64Array.of(0.5, 3),
  };
  const environment = await toyWorld().make("stateless", 1);
  const data = await collectSteps(environment, policy, { noise: 0, epsilon: 0 }, 7, 0);
  assertEquals(data.state, null);
  assertEquals(data.actions, Float32Array.from({ length: 14 }, (_, i) => i % 2 === 0 ? 0.5 : 3));
  // Gymnasium reports both flags if an episode ends at its limit. Only the terminal is recorded.
  const both: typeof environment = {
    ...{ spec: environment.spec, count: 1, state: () => Promise.resolve(null) },
    reset: (...given) => environment.reset(...given),
    resetTo: () => Promise.resolve(null),
    step: async (...given) => {
      const step = await environment.step(...given);
      return { ...step, terminated: step.truncated, truncated: step.truncated };
    },
    close: () => environment.close(),
  };
  const ended = await collectSteps(both, policy, { noise: 0, epsilon: 0 }, 7, 0);
  assertEquals([...ended.terminals], [0, 0, 0, 0, 1, 0, 0]);
  assertEquals([...ended.timeouts], [0, 0, 0, 0, 0, 0, 0]);
  await environment.close();
});

Deno.test({
  name: "the bundled hopper policy reaches the score in data/README.md",
  ignore,
  async fn() {
    const { openTrained } = await import("../../lib/runs/trained.ts");
    const { rollout } = await import("../../lib/envs/rollout.ts");
    const { policy } = openTrained(projectFile("data/hopper-medium.safetensors")).load(null);
    const environment = await makeEnvironment("hopper-medium-v2", 4);
    const episodes = await rollout(environment, policy, evaluationSeeds(0, 4));
    await environment.close();
    for (const episode of episodes) {
      assertEquals(episode.length, 1000);
      assertAlmostEquals(episode.return, 2634, 60);
    }
  },
});
