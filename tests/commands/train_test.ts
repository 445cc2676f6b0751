import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { fileURLToPath } from "node:url";
import type { GivenCheckpoint, Json } from "../../lib/runs/config.ts";
import { RunDirectory } from "../../lib/runs/directory.ts";
import { readResults } from "../../lib/runs/results.ts";

const granted = (["read", "write", "run", "env", "ffi"] as const).every((name) =>
  Deno.permissions.querySync({ name }).state === "granted"
);
const root = fileURLToPath(new URL("../..", import.meta.url));
const broken = `${root}tests/fixtures/datasets-bad`;

/** Starts a training command in a child process. */
function command(args: readonly string[], cwd = root): Deno.Command {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", `${root}cli.ts`, "train", ...args],
    cwd,
    stdout: "piped",
    stderr: "piped",
  });
}

async function train(args: readonly string[], cwd = root) {
  const { code, stdout, stderr } = await command(args, cwd).output();
  const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, out: decode(stdout), err: decode(stderr) };
}

const refusals: readonly [name: string, args: string[], message: RegExp][] = [
  ["an unknown flag", ["--crtic-steps", "5"], /--crtic-steps.*--critic-steps/],
  ["a negative step count", ["--critic-steps", "-5"], /--critic-steps.*-5/],
  ["an unknown task", ["hoper-medium-v2"], /hoper-medium-v2.*hopper-medium-v2/],
  ["a task whose data are not there", ["hopper-medium-v2"], /hopper_medium-v2\.hdf5/],
  ["a file of no known task", [`${broken}/../datasets/hopper-mixed-20k.hdf5`], /--task/],
  ["an output folder it cannot make", ["--out", "/proc/none"], /\/proc\/none.*--out/],
  [
    "a value without effect",
    ["--fixed-time", "0.1"],
    /--fixed-time.*only with weighting fixed_time/,
  ],
  ["a policy stage without checkpoints", ["--stage", "policy"], /--critic/],
  ["a resumed folder that is no run", ["--resume", "lib"], /lib is not a run/],
  [
    "the data of another task, whose actions are out of this one's range",
    [`${broken}/actions-out-of-range.hdf5`, "--task", "walker2d-medium-v2"],
    /each row has 11 observation and 3 action entries, but walker2d-medium-v2 needs 17 and 6/,
  ],
  ...[
    ["truncated", /truncated\.hdf5/],
    ["wrong-dtype", /wrong-dtype\.hdf5.*actions/],
    ["missing-key", /missing-key\.hdf5.*actions/],
    ["nan-rewards", /nan-rewards\.hdf5.*rewards.*3/],
    ["mismatched-lengths", /mismatched-lengths\.hdf5.*rewards/],
    ["empty", /empty\.hdf5/],
    ["not-hdf5", /not-hdf5\.hdf5/],
    ["actions-out-of-range", /actions-out-of-range\.hdf5.*actions.*row/],
  ].map(([name, message]) =>
    [
      `the broken file ${name}`,
      [`${broken}/${name}.hdf5`, "--task", "hopper-medium-v2"],
      message as RegExp,
    ] as [string, string[], RegExp]
  ),
];

Deno.test({
  name: "train rejects invalid requests with one message, before creating a run",
  ignore: !granted,
  fn: async (t) => {
    const runs = Deno.makeTempDirSync();
    try {
      for (const [name, args, message] of refusals) {
        await t.step(name, async () => {
          const out = args.includes("--out") || args.includes("--resume")
            ? []
            : ["--out", `${runs}/run`];
          const { code, err } = await train([...args, ...out]);
          assertEquals(code, 1, err);
          assertMatch(err, message);
          assert(!err.includes("    at "), `a stack trace:\n${err}`);
          assertEquals([...Deno.readDirSync(runs)].length, 0, "a run directory was made");
        });
      }
    } finally {
      Deno.removeSync(runs, { recursive: true });
    }
  },
});

