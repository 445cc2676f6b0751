import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { join } from "node:path";
import { parseTrain } from "../../lib/commands/train_flags.ts";
import { makePlan, type Plan } from "../../lib/commands/train_plan.ts";
import { writeDataset } from "../../lib/data/writer.ts";
import { pythonPath } from "../../lib/envs/bridge/launch.ts";
import { UserError } from "../../lib/errors.ts";
import { RunDirectory } from "../../lib/runs/directory.ts";
import { recordOfOwn } from "../../lib/runs/run_task.ts";
import { decode } from "../../lib/runs/safetensors.ts";
import { mayUseFiles, projectFile, tinyContents, withFolder } from "../data/files.ts";
import { mayLaunch } from "../envs/bridge/raw_client.ts";

async function plan(...args: string[]): Promise<Plan> {
  const { algorithm, parsed } = parseTrain(args);
  if (parsed === "help") throw new Error("help");
  return await makePlan(algorithm, parsed.what, parsed.flags);
}

function fileTest(name: string, body: (folder: string, data: string) => Promise<void>): void {
  Deno.test({
    name,
    ignore: !mayUseFiles,
    fn: () =>
      withFolder(async (folder) => {
        const data = join(folder, "my.hdf5");
        await writeDataset(data, tinyContents);
        await body(folder, data);
      }),
  });
}

const quick = ["--preset", "quick", "--eval-episodes", "0"];

fileTest("makePlan() --family trains data that belong to no D4RL task", async (_, data) => {
  const { task, hyperparameters } = await plan(data, "--family", "locomotion", ...quick);
  assertEquals([task.name, task.own], [
    "my",
    { family: "locomotion", environment: null, actionBounds: null },
  ]);
  assertEquals([hyperparameters["expectile"], hyperparameters["rewardRule"]], [
    0.7,
    "return_range",
  ]);
  const maze = await plan(data, "--family", "maze", "--beta", "0.1", ...quick);
  assertEquals([maze.hyperparameters["expectile"], maze.hyperparameters["rewardRule"]], [
    0.9,
    "minus_one",
  ]);
});

fileTest(
  "makePlan() without --family asks for every value that depends on it",
  async (_, data) => {
    const error = await plan(data, ...quick).catch((error) => error);
    assert(error instanceof UserError);
    assertMatch(error.message, /my\.hdf5 belongs to no D4RL task.*--family locomotion/);
    const open = /\(or give .*?: (.*?)\)/.exec(error.message)![1]!.split(", ");
    const values: Record<string, string> = {
      "--reward-rule": "none",
      "--expectile": "0.8",
      "--awr-temperature": "5",
      "--policy-layers": "3",
      "--beta": "0.2",
      "--normalize-beta": "true",
    };
    assertEquals(open, Object.keys(values));
    const { hyperparameters } = await plan(data, ...Object.entries(values).flat(), ...quick);
    assertEquals([hyperparameters["expectile"], hyperparameters["beta"]], [0.8, 0.2]);
  },
);

fileTest("makePlan() rejects flags of a custom task for a D4RL task", async (_, data) => {
  for (
    const [args, message] of [
      [[data, "--task", "hopper-medium-v2", "--env", "Pendulum-v1"], "remove --task"],
      [["maze2d-umaze-v1", "--family", "maze"], "give the data as a file"],
      [["--server", "python"], "give the data as a file"],
      [[data, "--family", "locomotion", "--server", "python"], "needs an environment: --env"],
    ] as const
  ) await assertRejects(() => plan(...args, ...quick), UserError, message);
});

fileTest(
  "makePlan() rejects sizes and action ranges that differ from the environment's",
  async (folder, data) => {
    await assertRejects(
      () => plan(data, "--family", "locomotion", "--env", "hopper", "--preset", "quick"),
      UserError,
      "2 observation and 1 action entries, but hopper has 11 and 3",
    );
    const bounded = join(folder, "bounded.hdf5");
    await writeDataset(bounded, {
      ...tinyContents,
      observationSize: 4,
      observations: new Float32Array(12),
      actionSize: 2,
      actions: new Float32Array(6),
      metadata: { task: "maze2d-open-v0", action_low: [-2, -2], action_high: [2, 2] },
    });
    await assertRejects(
      () => plan(bounded, "--family", "maze", "--beta", "1", "--env", "maze2d-open-v0"),
      UserError,
      "the metadata give the action range [-2, 2], but maze2d-open-v0 has [-1, 1]",
    );
  },
);

fileTest(
  "loadDataset() scales actions by the recorded range, and rejects others",
  async (folder) => {
    const { loadDataset } = await import("../../lib/data/dataset.ts");
    const { readingOptions } = await import("../../lib/data/own_task.ts");
    const path = join(folder, "bounded.hdf5");
    const metadata = { action_low: [-2], action_high: [6] };
    await writeDataset(path, { ...tinyContents, actions: Float32Array.of(-2, 2, 6), metadata });
    const { task } = await plan(path, "--family", "locomotion", ...quick);
    const data = await loadDataset([path], readingOptions(task));
    assertEquals(data.actions, Float32Array.of(-1, 0, 1));
    await writeDataset(path, { ...tinyContents, actions: Float32Array.of(-2, 2, 6.5), metadata });
    await assertRejects(
      () => loadDataset([path], readingOptions(task)),
      UserError,
      "actions is 6.5 at row 2, expected within [-2, 6]",
    );
  },
);

