/**
 * What `train` is to do: from its flags, from a run it builds on, or from a run it continues.
 *
 * @module
 */
import { findTask, type Task } from "../data/catalog.ts";
import type { OfflineDataset } from "../data/dataset.ts";
import { checkFit } from "../data/fit.ts";
import { type DataSource, resolveData } from "../data/resolve.ts";
import { UserError } from "../errors.ts";
import { matmulVariants, type Target, targetOf } from "../gpu/target.ts";
import { readCheckpoint } from "../runs/checkpoint.ts";
import { openRunDirectory, type RunConfig, RunDirectory } from "../runs/directory.ts";
import {
  type Hyperparameters,
  hyperparametersFor,
  type Preset,
  presets,
  weightings,
} from "../algorithms/srpo/hyperparameters.ts";
import { type StageName, stageNames } from "../algorithms/srpo/stage.ts";
import { batchSizeOf, stepsOf } from "../algorithms/srpo/training.ts";
import { type Sweep, type Variant, variantsOf } from "../algorithms/srpo/variants.ts";
import {
  boolean,
  choice,
  type FlagValues,
  integer,
  list,
  maxSeed,
  number,
  seeds,
  text,
  toggle,
} from "./flags.ts";
import { hyperparameterFlags, hyperparameterOverrides } from "./hyperparameter_flags.ts";

/** What is trained where nothing is named: the sample that comes with the project. */
const demoTask = "maze2d-umaze-v1";

const sweeps = { group: "Sweeps: policies from one critic and one behavior model" };

/** `train` as it is called. */
export const trainCommand = {
  name: "train",
  summary: "Trains critic, behavior model and policy on a data set. Without arguments: the demo, " +
    `${demoTask} with --preset quick.`,
  positionals: [{
    name: "task or file",
    optional: true,
    help: "A D4RL task (hopper-medium-v2, …), or an HDF5 file of D4RL's layout; several files, " +
      "joined with commas, are one data set",
  }],
  flags: {
    task: text("Task whose hyperparameters and environment are used, for data given as a file", {
      valueName: "TASK",
    }),
    preset: choice("Hyperparameters: the paper's, or scaled for a processor", presets, {
      shown: "paper; of the demo quick",
    }),
    seed: integer("Seed of everything random", { max: maxSeed, shown: "0" }),
    seeds: seeds("Several seeds, trained together in one run"),
    stage: choice("Train one stage only", stageNames, { shown: "all three" }),
    from: text(
      "Run whose critic and behavior model serve --stage policy, each seed's for that seed; data, " +
        "seeds and hyperparameters are that run's too unless they are given",
      { valueName: "DIR" },
    ),
    critic: text("Critic checkpoint for --stage policy, for all seeds", { valueName: "FILE" }),
    behavior: text("Behavior checkpoint for --stage policy, for all seeds", {
      valueName: "FILE",
    }),
    out: text("Folder of the run", { valueName: "DIR", shown: "runs/<task>-<seed>-<n>" }),
    resume: text("Continue the run in this folder", { valueName: "DIR" }),
    "no-cache": toggle(
      "Train every stage, and keep none for later runs; else finished stages whose configuration " +
        "and data are the same are taken from runs/.cache",
    ),
    "eval-every": integer("Evaluate the policy every so many steps", {
      min: 1,
      shown: "at the end of a stage",
    }),
    "eval-episodes": integer("Episodes of an evaluation; 0 for none", { max: 1000, fallback: 20 }),
    matmul: choice(
      "Variant of the matrix product; auto measures them and takes the fastest",
      [...matmulVariants, "auto"],
      { shown: "auto" },
    ),
    profile: toggle(
      "Time the kernels of each stage that is trained, into profile-<stage>.txt and trace-<stage>.json " +
        "of the run",
    ),
    json: toggle("Print one JSON object as the last line"),
    betas: list("A policy for each temperature β", number("", { ...sweeps, min: 0, max: 1000 })),
    weightings: list(
      "A policy for each weight ω(t)",
      choice("", weightings, sweeps),
    ),
    baselines: list(
      "A policy with the noise subtracted from its prediction, one without, or both",
      boolean("", sweeps),
    ),
    ...hyperparameterFlags,
  },
} as const;

/** Values of `train`'s flags. */
export type TrainFlags = FlagValues<typeof trainCommand.flags>;