Deno.test({
  name: "train writes a run directory, stops cleanly on Ctrl-C and continues with --resume",
  ignore: !granted || Deno.build.os === "windows",
  fn: async () => {
    const parent = Deno.makeTempDirSync();
    let run = `${parent}/run`;
    const small = ["--preset", "quick", "--critic-width", "8", "--behavior-width", "8"];
    const steps = ["--critic-steps", "2000", "--behavior-steps", "4", "--policy-steps", "4"];
    try {
      const child = command([
        ...[
          "maze2d-umaze-v1",
          "--out",
          run,
          "--seed",
          "5",
          "--eval-episodes",
          "0",
          "--json",
          "--no-cache",
        ],
        ...[...small, "--policy-width", "8", "--critic-batch-size", "8", ...steps],
      ]).spawn();
      let ended = false;
      const output = child.output().finally(() => ended = true);
      // The metrics file grows while the first stage runs.
      while (!hasText(`${run}/metrics.jsonl`) && !ended) {
        await new Promise((done) => setTimeout(done, 20));
      }
      if (!ended) child.kill("SIGINT");
      const { code, stdout, stderr } = await output;
      assertEquals(code, 130, new TextDecoder().decode(stderr));
      const stopped = JSON.parse(lastLine(stdout));
      assertEquals(stopped.finished, false);
      assert(stopped.stages.critic.step < 2000);

      // The run continues in another folder and finds its data by hash.
      const recorded = new RunDirectory(run).readConfig();
      const data = recorded.data.file;
      await new RunDirectory(run).writeConfig({
        ...recorded,
        data: { ...recorded.data, file: `${parent}/gone.hdf5` },
      });
      const moved = `${parent}/moved`;
      Deno.renameSync(run, moved);
      run = moved;
      const other = `${root}tests/fixtures/datasets/hopper-mixed-20k.hdf5`;
      const refused = await train(["--resume", run, "--data", other]);
      assertEquals(refused.code, 1);
      assertMatch(refused.err, /--data|hopper-mixed-20k\.hdf5/);
      // On an adapter that computes other bits it needs --force.
      const { adapter, ...rest } = new RunDirectory(run).readConfig();
      const { probe } = adapter;
      const setProbe = (probe: Json) =>
        new RunDirectory(run).writeConfig({ ...rest, adapter: { ...adapter, probe } });
      await setProbe("0123456789abcdef");
      const elsewhere = await train(["--resume", run]);
      assertEquals(elsewhere.code, 1);
      assertMatch(
        elsewhere.err,
        new RegExp(`hash of probed results 0123456789abcdef, now ${probe}\\. .*--force`),
      );
      await setProbe(probe!);
      // A process that is killed may leave such a file. The list of files below has none.
      Deno.writeTextFileSync(`${run}/curves.svg.4711.tmp`, "");
      const resumed = await train(["--resume", run, "--json", "--live", "--tensorboard"]);
      assertEquals(resumed.code, 0, resumed.err);
      const result = JSON.parse(resumed.out.trim().split("\n").at(-1)!);
      assertEquals(result.finished, true);
      assertEquals(result.stages.critic.step, 2000);
      assertEquals(result.stages.critic.made, 2000 - stopped.stages.critic.step);
      assertStringIncludes(resumed.out, "adapter");

      const files = [...Deno.readDirSync(run)].map(({ name }) => name).sort();
      assertEquals(files, [
        "checkpoints",
        "config.json",
        "curves.svg",
        "maze.svg",
        "metrics.jsonl",
        "policy.safetensors",
        "results.json",
        "tensorboard",
        "train.log",
      ]);
      const events = [...Deno.readDirSync(`${run}/tensorboard/seed-5`)].map(({ name }) => name);
      assertMatch(events.join(), /^events\.out\.tfevents\.\d+\.srpo$/);
      const [, token] = /^live {5}http:\/\/127\.0\.0\.1:\d+\/(\w{32})\/$/m.exec(resumed.out)!;
      const config = JSON.parse(Deno.readTextFileSync(`${run}/config.json`));
      assertEquals(config.hyperparameters.criticWidth, 8);
      assertEquals(config.seeds, [5]);
      assertEquals(config.data.sha256.length, 64);
      assert(config.adapter.name.length > 0 && config.version.length > 0);
      assertEquals(config.data.file, data);
      assertEquals(config.evaluation, { every: null, episodes: 0 });
      assertEquals([config.cache, config.preset, config.given], [false, "quick", []]);
      assertEquals(config.deno, Deno.version.deno);
      assert(config.adapter.driverVersion === null || config.adapter.driverVersion.length > 0);
      // The recorded settings apply to the resumed run.
      assertEquals(resumed.out.includes("from the cache"), false);
      assertEquals(result.evaluations, []);
      const log = Deno.readTextFileSync(`${run}/train.log`);
      assert(!log.includes(token!));
      assertMatch(log, /^\d{4}-\d\d-\d\dT[\d:.]+Z {2}srpo-webgpu .*: train maze2d-umaze-v1 --out/);
      assertMatch(
        log,
        /Z {2}stopped {2}resume with[^]*train --resume[^]*Z {2}picture .*maze\.svg/,
      );

      const again = await train(["--resume", run, "--json", "--eval-episodes", "2"]);
      assertEquals(again.code, 0, again.err);
      assertStringIncludes(again.out, `cli.ts eval ${run} --episodes 2`);
      assertStringIncludes(again.out, "is already finished");
      assertEquals(JSON.parse(again.out.trim().split("\n").at(-1)!), { ...result, run });
      assertEquals(Deno.readTextFileSync(`${run}/train.log`), log);
      const rows = Deno.readTextFileSync(`${run}/metrics.jsonl`).trim().split("\n").map((line) =>
        JSON.parse(line)
      );
      for (const row of rows) {
        assertEquals(
          Object.keys(row).join(),
          "time,stage,step,seed,variant,metrics,episodes,run_id,crc32",
        );
      }
      const critic = rows.filter(({ stage }) => stage === "critic").map(({ step }) => step);
      assertEquals(critic, critic.toSorted((a, b) => a - b), "steps go back");
      assertEquals(new Set(critic).size, critic.length, "steps are there twice");
    } finally {
      Deno.removeSync(parent, { recursive: true });
    }
  },
});

