import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseFlags } from "../../lib/commands/flags.ts";
import { helpText } from "../../lib/commands/help.ts";
import type { TrainFlags } from "../../lib/commands/train_flags.ts";
import type { Plan } from "../../lib/commands/train_plan.ts";
import { imitation } from "../algorithms/own_algorithm.ts";
import { UserError } from "../../lib/errors.ts";
import { targetOf } from "../../lib/gpu/target.ts";
import { RunDirectory } from "../../lib/runs/directory.ts";
import { encode } from "../../lib/runs/safetensors.ts";
import { hyperparametersFor } from "../../lib/algorithms/srpo/hyperparameters.ts";

const ignore = ["read", "write"].some((name) =>
  Deno.permissions.querySync({ name: name as "read" }).state !== "granted"
);
const data = fileURLToPath(new URL("../../data/maze2d-umaze-100k.hdf5", import.meta.url));
const sha256 = "00ff".repeat(16);
const hyperparameters = hyperparametersFor("maze2d", "quick", { criticWidth: 24 });

async function plan(...args: string[]): Promise<Plan> {
  const { parseTrain } = await import("../../lib/commands/train_flags.ts");
  const { makePlan } = await import("../../lib/commands/train_plan.ts");
  const { algorithm, parsed } = parseTrain(args);
  if (parsed === "help") throw new Error("help");
  return await makePlan(algorithm, parsed.what, parsed.flags);
}

/**
 * Writes the parts of a finished run of seeds 2 and 5 that a plan reads. Seed 5's critic has
 * `steps` steps.
 */
async function writeRun(folder: string, steps = hyperparameters.criticSteps): Promise<string> {
  const run = new RunDirectory(join(folder, "run"));
  Deno.mkdirSync(run.path);
  await run.writeConfig({
    version: "0.1.0",
    task: "maze2d-umaze-v1",
    seeds: [2, 5],
    stages: ["critic", "behavior", "policy"],
    data: { file: data, sha256, rows: 5 },
    adapter: {},
    hyperparameters: { ...hyperparameters },
  });
  for (const seed of [2, 5]) {
    for (const stage of ["critic", "behavior"] as const) {
      const path = run.replica(seed).checkpoint(stage);
      Deno.mkdirSync(join(path, ".."), { recursive: true });
      const step = seed === 5 && stage === "critic" ? steps : hyperparameters[`${stage}Steps`];
      Deno.writeFileSync(path, encode(new Map(), { step: String(step) }));
    }
  }
  return run.path;
}

function planTest(name: string, body: (folder: string) => Promise<void>) {
  Deno.test({
    name,
    ignore,
    fn: async () => {
      const folder = Deno.makeTempDirSync();
      try {
        await body(folder);
      } finally {
        Deno.removeSync(folder, { recursive: true });
      }
    },
  });
}

Deno.test("trainCommand() has only the algorithm's own stages, hyperparameters and sweeps", async () => {
  const { trainCommand } = await import("../../lib/commands/train_flags.ts");
  const help = helpText(trainCommand(imitation)).replaceAll(/\s+/g, " ");
  for (
    const text of [
      "Trains value and actor on a data set (Imitation: a test of this project)",
      "--stage values|control ",
      "--values FILE Checkpoint of the value for --stage control",
      "--blurs X,X,… An actor for each blur",
      "Hyperparameters (control stage): --control-steps N Steps [this test] (default: 31)",
    ]
  ) assertStringIncludes(help, text);
  for (const text of ["--betas", "--critic", "--control FILE"]) assert(!help.includes(text), text);
});

planTest(
  "makePlan() plans a custom algorithm, with its checkpoints and sweeps",
  async (folder) => {
    const { trainCommand } = await import("../../lib/commands/train_flags.ts");
    const { makePlan } = await import("../../lib/commands/train_plan.ts");
    const planOf = async (...args: string[]) => {
      const parsed = parseFlags(trainCommand(imitation), args);
      if (parsed === "help") throw new Error("help");
      return await makePlan(imitation, parsed.positionals[0], parsed.flags as TrainFlags);
    };
    const file = join(folder, "values.safetensors");
    Deno.writeFileSync(file, encode(new Map()));
    const own = ["--stage", "control", "--values", file];
    const { stages, given, variants } = await planOf(...own, "--blurs", "0.1,0.2");
    assertEquals(stages, ["control"]);
    assertEquals(given["values"]!(7), file);
    assertEquals(variants.map(({ name }) => name), ["blur-0.1", "blur-0.2"]);
    assertEquals((await planOf()).stages, ["values", "control"]);
    for (
      const [args, message] of [
        [
          "--stage control",
          "--stage control needs the value: give --from DIR, or --values FILE; --values",
        ],
        ["--blurs 0.1 --blur 0.1", "--blurs and --blur are both given"],
        ["--blurs 0.1 --stage values", "--blurs applies to the control stage"],
        [`--stage control --from ${await writeRun(folder)}`, "is a run of srpo"],
      ] as const
    ) await assertRejects(() => planOf(...args.split(" ")), UserError, message, args);
  },
);

