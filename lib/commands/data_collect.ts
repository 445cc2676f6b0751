/**
 * `data collect`: records data sets in D4RL's format from a policy, random actions or maze2d's
 * planner.
 *
 * @module
 */
import { type DatasetContents, writeDataset } from "../data/writer.ts";
import { collectSteps, randomPolicy } from "../envs/collect.ts";
import { openEnvironment } from "../envs/bridge/open.ts";
import { collectMaze2d } from "../envs/planner.ts";
import { makeEnvironment } from "../envs/registry.ts";
import { maxEpisodeSeed } from "../envs/seeds.ts";
import type { EnvironmentSpec } from "../envs/environment.ts";
import { UserError } from "../errors.ts";
import { checkRange, scaledPolicy } from "../nn/host/action_bounds.ts";
import type { Policy } from "../nn/host/policy.ts";
import { checkNew, checkWritable } from "../files.ts";
import { Progress, standardError } from "../runs/progress.ts";
import { openTrained, type TrainedPolicy } from "../runs/trained.ts";
import { version } from "../version.ts";
import { choice, type FlagValues, integer, number, parseFlags, text, toggle } from "./flags.ts";
import { helpText } from "./help.ts";

const command = {
  name: "data collect",
  summary:
    "Plays a policy, random actions or maze2d's planner, and writes the steps to a file in " +
    "D4RL's format.",
  positionals: [],
  flags: {
    task: text(
      "Environment: a D4RL task or another built-in environment id. For antmaze, episodes have the " +
        "starts and goals of D4RL's data of the task",
      { valueName: "TASK" },
    ),
    env: text("Environment id, if it is not a D4RL task, for example Pendulum-v1", {
      valueName: "ID",
    }),
    server: choice("Server of the environment: wasm (built in) or python (bridge/)", [
      "wasm",
      "python",
    ], { shown: "wasm" }),
    out: text("HDF5 file to write", { valueName: "FILE" }),
    overwrite: toggle("Replace the --out file if it exists"),
    steps: integer("Number of steps, which is the number of rows in the file", {
      min: 1,
      max: 100_000_000,
      fallback: 100_000,
    }),
    policy: text(
      "Policy to play: a run directory or a .safetensors file, as for eval, or the word random " +
        "for uniform random actions (write ./random for a file of that name)",
      { valueName: "FILE|random" },
    ),
    noise: number(
      "Standard deviation of the normal noise added to each action before clipping",
      {
        min: 0,
        max: 1000,
        fallback: 0,
      },
    ),
    epsilon: number("Probability of replacing an action by a uniform draw from its range", {
      min: 0,
      max: 1,
      fallback: 0,
    }),
    planner: toggle("Play D4RL's waypoint planner instead of a policy (maze2d tasks)"),
    seed: integer("Random seed; the same seed gives the same data", {
      max: maxEpisodeSeed,
      fallback: 0,
    }),
    profile: choice("Physics of the built-in environment", ["mjpy", "mj22"], {
      shown: "the one behind the task's published results",
    }),
  },
} as const;

/**
 * Collects steps and writes them to a file.
 *
 * @throws {UserError} If a flag is invalid or missing, the task is unknown, the policy's sizes do
 * not match the environment's, or the file cannot be written.
 */
export async function dataCollect(args: readonly string[]): Promise<void> {
  const parsed = parseFlags(command, args);
  if (parsed === "help") return console.log(helpText(command));
  const { flags } = parsed;
  if (flags.task !== undefined && flags.env !== undefined) {
    throw new UserError("--task and --env both name the environment; give only one of them");
  }
  const task = needed(
    flags.env ?? flags.task,
    "task",
    "the environment, for example --task hopper-medium-v2, or --env Pendulum-v1 --server python",
  );
  const out = needed(flags.out, "out", "the file to write, for example --out hopper.hdf5");
  if (flags.planner === (flags.policy !== undefined)) {
    throw new UserError(
      "data collect needs one of --policy FILE, --policy random and --planner; " +
        (flags.planner ? "both --policy and --planner are given" : "none is given"),
    );
  }
  await (flags.overwrite ? checkWritable(out) : checkNew(out, "--overwrite"));
  const begin = performance.now();
  const contents = flags.planner ? await planned(task, flags) : await played(task, flags);
  await writeDataset(out, contents);
  const seconds = (performance.now() - begin) / 1000;
  console.log(`wrote ${flags.steps} steps of ${task} to ${out} in ${seconds.toFixed(1)} s`);
}