Deno.test({
  name: "train sweeps per seed, builds on an earlier run, and trains nothing twice",
  ignore: !granted,
  fn: async () => {
    const folder = Deno.makeTempDirSync();
    const steps = ["--critic-steps", "5", "--behavior-steps", "5", "--policy-steps", "5"];
    const sizes = ["--critic-width", "8", "--behavior-width", "8", "--policy-width", "8"];
    const result = (out: string) => JSON.parse(out.trim().split("\n").at(-1)!);
    try {
      const first = await train([
        ...["maze2d-umaze-v1", "--preset", "quick", "--behavior-batch-size", "8"],
        ...["--seeds", "0-1", "--betas", "0.1,0.3", "--eval-episodes", "1", "--json"],
        ...[...steps, ...sizes],
      ], folder);
      assertEquals(first.code, 0, first.err);
      const swept = result(first.out);
      assertEquals(swept.variants, ["beta-0.1", "beta-0.3"]);
      assertEquals(
        swept.statistics.map((each: { stage: string; variant: string | null }) => [
          each.stage,
          each.variant,
        ]),
        [["critic", null], ["behavior", null], ["policy", "beta-0.1"], ["policy", "beta-0.3"]],
      );
      for (const { variant, stage, seeds, values, mean } of swept.statistics) {
        assertEquals(seeds, [0, 1]);
        const own = swept.evaluations.filter((row: { stage: string; variant: string | null }) =>
          row.stage === stage && row.variant === variant
        );
        assertEquals(values, own.map(({ score }: { score: number }) => score));
        assertEquals(mean, (values[0] + values[1]) / 2);
      }
      // The summary over seeds comes first, and each table explains its ±.
      assertMatch(
        first.out,
        new RegExp(
          "interquartile[^]*SRPO beta-0\\.3[^]*± is the standard deviation over the seeds 0, 1[^]*" +
            "AWR \\(step 5\\)[^]*± is the standard deviation over the 1 episode of[^]*" +
            "0 is the return of random actions \\(23\\.9\\), 100 is that of an expert \\(161\\.9\\)",
        ),
      );
      // Only actors differ in the cost of an action, which random actions and the data have none of.
      assertMatch(first.out, /reached the goal +ms\/action +per action\n/);
      assertMatch(first.out, /data .* – +– +–\n/);
      assertMatch(first.out, /IDQL \(step 5\) .* of 1 +[\d.]+ +[\d.]+ [kM]FLOP\n/);
      assertEquals(swept.action_flops.srpo, 2 * (4 * 8 + 3 * 8 * 8 + 8 * 2));
      const { run: _, ...results } = swept;
      assertEquals(readResults(`${folder}/${swept.run}/results.json`), results);
      assertEquals(Object.keys(swept.evaluations[0]).sort(), [
        "episodes",
        "mean_length",
        "mean_return",
        "policy",
        "reached_goal",
        "score",
        "seed",
        "stage",
        "std_return",
        "std_score",
        "step",
        "variant",
      ]);
      assertEquals(Object.keys(swept.action_latency_ms), ["srpo", "awr", "idql"]);
      assertEquals(swept.pictures.map((path: string) => path.replace(`${swept.run}/`, "")), [
        "curves.svg",
        "sweep.svg",
        "maze.svg",
      ]);

      const more = await train([
        ...["--stage", "policy", "--from", swept.run, "--betas", "0.3,1", "--eval-episodes", "1"],
        ...["--out", "more", "--json"],
      ], folder);
      assertEquals(more.code, 0, more.err);
      assertMatch(more.out, /more\/seed-0-beta-0\.3 is taken from the cache .*runs\/maze2d/);
      const { seeds, stages, evaluations } = result(more.out);
      assertEquals(seeds, [0, 1]);
      // The evaluation of the given critic matches that in its own run.
      const critics = (rows: { stage: string }[]) => rows.filter(({ stage }) => stage === "critic");
      assertEquals(critics(evaluations), critics(swept.evaluations));
      assertMatch(more.out, /data +23\.5[^]*AWR \(step 5\)/);
      // IDQL acts slowly, so only the run that trains the behavior model evaluates it.
      assert(evaluations.every(({ stage }: { stage: string }) => stage !== "behavior"));
      const { given } = JSON.parse(Deno.readTextFileSync(`${folder}/more/seed-1/config.json`));
      assertEquals(
        given.map(({ stage, seed, run, file }: GivenCheckpoint) => [stage, seed, run, file]),
        ["critic", "behavior"].map((stage) => [
          stage,
          1,
          Deno.realPathSync(`${folder}/${swept.run}`),
          Deno.realPathSync(`${folder}/${swept.run}/seed-1/checkpoints/${stage}.safetensors`),
        ]),
      );
      assertEquals(given[0].sha256.length, 64);
      assertEquals(stages.policy.cached.map(({ directory }: { directory: string }) => directory), [
        "more/seed-0-beta-0.3",
        "more/seed-1-beta-0.3",
      ]);
      const { openTrained } = await import("../../lib/runs/trained.ts");
      for (const name of ["seed-0-beta-0.3", "seed-1-beta-1"]) {
        const trained = openTrained(`${folder}/more/${name}`);
        assertEquals(trained.ways, ["srpo", "awr", "idql"]);
        assertEquals(trained.load(null).policy.actionSize, 2);
      }
      // A cached stage without the evaluations that are asked for is trained again.
      const watched = await train([
        ...["maze2d-umaze-v1", "--preset", "quick", "--stage", "critic", ...steps.slice(0, 2)],
        ...[...sizes.slice(0, 2), "--eval-every", "2", "--eval-episodes", "1", "--out", "watched"],
      ], folder);
      assertMatch(watched.out, /seed 0 is not taken from the cache, .* lacks 2 of 2 evaluations/);
      // Given networks of other sizes are refused before a run is made.
      const checkpoint = (stage: string) => `${swept.run}/seed-0/checkpoints/${stage}.safetensors`;
      const wrong = await train([
        ...["maze2d-umaze-v1", "--preset", "quick", "--stage", "policy", "--behavior-width", "16"],
        ...["--critic", checkpoint("critic"), "--behavior", checkpoint("behavior")],
        ...[...sizes.slice(0, 2), "--out", "wrong"],
      ], folder);
      assertEquals(wrong.code, 1);
      assertMatch(wrong.err, /seed-0\/checkpoints\/behavior\.safetensors: .*\[16/);
      assert(![...Deno.readDirSync(folder)].some(({ name }) => name === "wrong"));
      const beta = (path: string) =>
        JSON.parse(Deno.readTextFileSync(`${folder}/${path}/config.json`)).hyperparameters.beta;
      assertEquals(beta("more/seed-1-beta-1"), 1);
    } finally {
      Deno.removeSync(folder, { recursive: true });
    }
  },
});

Deno.test({
  name: "train stops an evaluation on SIGTERM, exits with 143, and evaluates when resumed",
  ignore: !granted || Deno.build.os === "windows",
  fn: async () => {
    const folder = Deno.makeTempDirSync();
    const run = `${folder}/run`;
    try {
      const child = command([
        ...["maze2d-umaze-v1", "--stage", "critic", "--critic-steps", "4", "--critic-width", "8"],
        ...["--eval-episodes", "1000", "--no-cache", "--out", run],
      ]).spawn();
      let errors = "";
      for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) {
        // The evaluation, which would take minutes, starts after the last step is shown.
        if (!errors.includes("evaluated") && (errors + text).includes("evaluated")) {
          child.kill("SIGTERM");
        }
        errors += text;
      }
      const { code } = await child.status;
      const out = await new Response(child.stdout).text();
      assertEquals(code, 143, errors);
      assertMatch(errors, /critic +4\/4 +100 % +evaluated \d+\/1,000 episodes/);
      assertMatch(out, /warning .*software GPU.*--preset quick[^]*memory/);
      assertMatch(out, /stopped {2}resume with/);
      const resumed = await train(["--resume", run, "--eval-episodes", "2", "--json"]);
      assertEquals(resumed.code, 0, resumed.err);
      const { finished, stages, evaluations } = JSON.parse(resumed.out.trim().split("\n").at(-1)!);
      assertEquals([finished, stages.critic.made, evaluations.length], [true, 0, 1]);
      assertEquals(evaluations[0].episodes.length, 2);
    } finally {
      Deno.removeSync(folder, { recursive: true });
    }
  },
});

function hasText(path: string): boolean {
  try {
    return Deno.statSync(path).size > 0;
  } catch {
    return false;
  }
}

function lastLine(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes).trim().split("\n").at(-1)!;
}