/** What a run is about. */
export interface Plan {
  /** Task whose environment is played in, and whose hyperparameters are the defaults. */
  readonly task: Task;
  /** Files of the data set. */
  readonly paths: readonly string[];
  /** What is known of the data: their hash, and the run that was trained on them. */
  readonly expected?: { readonly sha256: string; readonly run: string };
  /** What all seeds and variants share. */
  readonly hyperparameters: Hyperparameters;
  /** The lists that are swept, empty where none is. */
  readonly sweep: Sweep;
  /** All combinations of them. */
  readonly variants: readonly Variant[];
  /** Seeds that are trained side by side. */
  readonly seeds: readonly number[];
  /** Stages that are trained, in order. */
  readonly stages: readonly StageName[];
  /** Checkpoint files that stand in for stages, by stage; each holds at least its networks. */
  readonly given: Readonly<Partial<Record<StageName, (seed: number) => string>>>;
  /** Kernel variants, where they are no longer to be chosen. */
  readonly target?: Target;
  /** The directory of the run that is continued. */
  readonly resumed?: RunDirectory;
}

/**
 * Makes the plan.
 *
 * @param what The task or file on the command line.
 * @param args The command line, to see which flags were given.
 * @throws {UserError} On flags that do not fit each other, data or checkpoints that are not there.
 */
export async function makePlan(
  what: string | undefined,
  flags: TrainFlags,
  args: readonly string[],
): Promise<Plan> {
  return flags.resume === undefined
    ? await planFromFlags(what, flags)
    : await planFromRun(flags.resume, what, args);
}

/** Refuses data that cannot be trained on, or are other data than the run is about. */
export function checkData(plan: Plan, data: OfflineDataset, sha256: string): void {
  const { paths, expected, hyperparameters: h, stages } = plan;
  checkFit(data, plan.task);
  for (const stage of stages) {
    const rows = batchSizeOf(stage, h);
    if (data.transitions.length < rows) {
      throw new UserError(
        `${
          paths.join(", ")
        } has ${data.transitions.length} transitions, fewer than one minibatch ` +
          `of the ${stage} stage (${rows} rows); lower --${stage}-batch-size`,
      );
    }
  }
  if (expected && expected.sha256 !== sha256) {
    throw new UserError(
      `${paths.join(", ")} is not the data that ${expected.run} was trained on (its hash is ` +
        `${sha256.slice(0, 12)}…, expected ${expected.sha256.slice(0, 12)}…)`,
    );
  }
}

async function planFromFlags(what: string | undefined, flags: TrainFlags): Promise<Plan> {
  if (flags.seed !== undefined && flags.seeds !== undefined) {
    throw new UserError("--seed and --seeds are both given; give one of them");
  }
  const sweep = sweepOf(flags);
  checkSources(flags);
  const { from } = flags;
  const base = from === undefined ? null : new RunDirectory(from).readConfig();
  const preset: Preset = flags.preset ?? (what === undefined ? "quick" : "paper");
  const source = await sourceOf(what, flags, base);
  if (source.task === null) {
    throw new UserError(
      `${what} is data of no known task` +
        (source.recorded === null ? "" : ` (its metadata name ${source.recorded})`) +
        "; say with --task whose hyperparameters and environment it is to be trained with, for " +
        "example --task hopper-medium-v2",
    );
  }
  const hyperparameters = hyperparametersFor(source.task, preset, {
    ...base?.hyperparameters,
    ...hyperparameterOverrides(flags),
    ...(sweep.betas && { beta: sweep.betas[0]! }),
  });
  const seeds = flags.seeds ?? (flags.seed === undefined ? base?.seeds ?? [0] : [flags.seed]);
  return {
    task: source.task,
    paths: source.paths,
    ...(base && { expected: { sha256: base.data.sha256, run: from! } }),
    hyperparameters,
    sweep,
    variants: variantsOf(hyperparameters, sweep),
    seeds,
    stages: flags.stage === undefined ? stageNames : [flags.stage],
    ...(flags.matmul !== undefined && flags.matmul !== "auto" && {
      target: targetOf(flags.matmul),
    }),
    given: base === null ? givenFiles(flags) : givenRun(from!, base, seeds),
  };
}