fileTest(
  "makePlan() --resume and --from read the custom task from config.json",
  async (folder, data) => {
    const first = await plan(data, "--family", "locomotion", ...quick);
    const own = {
      family: "locomotion",
      environment: { id: "Pendulum-v1", server: "python" },
      actionBounds: { low: [-2], high: [2] },
    } as const;
    const run = new RunDirectory(join(folder, "run"));
    Deno.mkdirSync(run.path);
    await run.writeConfig({
      version: "0.2.0",
      task: "Pendulum-v1",
      seeds: [0],
      stages: first.stages,
      data: { file: data, sha256: "00".repeat(32), rows: 3 },
      adapter: { matmul: "registers", matmulLanes: 8 },
      hyperparameters: first.hyperparameters,
      environment: recordOfOwn(own),
    });
    const resumed = await plan("--resume", run.path);
    assertEquals([resumed.task.name, resumed.task.own], ["Pendulum-v1", own]);
    const { openTrained } = await import("../../lib/runs/trained.ts");
    const trained = openTrained(run.path);
    assertEquals([trained.task, trained.server], ["Pendulum-v1", "python"]);

    const { checksum: _, ...record } = JSON.parse(Deno.readTextFileSync(run.config));
    record.environment.action_low = "-2";
    Deno.writeTextFileSync(run.config, JSON.stringify(record));
    await assertRejects(() => plan("--resume", run.path), UserError, "environment.action_low");
  },
);

const mayTrain = mayLaunch && mayUseFiles &&
  (["env", "ffi"] as const).every((name) =>
    Deno.permissions.querySync({ name }).state === "granted"
  );

Deno.test({
  name: "data collect, data inspect, train and eval work with Pendulum-v1 over the bridge " +
    "(needs `sh bridge/setup.sh`)",
  ignore: !mayTrain || !await Deno.stat(pythonPath).then(() => true, () => false),
  fn: () =>
    withFolder(async (folder) => {
      const command = async (...args: string[]) => {
        const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
          args: ["run", "-A", projectFile("cli.ts"), ...args],
          cwd: folder,
        }).output();
        const [out, err] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
        assertEquals(code, 0, err);
        return out!;
      };
      const python = ["--env", "Pendulum-v1", "--server", "python"];
      await command(
        ...["data", "collect", ...python, "--policy", "random", "--steps", "410"],
        ...["--out", "pendulum.hdf5"],
      );
      const inspected = JSON.parse(await command("data", "inspect", "pendulum.hdf5", "--json"));
      assertEquals([inspected.episodes, inspected.timeouts, inspected.warnings.length], [2, 2, 1]);
      assertMatch(inspected.warnings[0], /last episode is cut after 10 rows/);

      const trained = await command(
        ...["train", "pendulum.hdf5", "--family", "locomotion", "--preset", "quick"],
        ...["--reward-rule", "none", "--critic-steps", "2", "--behavior-steps", "2"],
        ...["--policy-steps", "2", "--critic-width", "8", "--behavior-width", "8"],
        ...["--policy-width", "8", "--critic-batch-size", "16", "--behavior-batch-size", "16"],
        ...["--policy-batch-size", "16", "--eval-episodes", "2", "--matmul", "registers"],
        ...["--out", "run", "--no-cache", "--json"],
      );
      assertStringIncludes(trained, "scaled from [-2, 2] to [-1, 1]");
      assertMatch(trained, /\nactor +seed +return +ms\/action +per action\n/); // No D4RL score.
      const results = JSON.parse(trained.trim().split("\n").at(-1)!);
      const last = results.evaluations.at(-1);
      assertEquals([last.stage, last.score, last.episodes.length], ["policy", null, 2]);
      assert(last.mean_return < -100 && last.mean_return > -2000, String(last.mean_return));

      const { environment } = new RunDirectory(join(folder, "run")).readConfig();
      assertEquals(environment, {
        family: "locomotion",
        id: "Pendulum-v1",
        server: "python",
        action_low: [-2],
        action_high: [2],
      });
      const policy = join(folder, "run", "policy.safetensors");
      const { metadata } = decode(Deno.readFileSync(policy), policy);
      assertEquals([metadata["action_low"], metadata["action_high"]], ["[-2]", "[2]"]);

      // eval scales the actions of the run and of its policy file to the environment's range.
      const eval2 = ["--episodes", "2", "--json"];
      for (const what of [["run"], ["run/policy.safetensors", ...python]]) {
        const found = JSON.parse(
          (await command("eval", ...what, ...eval2)).trim().split("\n").at(-1)!,
        );
        assertAlmostEquals(found.mean_return, last.mean_return, 1e-9);
        assertEquals(found.score, null);
      }
    }),
});
