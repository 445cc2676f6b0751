/**
 * The command line of `train`: its flags, which depend on the algorithm, and how they are parsed.
 *
 * @module
 */
import { UserError } from "../errors.ts";
import { matmulVariants } from "../gpu/target.ts";
import type { Algorithm, StageDefinition } from "../algorithms/algorithm.ts";
import { algorithms, defaultAlgorithm, findAlgorithm } from "../algorithms/registry.ts";
import {
  choice,
  type CommandLine,
  type FlagTable,
  type FlagValues,
  integer,
  maxSeed,
  parseFlags,
  seeds,
  text,
  toggle,
} from "./flags.ts";
import { ownTaskFlags } from "./own_task.ts";
import { hyperparameterFlags, sweepFlags } from "./hyperparameter_flags.ts";

/** Task to train on by default. Its sample data come with the project. */
export const demoTask = "maze2d-umaze-v1";

/** Default number of episodes per evaluation. */
export const defaultEpisodes = 20;

/** Returns the flags of `train` that all algorithms share. */
function sharedFlags({ hyperparameters: { presets }, stages }: Algorithm) {
  const builtOn = stages.filter(({ needs }) => needs.length > 0).map(({ name }) => name);
  return {
    algorithm: choice(
      "Algorithm to train; with --help, shows the flags of that algorithm",
      [...algorithms.keys()],
      {
        shown: defaultAlgorithm.name,
      },
    ),
    task: text("D4RL task that sets the hyperparameters and the environment for a data file", {
      valueName: "TASK",
    }),
    ...ownTaskFlags,
    preset: choice("Hyperparameters: the paper's, or smaller ones for a CPU", presets, {
      shown: "paper; quick for the demo",
    }),
    seed: integer("Random seed", { max: maxSeed, shown: "0" }),
    seeds: seeds("Several seeds, trained together in one run"),
    stage: choice("Train only this stage", stages.map(({ name }) => name), { shown: "all" }),
    from: text(
      builtOn.length === 0
        ? "Not available: no stage of this algorithm builds on another"
        : `Run that provides the earlier stages for --stage ${
          builtOn.join(" or ")
        }, matched by seed; ` +
          "its data, seeds and hyperparameters are the defaults, and flags given here override " +
          "them",
      { valueName: "DIR" },
    ),
    out: text("Run directory to create", { valueName: "DIR", shown: "runs/<task>-<seed>-<n>" }),
    resume: text("Resume the run in this directory", { valueName: "DIR" }),
    data: text(
      "Data file for --resume, needed only if the recorded file has moved and is not in data/",
      { valueName: "FILE" },
    ),
    force: toggle(
      "Resume although the program's version, the adapter or its driver is not the run's. The last " +
        "digits of the results differ from an uninterrupted run, and stages are no longer cached",
    ),
    "no-cache": toggle(
      "Train every stage and cache none; by default, finished stages with the same configuration " +
        "and data are reused from runs/.cache",
    ),
    "eval-every": integer("Steps between evaluations of the policy", {
      min: 1,
      shown: "only at the end of a stage",
    }),
    "eval-episodes": integer(
      "Episodes per evaluation; 0 disables evaluation, also of policies that wait for it",
      {
        max: 1000,
        shown: String(defaultEpisodes),
      },
    ),
    matmul: choice(
      "Matrix product tiles; auto measures them and uses the fastest of each shape",
      [...matmulVariants, "auto"],
      { shown: "auto" },
    ),
    profile: toggle(
      "Time the kernels of each stage and write profile-<stage>.txt and trace-<stage>.json to the " +
        "run directory; no stage is taken from the cache",
    ),
    live: toggle(
      "Serve a page on this machine that shows the curves, the progress and the policy playing " +
        "while the run trains; prints its address",
    ),
    tensorboard: toggle("Write TensorBoard's event files to tensorboard/ in the run directory"),
    json: toggle("Print one JSON object as the last line"),
  } as const;
}

/** Values of the shared flags. */
type SharedFlags = FlagValues<ReturnType<typeof sharedFlags>>;

/** Values of all flags of `train`. */
export type TrainFlags = SharedFlags & FlagValues<FlagTable>;

