import { assert, assertAlmostEquals, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { join } from "node:path";
import { launchServer } from "../../lib/envs/bridge/launch.ts";
import { makeEnvironment } from "../../lib/envs/registry.ts";
import { UserError } from "../../lib/errors.ts";
import { RunDirectory } from "../../lib/runs/directory.ts";
import { decode, encode, type SafeTensor } from "../../lib/runs/safetensors.ts";
import { mayUseFiles, projectFile, withFolder } from "../data/files.ts";
import { mayLaunch } from "../envs/bridge/raw_client.ts";
import { mlpTensors, noiseModelTensors } from "../nn/host/networks.ts";

const published = projectFile("tests/fixtures/policies/tqc-hopper.safetensors");

/** Returns the standard output of `eval`, line by line. */
async function printed(...args: string[]): Promise<string[]> {
  const { evaluate } = await import("../../lib/commands/eval.ts");
  const lines: string[] = [];
  const { log } = console;
  console.log = (text: string) => lines.push(...text.split("\n"));
  try {
    await evaluate(args);
  } finally {
    console.log = log;
  }
  return lines;
}

type Stage = "critic" | "behavior" | "policy";

/**
 * Writes a run on `task` with the checkpoints of some stages, for observation size 4 and action
 * size 2.
 */
async function writeRun(
  folder: string,
  task: string,
  stages: readonly Stage[],
  seeds: readonly number[] = [0],
): Promise<string> {
  const run = new RunDirectory(folder);
  Deno.mkdirSync(join(folder, "checkpoints"), { recursive: true });
  await run.writeConfig({
    version: "0.1.0",
    task,
    seeds,
    stages: ["critic", "behavior", "policy"],
    data: { file: "data.hdf5", sha256: "0", rows: 2 },
    adapter: {},
    hyperparameters: {},
  });
  const tensors: Record<Stage, Map<string, SafeTensor>> = {
    critic: new Map([
      ...mlpTensors("q0_target.q1", 6, 8, 1),
      ...mlpTensors("q0_target.q2", 6, 8, 1),
      ...mlpTensors("policy.net", 4, 8, 2),
    ]),
    behavior: noiseModelTensors("diffusion", 4, 2, 8),
    policy: mlpTensors("net", 4, 9, 2),
  };
  for (const stage of stages) {
    const path = stage === "policy" ? run.policy : run.checkpoint(stage);
    Deno.writeFileSync(path, encode(tensors[stage]));
  }
  return folder;
}

Deno.test({
  name: "evaluate() prints a published policy's episodes, mean and D4RL score, and one JSON line",
  ignore: !mayLaunch,
  async fn() {
    const lines = await printed(
      ...[published, "--task", "hopper-medium-v2", "--episodes", "2", "--seed", "5", "--json"],
    );
    const found = JSON.parse(lines.at(-1)!);
    assertEquals(found.task, "hopper-medium-v2");
    assertEquals(found.episodes.map(({ seed }: { seed: number }) => seed), [
      10005000000,
      10005000001,
    ]);
    for (const episode of found.episodes) {
      // Published: 3754.2 ± 8.3 over episodes. The tolerance is three standard deviations.
      assertAlmostEquals(episode.return, 3754.2, 3 * 8.3);
      assertEquals(episode.length, 1000);
    }
    const [first, second] = found.episodes;
    assertAlmostEquals(found.mean_return, (first.return + second.return) / 2, 1e-9);
    assertAlmostEquals(found.std_return, Math.abs(first.return - second.return) / 2, 1e-9);
    assertAlmostEquals(found.score, 100 * (found.mean_return + 20.272305) / 3254.572305, 1e-9);
    // The paper's table has no column for a policy of unknown origin.
    assertEquals(found.paper_score, null);
    assertEquals([found.reached_goal, first.reached_goal], [null, null]);
    assertAlmostEquals((first.score + second.score) / 2, found.score, 1e-9);
    assertEquals([found.policy, found.files], ["file", [published]]);
    assertEquals(found.versions.profile, "mjpy");
    assert(found.action_latency_ms.file > 0);
    assertEquals(lines.filter((line) => line.startsWith("episode ")).length, 2);
    assert(!lines.some((line) => line.startsWith("paper ")));
  },
});

Deno.test({
  name: "evaluate() plays a published linear policy with the normalization in its file",
  ignore: !mayLaunch,
  async fn() {
    const file = projectFile("tests/fixtures/policies/ars-hopper.safetensors");
    const lines = await printed(file, "--task", "Hopper-v3", "--episodes", "3", "--json");
    for (const episode of JSON.parse(lines.at(-1)!).episodes) {
      // Published: 3343.9 ± 5.7 over episodes. The tolerance is three standard deviations.
      assertAlmostEquals(episode.return, 3343.9, 3 * 5.7);
    }
    assert(
      lines.includes(
        "network      11-3, output clipped to [-1, 1], no bias, " +
          "observations normalized and clipped to 10 standard deviations",
      ),
    );
  },
});

Deno.test({
  name: "evaluate() reads the task from an actor's metadata and notes converted weights",
  ignore: !mayLaunch || !mayUseFiles,
  fn: () =>
    withFolder(async (folder) => {
      const tensors = mlpTensors("net", 4, 2);
      const { shape, data } = tensors.get("net.0.weight")!;
      const wide = Float64Array.from(data as Float32Array);
      tensors.set("net.0.weight", { dtype: "F64", shape, data: wide });
      const file = join(folder, "actor.safetensors");
      Deno.writeFileSync(file, encode(tensors, { task: "maze2d-open-v0", seed: "3" }));
      const lines = await printed(file, "--episodes", "1", "--json");
      assertEquals(JSON.parse(lines.at(-1)!).task, "maze2d-open-v0");
      assert(
        lines.includes("note: float64 weights were converted to float32: net.0.weight"),
        lines.join("\n"),
      );
    }),
});

Deno.test("evaluate() --help describes an option that several actors have for each of them", async () => {
  const lines = (await printed("--help")).join("\n").replaceAll(/\s+/g, " ");
  assert(
    lines.includes(
      "--candidates N Number of candidates for SRPO's idql (default: 32); number of candidates for " +
        "IDQL's idql, of which the official code compares 16, 64 and 256 (default: 64); number of " +
        "candidates for diffusion-ql (default: 50)",
    ),
    lines,
  );
});

Deno.test({
  name: "evaluate() plays and times the three actors of a run, on a running server",
  ignore: !mayLaunch || !mayUseFiles,
  fn: () =>
    withFolder(async (folder) => {
      const run = await writeRun(folder, "maze2d-open-v0", ["critic", "behavior", "policy"]);
      await using server = await launchServer({ kind: "wasm" });
      const address = new URL(server.url);
      const token = address.searchParams.get("token")!;
      address.search = "";
      const play = async (...args: string[]) =>
        JSON.parse(
          (await printed(
            ...[run, "--episodes", "2", "--server", address.href, "--token", token, "--json"],
            ...["--candidates", "1000", "--steps", "4", ...args],
          )).at(-1)!,
        );
      const [srpo, awr, idql] = [
        await play(),
        await play("--policy", "awr"),
        await play("--policy", "idql"),
      ];
      assertEquals([srpo.policy, awr.policy, idql.policy], ["srpo", "awr", "idql"]);
      assertEquals(srpo.files, [join(run, "policy.safetensors")]);
      assertEquals(
        idql.files,
        ["behavior", "critic"].map((stage) => join(run, "checkpoints", `${stage}.safetensors`)),
      );
      for (const found of [srpo, awr, idql]) {
        assertEquals(found.task, "maze2d-open-v0");
        assertEquals(found.mean_length, 150);
        assertEquals(Object.keys(found.action_latency_ms), ["srpo", "awr", "idql"]);
        // 4-9-2 and 4-8-2. For idql: four steps, each with a time embedding and 1,000 predictions,
        // and 1,000 twin Q.
        assertEquals(found.action_flops, {
          srpo: 2 * (4 * 9 + 9 * 2),
          awr: 2 * (4 * 8 + 8 * 2),
          idql: 4 * (168 + 1000 * 1248) + 1000 * 2 * 112,
        });
        assertEquals([found.adapter.srpo, found.adapter.awr], [null, null]);
        assertEquals(typeof found.adapter.idql, "string");
        assertEquals(found.paper_score, null);
      }
      assertEquals((await play("--policy", "idql")).episodes, idql.episodes);
      // The actor's name in version 0.2.
      const lines = await printed(
        ...[run, "--episodes", "2", "--server", address.href, "--token", token, "--json"],
        ...["--policy", "iql"],
      );
      assert(lines.includes("note: --policy iql is now called awr"), lines.join("\n"));
      const text = lines.join("\n");
      assertMatch(text, /one action {3}srpo \S+ ms \(1\.0×\), 108 FLOP \(1\.0×\)\n/);
      // Few candidates are drawn on the CPU.
      assertMatch(text, /\n {13}idql \S+ ms \(\S+×\), \S+ kFLOP \(\S+×\)\n/);
      const former = JSON.parse(lines.at(-1)!);
      assertEquals([former.policy, former.episodes], ["awr", awr.episodes]);
    }),
});

Deno.test({
  name: "evaluate() accepts the folder of one seed, and asks for one in a run of several seeds",
  ignore: !mayLaunch || !mayUseFiles,
  fn: () =>
    withFolder(async (folder) => {
      const run = await writeRun(folder, "maze2d-open-v0", [], [3, 4]);
      const one = join(run, "seed-4");
      Deno.mkdirSync(one);
      await new RunDirectory(one).writeConfig({
        ...new RunDirectory(run).readConfig(),
        seeds: [4],
      });
      Deno.writeFileSync(
        new RunDirectory(one).policy,
        encode(mlpTensors("net", 4, 9, 2)),
      );
      const found = JSON.parse((await printed(one, "--episodes", "1", "--json")).at(-1)!);
      assertEquals([found.task, found.policy], ["maze2d-open-v0", "srpo"]);
      await assertRejects(
        () => printed(run),
        UserError,
        `${run} holds 2 seeds; give the folder of one, for example ${join(run, "seed-3")}`,
      );
    }),
});

Deno.test({
  name: "evaluate() --record writes the simulator's positions at every step",
  ignore: !mayLaunch || !mayUseFiles,
  fn: () =>
    withFolder(async (folder) => {
      const run = await writeRun(folder, "maze2d-open-v0", ["policy"]);
      const file = join(folder, "walk.safetensors");
      await printed(run, "--episodes", "2", "--record", file);
      const { tensors, metadata } = decode(Deno.readFileSync(file), file);
      assertEquals(metadata.environment, "maze2d-open-v0");
      assertEquals(metadata.seeds, "10000000000,10000000001");
      assertEquals(tensors.get("episode.0.qpos")!.shape, [151, 2]);
      const environment = await makeEnvironment("maze2d-open-v0", 1);
      const start = await environment.reset([10000000001]);
      await environment.close();
      assertEquals(tensors.get("episode.1.qpos")!.data.slice(0, 2), start.slice(0, 2));
    }),
});

Deno.test({
  name: "evaluate() rejects policies that it cannot play, naming what it expected and found",
  ignore: !mayLaunch || !mayUseFiles,
  fn: () =>
    withFolder(async (folder) => {
      const refuses = (message: string, ...args: string[]) =>
        assertRejects(() => printed(...args), UserError, message);
      const run = await writeRun(join(folder, "run"), "hopper-medium-v2", ["critic"]);
      const nothing = join(folder, "nothing");
      await refuses(`${nothing}: no such file or folder`, nothing);
      await refuses("is not a run directory: cannot read", folder);
      await refuses("give --task", published);
      await refuses(
        "is a file with a single policy",
        published,
        "--task",
        "hopper",
        "--policy",
        "iql",
      );
      await refuses(
        `${join(run, "checkpoints", "policy.safetensors")} does not exist; available: --policy awr`,
        run,
      );
      await refuses("but hopper-medium-v2 has 11", run, "--policy", "awr");
      await refuses('no built-in environment is called "hoper"', published, "--task", "hoper");
      await refuses("did you mean --task?", published, "--taks", "hopper");
      await refuses(
        `--candidates has no effect: ${published} has no policy with this option`,
        ...[published, "--task", "hopper", "--candidates", "4"],
      );
      await refuses(
        "--retry is for episodes; --episodes 0 plays none",
        ...[published, "--episodes", "0", "--fqe", "data.hdf5", "--retry", "3"],
      );
      await refuses(
        "--server needs wasm, python or",
        published,
        "--task",
        "hopper",
        "--server",
        "x",
      );
      await refuses(
        "cannot be reached",
        ...[published, "--task", "hopper", "--server", "ws://127.0.0.1:9"],
      );
      await refuses(
        "--profile chooses the physics of the built-in server",
        ...[published, "--task", "hopper", "--server", "python", "--profile", "mj22"],
      );
      await refuses(
        "there is no folder",
        ...[published, "--task", "hopper", "--record", join(folder, "no", "walk.safetensors")],
      );
      const broken = join(folder, "broken.safetensors");
      Deno.writeFileSync(broken, encode(mlpTensors("actor", 11, 3)));
      await refuses(
        `${broken}: expected a tensor net.0.weight of [any, any], found none`,
        ...[broken, "--task", "hopper"],
      );
      const refusesActor = async (
        message: string,
        more: Iterable<[string, SafeTensor]>,
        metadata: Record<string, string> = {},
      ) => {
        Deno.writeFileSync(
          broken,
          encode(new Map([...mlpTensors("net", 11, 3), ...more]), metadata),
        );
        await refuses(`${broken}: ${message}`, broken, "--task", "hopper");
      };
      const vector = (length: number, value = 1): SafeTensor => ({
        dtype: "F32",
        shape: [length],
        data: new Float32Array(length).fill(value),
      });
      await refusesActor("log_std: unknown tensors for an actor", [["log_std", vector(3)]]);
      await refusesActor("observations are normalized by obs_rms.mean and obs_rms.var, so", [
        ["obs_rms.mean", vector(11)],
        ["obs_rms.var", vector(11)],
      ]);
      await refusesActor("unknown actor metadata squash", [], { squash: "no" });
      await refusesActor("tensor net.0.bias holds NaN at [0]", [["net.0.bias", vector(3, NaN)]]);
      // From our own checkpoints only the policy is read; in other files, unused tensors are
      // errors.
      const q = mlpTensors("q0.q1", 6, 8, 1);
      const policy = mlpTensors("policy.net", 11, 3);
      Deno.writeFileSync(broken, encode(new Map([...q, ...policy])));
      await refuses("q0.q1.0.weight, q0.q1.0.bias, q0.q1.2.weight", broken, "--task", "hopper");
      Deno.writeFileSync(
        broken,
        encode(new Map([...q, ...policy]), { format: "pt", stage: "critic", step: "7" }),
      );
      const lines = await printed(broken, "--task", "hopper", "--episodes", "1");
      assert(lines.includes("network      11-3, tanh output"));
    }),
});

Deno.test({
  name: "eval does not load WebGPU",
  ignore: !mayLaunch,
  async fn() {
    const info = await new Deno.Command(Deno.execPath(), {
      args: ["info", "--json", projectFile("lib/commands/eval.ts")],
    }).output();
    const { modules, roots } = JSON.parse(new TextDecoder().decode(info.stdout));
    const loaded = reachable(modules, roots[0]);
    assert(loaded.some((specifier) => specifier.endsWith("lib/nn/host/mlp.ts")));
    assertEquals(
      loaded.filter((specifier) => /lib\/(gpu|autodiff)\/|training\.ts$/.test(specifier)),
      [],
    );
  },
});

/** Returns the modules that `start` imports statically, directly or indirectly. */
function reachable(
  modules: readonly {
    readonly specifier: string;
    readonly dependencies?: readonly {
      readonly isDynamic?: boolean;
      readonly code?: { readonly specifier?: string };
    }[];
  }[],
  start: string,
): string[] {
  const found = new Set([start]);
  for (const from of found) {
    const { dependencies = [] } = modules.find(({ specifier }) => specifier === from) ?? {};
    for (const { isDynamic, code } of dependencies) {
      if (!isDynamic && code?.specifier !== undefined) found.add(code.specifier);
    }
  }
  return [...found];
}

Deno.test({
  name: "eval: stops on a signal and exits with 130, or 143 for SIGTERM and SIGHUP",
  ignore: !mayLaunch || Deno.build.os === "windows",
  fn: async () => {
    for (const [signal, expected] of [["SIGINT", 130], ["SIGHUP", 143]] as const) {
      const child = new Deno.Command(Deno.execPath(), {
        args: [
          "run",
          "-A",
          "cli.ts",
          "eval",
          published,
          "--task",
          "Hopper-v3",
          "--episodes",
          "500",
        ],
        cwd: projectFile("."),
        stdout: "piped",
        stderr: "piped",
      }).spawn();
      let errors = "";
      for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) {
        // The first step prints a progress line. Playing the episodes would take minutes.
        if (errors === "") child.kill(signal);
        errors += text;
      }
      await child.stdout.cancel();
      assertEquals((await child.status).code, expected, errors);
      assertMatch(errors, /^eval +\d+\/500,000 +0 %/);
      assertMatch(errors, /stopping the evaluation/);
    }
  },
});
