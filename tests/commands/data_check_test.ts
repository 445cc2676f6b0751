import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { join } from "node:path";
import { UserError } from "../../lib/errors.ts";
import { mayUseFiles, projectFile, withFolder } from "../data/files.ts";
import { printed } from "./printed.ts";

const ignore = !mayUseFiles;

/** Runs `data check` and returns its exit code and output. */
async function check(...args: string[]) {
  const { dataCheck } = await import("../../lib/commands/data_check.ts");
  let code: number | void;
  const text = await printed(async () => {
    code = await dataCheck(args);
  });
  return { code: code!, text };
}

/** Collects 60 steps of a task with random actions. */
async function collect(out: string, task: string, ...args: string[]): Promise<string> {
  const { dataCollect } = await import("../../lib/commands/data_collect.ts");
  const common = ["--task", task, "--policy", "random", "--steps", "60", "--out", out];
  await printed(() => dataCollect([...common, ...args]));
  return out;
}

Deno.test({
  name: "dataCheck() tells data of either physics profile apart",
  ignore,
  fn: () =>
    withFolder(async (folder) => {
      for (const task of ["hopper-random-v2", "antmaze-umaze-v2"]) {
        for (const [profile, code] of [["mjpy", 0], ["mj22", 1]] as const) {
          const out = join(folder, `${task}-${profile}.hdf5`);
          await collect(out, task, "--profile", profile);
          const found = await check(out, "--json");
          const { physics, states, replayed } = JSON.parse(found.text);
          assertEquals([found.code, states, replayed], [code, "infos", 60], found.text);
          assert(physics[profile].relative.max < 1e-5, found.text);
          const other = profile === "mjpy" ? "mj22" : "mjpy";
          assert(physics[other].relative.q99 > 2e-3, found.text);
        }
      }
      const { text } = await check(join(folder, "hopper-random-v2-mj22.hdf5"));
      assertStringIncludes(text, "The steps are those of mj22, NOT of mjpy");
    }),
});

Deno.test({
  name: "dataCheck() replays data of other programs from their observations",
  ignore,
  fn: async () => {
    const mixed = projectFile("tests/fixtures/datasets/hopper-mixed-20k.hdf5");
    const hopper = await check(mixed, "--task", "hopper-medium-v2", "--rows", "200", "--json");
    const { physics, states, replayed } = JSON.parse(hopper.text);
    assertEquals([hopper.code, states], [0, "observations"]);
    // States with a clipped velocity are left out.
    assert(replayed > 150 && replayed < 200, String(replayed));
    assert(physics.mjpy.relative.max < 1e-4 && physics.mj22.relative.median > 1e-3);

    const maze = await check(projectFile("data/maze2d-umaze-100k.hdf5"), "--rows", "200");
    assertEquals(maze.code, 0);
    assertStringIncludes(maze.text, "both profiles give the same ones");
    await assertRejects(() => check(mixed), UserError, "the file names no task");
    await assertRejects(
      () => check(mixed, "--task", "ant"),
      UserError,
      "each row has 11 observation and 3 action entries, but ant has 111 and 8",
    );
  },
});

Deno.test({
  name: "dataCheck() compares logged log-probabilities with the policy in the file, as SciPy does",
  ignore,
  fn: async () => {
    const path = projectFile("tests/fixtures/foreign/behavior-policy.hdf5");
    const { code, text } = await check(path, "--task", "hopper", "--json");
    const { log_probabilities: logged, physics } = JSON.parse(text);
    assert(logged.same && logged.max < 1e-4, text);
    // Its states are random numbers.
    assertEquals([code, physics.mjpy.same, physics.mj22.same], [1, false, false]);
  },
});

Deno.test({
  name: "readBehaviorPolicy() reads the layers, and their change shows in the log-probabilities",
  ignore,
  fn: async () => {
    const { D4rlFile } = await import("../../lib/data/hdf5.ts");
    const { BehaviorPolicy, logProbabilities, readBehaviorPolicy } = await import(
      "../../lib/data/behavior_policy.ts"
    );
    const file = await D4rlFile.open(
      projectFile("tests/fixtures/foreign/behavior-policy.hdf5"),
    );
    const read = (field: string, columns: number) => {
      const values = new Float32Array(file.rows * columns);
      file.read(field, values);
      return values;
    };
    const [s, a] = [read("observations", 11), read("actions", 3)];
    const logged = read(logProbabilities, 1);
    const policy = readBehaviorPolicy(file)!;
    assertEquals([policy.observationSize, policy.actionSize], [11, 3]);
    const worst = (found: Float64Array) =>
      found.reduce((max, value, row) => Math.max(max, Math.abs(value - logged[row]!)), 0);
    assert(worst(policy.logProbabilities(s, a, file.rows)) < 1e-4);
    assert(worst(policy.logProbabilities(s.map((x) => x + 0.01), a, file.rows)) > 1e-2);

    const layers = new Map(
      ["fc0", "fc1", "last_fc", "last_fc_log_std"].flatMap((layer) =>
        ["weight", "bias"].map((part) => {
          const { shape } = file.layout(`metadata/policy/${layer}/${part}`);
          const data = new Float32Array(shape.reduce((product, size) => product * size, 1));
          file.read(`metadata/policy/${layer}/${part}`, data);
          return [`${layer}.${part}`, { shape, data }] as const;
        })
      ),
    );
    file.close();
    const other = new BehaviorPolicy({ source: "", tensors: layers }, "tanh", "tanh_gaussian");
    assert(worst(other.logProbabilities(s, a, logged.length)) > 1e-2);
    // A normal density at 0 with mean and log-deviation 0 is 1 / √(2π) per entry.
    for (const { data } of layers.values()) data.fill(0);
    const normal = new BehaviorPolicy({ source: "", tensors: layers }, "relu", "gaussian");
    const [found] = normal.logProbabilities(s, new Float32Array(3), 1);
    assert(Math.abs(found! + 1.5 * Math.log(2 * Math.PI)) < 1e-12);
  },
});