type Flags = FlagValues<typeof command.flags>;

function needed(value: string | undefined, flag: string, what: string): string {
  if (value === undefined) throw new UserError(`data collect needs --${flag}: ${what}`);
  return value;
}

/** Rejects the flags `names` if given, because they apply only to `what`. */
function refuse(
  names: readonly ("noise" | "epsilon" | "profile" | "server")[],
  flags: Flags,
  what: string,
) {
  const given = names.find((name) => flags[name] !== command.flags[name].fallback);
  if (given !== undefined) throw new UserError(`--${given} applies to ${what}`);
}

async function planned(task: string, flags: Flags): Promise<DatasetContents> {
  refuse(["noise", "epsilon", "profile", "server"], flags, "--policy, not to --planner");
  const rows = await collectMaze2d(task, flags.steps, flags.seed);
  const { qpos, qvel, goals, ...columns } = rows;
  return {
    observationSize: 4,
    actionSize: 2,
    ...columns,
    infos: { qpos, qvel, goal: goals },
    metadata: {
      task,
      source: "waypoint planner",
      seed: BigInt(flags.seed),
      "srpo-webgpu": version,
    },
  };
}

/** Returns the policy, with its actions scaled to the environment's range. */
function policyOf(
  { policy, actionBounds, files }: TrainedPolicy,
  { id, actionLow: low, actionHigh: high }: EnvironmentSpec,
): Policy {
  checkRange(files.join(" and "), actionBounds, { low, high }, id);
  return actionBounds === null ? policy : scaledPolicy(policy, actionBounds);
}

async function played(task: string, flags: Flags): Promise<DatasetContents> {
  const { steps, seed, noise, epsilon, profile } = flags;
  const isRandom = flags.policy === "random";
  if (isRandom) refuse(["noise", "epsilon"], flags, "--policy FILE, not to --policy random");
  const trained = isRandom ? null : openTrained(flags.policy!).load(null);
  for (const note of trained?.notes ?? []) console.error(`note: ${note}`);
  const remote = flags.server === "python"
    ? await openEnvironment({ server: flags.server, profile }, task, 1)
    : null;
  if (remote !== null && remote.note !== null) console.error(`note: ${remote.note}`);
  const environment = remote?.environment ??
    await makeEnvironment(task, 1, { collection: true, ...(profile !== undefined && { profile }) });
  try {
    const progress = new Progress("collect", steps, standardError());
    const { state, ...columns } = await collectSteps(
      environment,
      trained === null ? randomPolicy(environment.spec) : policyOf(trained, environment.spec),
      { noise, epsilon },
      steps,
      seed,
      (done) => {
        if (done % 1000 === 0 || done === steps) progress.update(done, {});
      },
    );
    progress.finish();
    const { observationSize, actionSize, actionLow, actionHigh, versions } = environment.spec;
    return {
      observationSize,
      actionSize,
      ...columns,
      ...(state !== null && { infos: { ...state } }),
      metadata: {
        task,
        source: trained?.files.join(" and ") ?? "uniform random actions",
        seed: BigInt(seed),
        noise,
        epsilon,
        ...versions,
        "srpo-webgpu": version,
        ...(remote !== null && {
          server: flags.server!,
          action_low: actionLow,
          action_high: actionHigh,
        }),
      },
    };
  } finally {
    await (remote ?? environment).close();
  }
}
