import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { fileURLToPath } from "node:url";

const granted = (["read", "write", "run", "env", "ffi"] as const).every((name) =>
  Deno.permissions.querySync({ name }).state === "granted"
);
const root = fileURLToPath(new URL("../..", import.meta.url));
const broken = `${root}tests/fixtures/datasets-bad`;

/** A training command in a process of its own. */
function command(args: readonly string[]): Deno.Command {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "cli.ts", "train", ...args],
    cwd: root,
    stdout: "piped",
    stderr: "piped",
  });
}

async function train(args: readonly string[]) {
  const { code, stdout, stderr } = await command(args).output();
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
  ["a policy stage without checkpoints", ["--stage", "policy"], /--critic/],
  ["a resumed folder that is no run", ["--resume", "lib"], /lib is not a run/],
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
  name: "train refuses what it cannot train, in one message, before a run exists",
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
  name: "train leaves a run directory, stops cleanly on Ctrl-C and goes on with --resume",
  ignore: !granted || Deno.build.os === "windows",
  fn: async () => {
    const parent = Deno.makeTempDirSync();
    const run = `${parent}/run`;
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
      // The metrics file grows once the first stage runs.
      while (!hasText(`${run}/metrics.jsonl`)) await new Promise((done) => setTimeout(done, 20));
      child.kill("SIGINT");
      const { code, stdout } = await child.output();
      assertEquals(code, 0);
      const stopped = JSON.parse(lastLine(stdout));
      assertEquals(stopped.finished, false);
      assert(stopped.stages.critic.step < 2000);

      const resumed = await train([
        "--resume",
        run,
        "--eval-episodes",
        "0",
        "--json",
        "--no-cache",
      ]);
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
      ]);
      const config = JSON.parse(Deno.readTextFileSync(`${run}/config.json`));
      assertEquals(config.hyperparameters.criticWidth, 8);
      assertEquals(config.seeds, [5]);
      assertEquals(config.data.sha256.length, 64);
      assert(config.adapter.name.length > 0 && config.version.length > 0);
      const rows = Deno.readTextFileSync(`${run}/metrics.jsonl`).trim().split("\n").map((line) =>
        JSON.parse(line)
      );
      const critic = rows.filter(({ stage }) => stage === "critic").map(({ step }) => step);
      assertEquals(critic, critic.toSorted((a, b) => a - b), "steps go back");
      assertEquals(new Set(critic).size, critic.length, "steps are there twice");
    } finally {
      Deno.removeSync(parent, { recursive: true });
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