/** The lists to sweep. */
function sweepOf(flags: TrainFlags): Sweep {
  for (
    const [several, one] of [
      ["betas", "beta"],
      ["weightings", "weighting"],
      ["baselines", "subtract-baseline"],
    ] as const
  ) {
    if (flags[several] === undefined) continue;
    if ((flags as Readonly<Record<string, unknown>>)[one] !== undefined) {
      throw new UserError(`--${several} and --${one} are both given; give one of them`);
    }
    if (flags.stage !== undefined && flags.stage !== "policy") {
      throw new UserError(
        `--${several} is about the policy stage; leave out --stage ${flags.stage}`,
      );
    }
  }
  const { betas, weightings, baselines } = flags;
  return {
    ...(betas && { betas }),
    ...(weightings && { weightings }),
    ...(baselines && { baselines }),
  };
}

/** Refuses flags that name too few, too many or useless checkpoints. */
function checkSources({ stage, from, critic, behavior, preset }: TrainFlags): void {
  const files = { critic, behavior };
  for (const [name, value] of Object.entries({ from, ...files })) {
    if (value !== undefined && stage !== "policy") {
      throw new UserError(`--${name} goes with --stage policy`);
    }
    if (value !== undefined && name !== "from" && from !== undefined) {
      throw new UserError(`--from gives critic and behavior model both; leave out --${name}`);
    }
    if (value === undefined && name !== "from" && from === undefined && stage === "policy") {
      throw new UserError(
        "--stage policy needs a critic and a behavior model: --from DIR, or --critic FILE and " +
          `--behavior FILE; --${name} is missing`,
      );
    }
  }
  if (from !== undefined && preset !== undefined) {
    throw new UserError(`the hyperparameters are those of ${from}; leave out --preset`);
  }
}

async function sourceOf(
  what: string | undefined,
  flags: TrainFlags,
  base: RunConfig | null,
): Promise<DataSource> {
  return what === undefined && base !== null
    ? await resolveData(base.data.file, flags.task ?? base.task)
    : await resolveData(what ?? demoTask, flags.task);
}

function givenFiles({ critic, behavior }: TrainFlags): Plan["given"] {
  for (const path of [critic, behavior]) if (path !== undefined) readCheckpoint(path);
  return {
    ...(critic !== undefined && { critic: () => critic }),
    ...(behavior !== undefined && { behavior: () => behavior }),
  };
}

/** Checkpoints of another run, each seed's for that seed. */
function givenRun(path: string, base: RunConfig, seeds: readonly number[]): Plan["given"] {
  const run = new RunDirectory(path);
  const unknown = seeds.find((seed) => !base.seeds.includes(seed));
  if (unknown !== undefined) {
    throw new UserError(
      `${path} has no seed ${unknown}, only ${
        base.seeds.join(", ")
      }; to serve several seeds from ` +
        "one critic and behavior model give them with --critic and --behavior",
    );
  }
  const of = (stage: StageName) => (seed: number) =>
    (base.seeds.length === 1 ? run : run.replica(seed)).checkpoint(stage);
  for (const stage of ["critic", "behavior"] as const) {
    const steps = stepsOf(stage, base.hyperparameters as unknown as Hyperparameters);
    for (const seed of seeds) {
      const { path: file, step } = readCheckpoint(of(stage)(seed));
      if (step !== null && step < steps) {
        throw new UserError(
          `${file} stopped at step ${step} of ${steps}; finish it first, with --resume ${path}`,
        );
      }
    }
  }
  return { critic: of("critic"), behavior: of("behavior") };
}

/** The plan of a run that is continued: everything as it was started with. */
async function planFromRun(
  path: string,
  what: string | undefined,
  args: readonly string[],
): Promise<Plan> {
  const allowed = [
    "--resume",
    "--no-cache",
    "--eval-every",
    "--eval-episodes",
    "--profile",
    "--json",
  ];
  const surplus = args.find((arg) =>
    arg.startsWith("--") && !allowed.some((name) => arg === name || arg.startsWith(`${name}=`))
  );
  if (what !== undefined || surplus !== undefined) {
    throw new UserError(
      `--resume continues a run as it was started; leave out ${surplus ?? what}`,
    );
  }
  const directory = openRunDirectory(path);
  const config = directory.readConfig();
  const { matmul, matmulLanes } = config.adapter as unknown as Target;
  const hyperparameters = config.hyperparameters as unknown as Hyperparameters;
  const sweep: Sweep = config.sweep ?? {};
  return {
    task: findTask(config.task),
    paths: (await resolveData(config.data.file, config.task)).paths,
    expected: { sha256: config.data.sha256, run: path },
    hyperparameters,
    sweep,
    variants: variantsOf(hyperparameters, sweep),
    seeds: config.seeds,
    stages: config.stages as StageName[],
    given: {},
    target: { matmul, matmulLanes },
    resumed: directory,
  };
}