planTest("makePlan() combines the lists of a sweep", async () => {
  const { variants, hyperparameters, seeds } = await plan(
    ...["--betas", "0.5,1", "--weightings", "constant,fixed_time", "--baselines", "false"],
    ...["--seeds", "1-3"],
  );
  assertEquals(variants.map(({ name }) => name), [
    "beta-0.5-weighting-constant-baseline-false",
    "beta-0.5-weighting-fixed_time-baseline-false",
    "beta-1-weighting-constant-baseline-false",
    "beta-1-weighting-fixed_time-baseline-false",
  ]);
  assertEquals(hyperparameters["beta"], 0.5);
  assertEquals(seeds, [1, 2, 3]);
});

planTest("makePlan() accepts --betas for a task without a published β", async () => {
  const { variants } = await plan(data, "--task", "maze2d-umaze-v1", "--betas", "0.5");
  assertEquals(variants.map((variant) => variant.hyperparameters["beta"]), [0.5]);
});

planTest("makePlan() --from reuses data, seeds and hyperparameters", async (folder) => {
  const run = await writeRun(folder);
  const found = await plan("--stage", "policy", "--from", run, "--policy-layers", "4");
  assertEquals(found.task.name, "maze2d-umaze-v1");
  assertEquals(found.paths, [data]);
  assertEquals(found.expected, { sha256, run });
  assertEquals(found.seeds, [2, 5]);
  assertEquals(found.hyperparameters, { ...hyperparameters, policyLayers: 4 });
  assertEquals(found.given["critic"]!(5), join(run, "seed-5/checkpoints/critic.safetensors"));
  assertEquals(found.given["behavior"]!(2), join(run, "seed-2/checkpoints/behavior.safetensors"));
  const one = await plan("--stage", "policy", "--from", run, "--seed", "5", "--betas", "1,2");
  assertEquals(one.seeds, [5]);
  assertEquals(one.variants.length, 2);
});

planTest("makePlan() rejects conflicting flags and unusable runs", async (folder) => {
  const run = await writeRun(folder);
  const early = await writeRun(Deno.makeTempDirSync({ dir: folder }), 10);
  for (
    const [args, message] of [
      ["--betas 1 --beta 2", "--betas and --beta are both given"],
      ["--weightings constant --weighting constant", "--weightings and --weighting are both"],
      ["--baselines true --subtract-baseline true", "--baselines and --subtract-baseline are both"],
      ["--betas 1 --stage critic", "--betas applies to the policy stage"],
      [`--from ${run}`, "--from requires --stage policy"],
      [`--stage policy --from ${run} --critic a`, "remove --critic"],
      [`--stage policy --from ${run} --preset quick`, "remove --preset"],
      [`--stage policy --from ${run} --seeds 2-4`, `${run} has no seed 3, only 2, 5`],
      [`--stage policy --from ${folder}`, "is not a run directory"],
      [
        `--stage policy --from ${early}`,
        `stopped at step 10 of ${hyperparameters.criticSteps}; finish it`,
      ],
      ["--stage policy", "--critic is missing"],
      ["--critic a", "--critic requires --stage policy"],
      ["--algorithm srpp", 'unknown algorithm "srpp"; expected one of srpo'],
      ["--stage policy --critic none --behavior none", "cannot read checkpoint none"],
      ["--algorithm iql --critic-steps 5", "see `train --algorithm iql --help`"],
      ["--resume x --betas 1", "remove --betas"],
      ["--data x", "--data is only for --resume"],
      ["--stage critic --policy-steps 5", "--policy-steps has no effect: it belongs to the policy"],
      [
        "--stage behavior --reward-rule none",
        "--reward-rule has no effect: it belongs to the critic",
      ],
      [
        `--stage policy --from ${run} --critic-steps 20`,
        `--critic-steps has no effect: it belongs to the critic stage, which is taken from ${run}`,
      ],
      [`--stage policy --from ${run} --behavior-width 8`, "--behavior-width has no effect"],
      ["--stage policy --critic a --behavior b --critic-steps 5", "--critic-steps has no effect"],
      // Flags that set the shapes of networks in given files have an effect.
      [
        "--stage policy --critic none --behavior none --critic-width 8",
        "cannot read checkpoint none",
      ],
    ] as const
  ) {
    await assertRejects(() => plan(...args.split(" ")), UserError, message, args);
  }
  for (
    const [args, message] of [
      ["--betas 1,1", "--betas needs distinct values (1 is repeated)"],
      ["--betas 1,-1", "--betas needs a number from 0 to 1000"],
      ["--weightings sigma2,sigma", "--weightings needs one of sigma2, sigma4, alpha_over_sigma"],
      ["--baselines yes", "--baselines needs true or false"],
    ] as const
  ) {
    await assertRejects(() => plan(...args.split(" ")), UserError, message, args);
  }
});