/** Returns the command line of `train` for an algorithm. */
export function trainCommand(algorithm: Algorithm): CommandLine<FlagTable> {
  const products = algorithm.stages.map(({ product }) => product);
  const earlier = algorithm.stages.filter((stage) => usersOf(algorithm, stage).length > 0);
  return {
    name: algorithm === defaultAlgorithm ? "train" : `train --algorithm ${algorithm.name}`,
    summary: `Trains ${listed(products)} on a data set (${algorithm.title}: ` +
      `${algorithm.citation}). Without arguments, runs the demo: ${demoTask} with --preset quick.`,
    positionals: [{
      name: "task or file",
      optional: true,
      help: "A D4RL task (hopper-medium-v2, …) or an HDF5 file in D4RL's format; several files " +
        "separated by commas form one data set",
    }],
    flags: {
      ...sharedFlags(algorithm),
      ...Object.fromEntries(earlier.map((stage) => [
        stage.name,
        text(
          `Checkpoint of the ${stage.product} for --stage ` +
            `${usersOf(algorithm, stage).join(" or ")}, used for all seeds` +
            (stage.officialFiles ? "; also a .pth file of the official code" : ""),
          { valueName: "FILE" },
        ),
      ])),
      ...sweepFlags(algorithm),
      ...hyperparameterFlags(algorithm),
    },
  };
}

/**
 * Parses the command line of `train`: first the algorithm, then the flags of that algorithm.
 *
 * @throws {UserError} If the algorithm or a flag is unknown, a value is invalid, or an argument
 * does not go with --resume.
 */
export function parseTrain(args: readonly string[]): {
  readonly algorithm: Algorithm;
  readonly parsed: "help" | { readonly what: string | undefined; readonly flags: TrainFlags };
} {
  const at = args.findIndex((arg) => /^--algorithm(=|$)/.test(arg));
  const name = at < 0 ? undefined : args[at]!.split("=", 2)[1] ?? args[at + 1];
  const algorithm = findAlgorithm(name);
  const parsed = parseFlags(trainCommand(algorithm), args);
  if (parsed !== "help" && parsed.flags["resume"] !== undefined) {
    refuseBesideResume(parsed.positionals[0], args);
  }
  return {
    algorithm,
    parsed: parsed === "help" ? parsed : {
      what: parsed.positionals[0],
      flags: parsed.flags as TrainFlags,
    },
  };
}

/** Flags that set what a process does with a run, not what the run computes. */
const processFlags = ["force", "profile", "live", "tensorboard", "json"] as const;
/** Flags that change settings of a run to resume. */
const changingFlags = ["data", "no-cache", "eval-every", "eval-episodes", "matmul"] as const;

/** Returns the arguments with which a run continues in the same way as the flags began it. */
export function resumingArguments(run: string, flags: TrainFlags): string[] {
  // A new run has recorded its settings.
  const names = flags.resume === undefined ? processFlags : [...processFlags, ...changingFlags];
  return [
    `--resume=${run}`,
    ...names.flatMap((name) => {
      const value = flags[name];
      return value === undefined || value === false
        ? []
        : [value === true ? `--${name}` : `--${name}=${value}`];
    }),
  ];
}

/** Rejects arguments that would change the settings of a run to resume. */
function refuseBesideResume(what: string | undefined, args: readonly string[]): void {
  const allowed = ["resume", ...processFlags, ...changingFlags].map((name) => `--${name}`);
  const surplus = args.find((arg) =>
    arg.startsWith("--") && !allowed.some((name) => arg === name || arg.startsWith(`${name}=`))
  );
  if (what !== undefined || surplus !== undefined) {
    throw new UserError(
      `--resume continues a run with its original settings; remove ${surplus ?? what}`,
    );
  }
}

/** Returns the stages that use the networks of `stage`. */
export function usersOf({ stages }: Algorithm, { name }: StageDefinition): string[] {
  return stages.filter(({ needs }) => needs.includes(name)).map((stage) => stage.name);
}

/** Joins words as in `critic, behavior model and policy`. */
export function listed(words: readonly string[]): string {
  return words.length < 2
    ? words.join()
    : `${words.slice(0, -1).join(", ")} and ${words[words.length - 1]}`;
}