planTest("makePlan() --resume names the field of config.json that does not fit", async (folder) => {
  const path = await writeRun(folder);
  const run = new RunDirectory(path);
  const config = { ...run.readConfig(), adapter: { ...targetOf("subgroups") } };
  await run.writeConfig(config);
  assertEquals((await plan("--resume", path)).target, targetOf("subgroups"));
  // As version 0.3 recorded it.
  await run.writeConfig({ ...config, adapter: { matmul: "tiled", matmulLanes: 16 } });
  assertEquals((await plan("--resume", path)).target, targetOf("tiled"));
  const sweep = { betas: [0.1, 0.2] };
  await run.writeConfig({ ...config, sweep });
  assertEquals((await plan("--resume", path)).variants.length, 2);
  for (
    const [change, message] of [
      [{ stages: ["critics"] }, 'field "stages" needs distinct names of critic, behavior, policy'],
      [{ stages: [] }, 'field "stages" needs a list of one or more names, found []'],
      [
        { hyperparameters: { ...hyperparameters, criticSteps: "x" } },
        'field "hyperparameters": --critic-steps needs a whole number',
      ],
      [{ sweep: { betas: ["x"] } }, 'field "sweep.betas": --beta needs a number'],
      [{ sweep: { alphas: [1] } }, 'field "sweep.alphas" is unknown to this version'],
      [{ adapter: {} }, 'field "adapter.matmul" needs one of subgroups, registers, tiled, mixed'],
      [
        { adapter: { matmul: "mixed", tiles: { NT: { large: "32x4" } } } },
        'field "adapter.tiles" needs a tile like lanes-32x4-8x1-4 for each of NT, NN, TN',
      ],
    ] as const
  ) {
    await run.writeConfig({ ...config, ...change });
    await assertRejects(() => plan("--resume", path), UserError, `${run.config}: ${message}`);
  }
});

planTest("makePlan() --resume takes another --matmul than the run began with", async (folder) => {
  const path = await writeRun(folder);
  const { target } = await plan("--resume", path, "--matmul", "registers");
  assertEquals(target, targetOf("registers"));
  assertEquals((await plan("--resume", path, "--matmul", "auto")).target, undefined);
});

Deno.test("resumingArguments() keeps what a process was asked to do, and the settings of --resume", async () => {
  const { parseTrain, resumingArguments } = await import("../../lib/commands/train_flags.ts");
  const again = (...args: string[]) => {
    const { parsed } = parseTrain(args);
    return resumingArguments("runs/a", (parsed as Exclude<typeof parsed, "help">).flags);
  };
  assertEquals(
    again("maze2d-umaze-v1", "--seeds", "0-1", "--live", "--eval-every", "5", "--matmul", "tiled"),
    ["--resume=runs/a", "--live"],
  );
  assertEquals(
    again("--resume", "runs/a", "--eval-every=5", "--data", "b.hdf5", "--json", "--no-cache"),
    ["--resume=runs/a", "--json", "--data=b.hdf5", "--no-cache", "--eval-every=5"],
  );
});

Deno.test("parseTrain() refuses what would change the run of --resume, finished or not", async () => {
  const { parseTrain } = await import("../../lib/commands/train_flags.ts");
  for (const surplus of ["--policy-steps=30", "--seeds=0,1", "--stage=policy", "data.hdf5"]) {
    assertThrows(
      () => parseTrain(["--resume", "x", surplus]),
      UserError,
      `--resume continues a run with its original settings; remove ${surplus}`,
    );
  }
});
