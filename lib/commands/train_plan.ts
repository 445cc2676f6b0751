/**
 * What `train` is to do: from its flags, from a run it builds on, or from a run it continues.
 *
 * @module
 */
import { findTask, type Task, tasks } from "../data/catalog.ts";
import type { OfflineDataset } from "../data/dataset.ts";
import { checkFit } from "../data/fit.ts";
import { type DataSource, resolveData } from "../data/resolve.ts";
import { UserError } from "../errors.ts";
import { matmulVariants, type Target, targetOf } from "../gpu/target.ts";
import { readCheckpoint } from "../runs/checkpoint.ts";
import { openRunDirectory, type RunConfig, RunDirectory } from "../runs/directory.ts";
import type { Algorithm, StageDefinition, Sweep, Variant } from "../algorithms/algorithm.ts";
import type { HyperparameterValues, Preset } from "../algorithms/hyperparameters.ts";
import { algorithms, defaultAlgorithm, findAlgorithm } from "../algorithms/registry.ts";
import { stageOf, variantsOf } from "../runs/replicas.ts";
import { taskOfRun } from "../runs/run_task.ts";
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
import { findData } from "./find_data.ts";
import type { EvaluationPlan } from "./train_evaluation.ts";
import { ownTaskFlags, ownTaskOfFiles, type OwnTaskSetting } from "./own_task.ts";
import { refuseUnusedFlags } from "./unused_flags.ts";
import {
  hyperparameterFlags,
  hyperparameterOverrides,
  sweepFlags,
  sweepOf,
} from "./hyperparameter_flags.ts";

/** What is trained where nothing is named: the sample that comes with the project. */
const demoTask = "maze2d-umaze-v1";

/** Episodes of an evaluation where the flag does not say. */
const defaultEpisodes = 20;

/** The flags of `train` that all algorithms share, before those that an algorithm adds. */
function sharedFlags({ hyperparameters: { presets }, stages }: Algorithm) {
  const builtOn = stages.filter(({ needs }) => needs.length > 0).map(({ name }) => name);
  return {
    algorithm: choice(
      "What is trained; with --help, whose flags are shown",
      [...algorithms.keys()],
      {
        shown: defaultAlgorithm.name,
      },
    ),
    task: text("Task whose hyperparameters and environment are used, for data given as a file", {
      valueName: "TASK",
    }),
    ...ownTaskFlags,
    preset: choice("Hyperparameters: the paper's, or scaled for a processor", presets, {
      shown: "paper; of the demo quick",
    }),
    seed: integer("Seed of everything random", { max: maxSeed, shown: "0" }),
    seeds: seeds("Several seeds, trained together in one run"),
    stage: choice("Train one stage only", stages.map(({ name }) => name), { shown: "all" }),
    from: text(
      builtOn.length === 0
        ? "Of no use here: no stage builds on another"
        : `Run whose earlier stages serve --stage ${
          builtOn.join(" or ")
        }, each seed's for that seed; ` +
          "data, seeds and hyperparameters are that run's too unless they are given",
      { valueName: "DIR" },
    ),
    out: text("Folder of the run", { valueName: "DIR", shown: "runs/<task>-<seed>-<n>" }),
    resume: text("Continue the run in this folder", { valueName: "DIR" }),
    data: text(
      "Data of the run that is continued, where its file has moved and is not in data/ either",
      { valueName: "FILE" },
    ),
    "no-cache": toggle(
      "Train every stage, and keep none for later runs; else finished stages whose configuration " +
        "and data are the same are taken from runs/.cache",
    ),
    "eval-every": integer("Evaluate the policy every so many steps", {
      min: 1,
      shown: "at the end of a stage",
    }),
    "eval-episodes": integer("Episodes of an evaluation; 0 for none", {
      max: 1000,
      shown: String(defaultEpisodes),
    }),
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
  } as const;
}

/** Values of the flags that all algorithms share. */
type SharedFlags = FlagValues<ReturnType<typeof sharedFlags>>;

/** Values of `train`'s flags. */
export type TrainFlags = SharedFlags & FlagValues<FlagTable>;

/** `train` as it is called for an algorithm. */
export function trainCommand(algorithm: Algorithm): CommandLine<FlagTable> {
  const products = algorithm.stages.map(({ product }) => product);
  const earlier = algorithm.stages.filter((stage) => usersOf(algorithm, stage).length > 0);
  return {
    name: "train",
    summary: `Trains ${listed(products)} on a data set (${algorithm.title}: ` +
      `${algorithm.citation}). Without arguments: the demo, ${demoTask} with --preset quick.`,
    positionals: [{
      name: "task or file",
      optional: true,
      help: "A D4RL task (hopper-medium-v2, …), or an HDF5 file of D4RL's layout; several files, " +
        "joined with commas, are one data set",
    }],
    flags: {
      ...sharedFlags(algorithm),
      ...Object.fromEntries(earlier.map((stage) => [
        stage.name,
        text(
          `Checkpoint of the ${stage.product} for --stage ` +
            `${usersOf(algorithm, stage).join(" or ")}, for all seeds`,
          { valueName: "FILE" },
        ),
      ])),
      ...sweepFlags(algorithm),
      ...hyperparameterFlags(algorithm),
    },
  };
}

/**
 * Reads the command line of `train`: first which algorithm is meant, then the flags that it has.
 *
 * @throws {UserError} On an unknown algorithm or flag, or an unfit value.
 */
export function parseTrain(args: readonly string[]): {
  readonly algorithm: Algorithm;
  readonly parsed: "help" | { readonly what: string | undefined; readonly flags: TrainFlags };
} {
  const at = args.findIndex((arg) => /^--algorithm(=|$)/.test(arg));
  const name = at < 0 ? undefined : args[at]!.split("=", 2)[1] ?? args[at + 1];
  const algorithm = findAlgorithm(name);
  const parsed = parseFlags(trainCommand(algorithm), args);
  return {
    algorithm,
    parsed: parsed === "help" ? parsed : {
      what: parsed.positionals[0],
      flags: parsed.flags as TrainFlags,
    },
  };
}

/** What a run is about. */
export interface Plan {
  /** What is trained. */
  readonly algorithm: Algorithm;
  /** Task whose environment is played in, and whose hyperparameters are the defaults. */
  readonly task: Task;
  /** Files of the data set. */
  readonly paths: readonly string[];
  /** What is known of the data: their hash, and the run that was trained on them. */
  readonly expected?: { readonly sha256: string; readonly run: string };
  /** What all seeds and variants share. */
  readonly hyperparameters: HyperparameterValues;
  /** The lists that are swept, empty where none is. */
  readonly sweep: Sweep;
  /** All combinations of them. */
  readonly variants: readonly Variant[];
  /** Seeds that are trained side by side. */
  readonly seeds: readonly number[];
  /** Stages that are trained, in order. */
  readonly stages: readonly string[];
  /** Checkpoint files that stand in for stages, by stage; each holds at least its networks. */
  readonly given: Readonly<Record<string, (seed: number) => string>>;
  /** Directory of the run that they are from, where it was given. */
  readonly from?: string;
  /** Preset of the hyperparameters that were not given; null where they are another run's. */
  readonly preset: Preset | null;
  /** Evaluations that are made. */
  readonly evaluation: EvaluationPlan;
  /** Whether the stage cache is used. */
  readonly cache: boolean;
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
  algorithm: Algorithm,
  what: string | undefined,
  flags: TrainFlags,
  args: readonly string[],
): Promise<Plan> {
  return flags.resume === undefined
    ? await planFromFlags(algorithm, what, flags)
    : await planFromRun(flags.resume, what, flags, args);
}

/** Refuses data that cannot be trained on, or are other data than the run is about. */
export function checkData(plan: Plan, data: OfflineDataset, sha256: string): void {
  const { algorithm, paths, expected, hyperparameters: h, stages } = plan;
  checkFit(data, plan.task);
  for (const stage of stages) {
    const { batchSize } = stageOf(algorithm, stage);
    const rows = Number(h[batchSize]);
    if (data.transitions.length < rows) {
      throw new UserError(
        `${
          paths.join(", ")
        } has ${data.transitions.length} transitions, fewer than one minibatch ` +
          `of the ${stage} stage (${rows} rows); lower --${
            algorithm.hyperparameters.flagName(batchSize)
          }`,
      );
    }
  }
  if (expected && expected.sha256 !== sha256) {
    throw new UserError(
      `${paths.join(", ")} is not the data that ${expected.run} was trained on (its hash is ` +
        `${sha256.slice(0, 12)}…, expected ${expected.sha256.slice(0, 12)}…)` +
        (plan.resumed ? "; name the right file with --data" : ""),
    );
  }
}

async function planFromFlags(
  algorithm: Algorithm,
  what: string | undefined,
  flags: TrainFlags,
): Promise<Plan> {
  const { hyperparameters: table, stages } = algorithm;
  if (flags.seed !== undefined && flags.seeds !== undefined) {
    throw new UserError("--seed and --seeds are both given; give one of them");
  }
  if (flags.data !== undefined) {
    throw new UserError("--data goes with --resume; a new run takes the file without a flag");
  }
  const sweep = sweepOf(algorithm, flags);
  checkSweep(algorithm, sweep, flags);
  checkSources(algorithm, flags);
  const { from } = flags;
  const trained = flags.stage === undefined ? stages.map(({ name }) => name) : [flags.stage];
  const overrides = hyperparameterOverrides(table, flags);
  refuseUnusedFlags(algorithm, trained, overrides, from);
  const base = from === undefined ? null : new RunDirectory(from).readConfig();
  if (base !== null && findAlgorithm(base.algorithm) !== algorithm) {
    throw new UserError(
      `${from} is a run of ${
        base.algorithm ?? defaultAlgorithm.name
      }; its stages do not serve --algorithm ${algorithm.name}`,
    );
  }
  const preset: Preset = flags.preset ?? (what === undefined ? "quick" : "paper");
  const source = await sourceOf(what, flags, base);
  const task = await taskOfSource(source, what, flags, {
    table,
    preset,
    overrides: { ...overrides, ...firstOf(algorithm, sweep) },
    evaluates: flags["eval-episodes"] !== 0,
  });
  const hyperparameters = table.valuesFor(task, preset, {
    ...base?.hyperparameters as HyperparameterValues | undefined,
    ...overrides,
    ...firstOf(algorithm, sweep),
  });
  const seeds = flags.seeds ?? (flags.seed === undefined ? base?.seeds ?? [0] : [flags.seed]);
  return {
    algorithm,
    task,
    paths: source.paths,
    ...(base && { expected: { sha256: base.data.sha256, run: from! } }),
    hyperparameters,
    sweep,
    variants: variantsOf(algorithm, hyperparameters, sweep),
    seeds,
    stages: trained,
    ...(from !== undefined && { from }),
    preset: base === null ? preset : null,
    evaluation: {
      every: flags["eval-every"] ?? null,
      episodes: flags["eval-episodes"] ?? defaultEpisodes,
    },
    cache: !flags["no-cache"],
    ...(flags.matmul !== undefined && flags.matmul !== "auto" && {
      target: targetOf(flags.matmul),
    }),
    given: base === null
      ? givenFiles(algorithm, flags)
      : givenRun(from!, base, seeds, stageOf(algorithm, flags.stage!).needs, algorithm),
  };
}

/** Stages that take over the networks of `stage`. */
function usersOf({ stages }: Algorithm, { name }: StageDefinition): string[] {
  return stages.filter(({ needs }) => needs.includes(name)).map((stage) => stage.name);
}

/** `critic, behavior model and policy`. */
function listed(words: readonly string[]): string {
  return words.length < 2
    ? words.join()
    : `${words.slice(0, -1).join(", ")} and ${words[words.length - 1]}`;
}

/** The first value of every list that is swept. */
function firstOf({ sweeps }: Algorithm, sweep: Sweep): HyperparameterValues {
  return Object.fromEntries(
    sweeps.filter(({ list }) => sweep[list] !== undefined)
      .map(({ list, hyperparameter }) => [hyperparameter, sweep[list]![0]!]),
  );
}

/** Refuses lists that are given beside a single value, or for a stage that is not trained. */
function checkSweep(
  { sweeps, stages, hyperparameters: table }: Algorithm,
  sweep: Sweep,
  flags: TrainFlags,
): void {
  for (const { list, hyperparameter } of sweeps) {
    if (sweep[list] === undefined) continue;
    const one = table.flagName(hyperparameter);
    if (flags[one] !== undefined) {
      throw new UserError(`--${list} and --${one} are both given; give one of them`);
    }
    const swept = stages.filter(({ over }) => over === "variants").map(({ name }) => name);
    if (flags.stage !== undefined && !swept.includes(flags.stage)) {
      throw new UserError(
        `--${list} is about the ${listed(swept)} stage; leave out --stage ${flags.stage}`,
      );
    }
  }
}

/** Refuses flags that name too few, too many or useless checkpoints. */
function checkSources(algorithm: Algorithm, flags: TrainFlags): void {
  const { stage, from, preset } = flags;
  const needs = stage === undefined ? [] : stageOf(algorithm, stage).needs;
  const products = listed(needs.map((each) => `the ${stageOf(algorithm, each).product}`));
  if (from !== undefined && needs.length === 0) {
    const builtOn = algorithm.stages.filter((each) => each.needs.length > 0);
    throw new UserError(
      builtOn.length === 0
        ? `--from is of no use: no stage of ${algorithm.name} builds on another`
        : `--from goes with ${listed(builtOn.map(({ name }) => `--stage ${name}`))}`,
    );
  }
  for (const earlier of algorithm.stages) {
    const { name } = earlier;
    const users = usersOf(algorithm, earlier);
    if (users.length > 0 && flags[name] !== undefined && !needs.includes(name)) {
      throw new UserError(`--${name} goes with ${listed(users.map((user) => `--stage ${user}`))}`);
    }
  }
  for (const name of needs) {
    if (flags[name] !== undefined && from !== undefined) {
      throw new UserError(`--from gives ${products}; leave out --${name}`);
    }
    if (flags[name] === undefined && from === undefined) {
      throw new UserError(
        `--stage ${stage} needs ${products}: --from DIR, or ` +
          `${listed(needs.map((each) => `--${each} FILE`))}; --${name} is missing`,
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
): Promise<Omit<DataSource, "task"> & { readonly task: Task | null }> {
  if (what === undefined && base !== null) {
    const task = taskOfRun(base);
    const paths = await findData(flags.from!, base.data, task);
    return { task: flags.task === undefined ? task : findTask(flags.task), paths, recorded: null };
  }
  return await resolveData(what ?? demoTask, flags.task);
}

/** The task that data are of: D4RL's, or one's own where the flags say so or no other is known. */
async function taskOfSource(
  { task, paths }: Omit<DataSource, "task"> & { readonly task: Task | null },
  what: string | undefined,
  flags: TrainFlags,
  setting: OwnTaskSetting,
): Promise<Task> {
  const own = (["family", "env", "server"] as const).find((name) => flags[name] !== undefined);
  if (task !== null && own === undefined) return task;
  if (own !== undefined && (flags.task !== undefined || what === undefined || tasks.has(what))) {
    throw new UserError(
      `--${own} is for data of no D4RL task; leave it out, or ` +
        (flags.task === undefined ? "give the data as a file" : "leave out --task"),
    );
  }
  return await ownTaskOfFiles(paths, flags, setting);
}

/** Checkpoint files by the flags of the stages. */
function givenFiles(algorithm: Algorithm, flags: TrainFlags): Plan["given"] {
  const given = algorithm.stages.filter((stage) => usersOf(algorithm, stage).length > 0)
    .map(({ name }) => [name, flags[name]] as const)
    .filter((entry): entry is [string, string] => entry[1] !== undefined);
  for (const [, path] of given) readCheckpoint(path);
  return Object.fromEntries(given.map(([name, path]) => [name, () => path]));
}

/** Checkpoints of another run, each seed's for that seed. */
function givenRun(
  path: string,
  base: RunConfig,
  seeds: readonly number[],
  needs: readonly string[],
  algorithm: Algorithm,
): Plan["given"] {
  const run = new RunDirectory(path);
  const unknown = seeds.find((seed) => !base.seeds.includes(seed));
  if (unknown !== undefined) {
    throw new UserError(
      `${path} has no seed ${unknown}, only ${base.seeds.join(", ")}; to serve several seeds ` +
        `from the same checkpoints give them with ${listed(needs.map((name) => `--${name}`))}`,
    );
  }
  const of = (stage: string) => (seed: number) =>
    (base.seeds.length === 1 ? run : run.replica(seed)).checkpoint(stage);
  for (const stage of needs) {
    const steps = Number(base.hyperparameters[stageOf(algorithm, stage).steps]);
    for (const seed of seeds) {
      const { path: file, step } = readCheckpoint(of(stage)(seed));
      if (step !== null && step < steps) {
        throw new UserError(
          `${file} stopped at step ${step} of ${steps}; finish it first, with --resume ${path}`,
        );
      }
    }
  }
  return Object.fromEntries(needs.map((stage) => [stage, of(stage)]));
}

/** The plan of a run that is continued: everything as it was started with. */
async function planFromRun(
  path: string,
  what: string | undefined,
  flags: TrainFlags,
  args: readonly string[],
): Promise<Plan> {
  const allowed = [
    "--resume",
    "--data",
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
  const algorithm = findAlgorithm(config.algorithm);
  const task = taskOfRun(config);
  const hyperparameters = recordedHyperparameters(algorithm, directory, config, task);
  const sweep = (config.sweep ?? {}) as Sweep;
  return {
    algorithm,
    task,
    paths: await findData(path, config.data, task, flags.data),
    expected: { sha256: config.data.sha256, run: path },
    hyperparameters,
    sweep,
    variants: variantsOf(algorithm, hyperparameters, sweep),
    seeds: config.seeds,
    stages: config.stages,
    given: {},
    preset: (config.preset ?? null) as Preset | null,
    evaluation: {
      every: flags["eval-every"] ?? config.evaluation?.every ?? null,
      episodes: flags["eval-episodes"] ?? config.evaluation?.episodes ?? defaultEpisodes,
    },
    cache: !flags["no-cache"] && (config.cache ?? true),
    target: { matmul, matmulLanes },
    resumed: directory,
  };
}

/** The hyperparameters in a run's `config.json`, every one of them and no others. */
function recordedHyperparameters(
  { hyperparameters: table }: Algorithm,
  directory: RunDirectory,
  { hyperparameters }: RunConfig,
  task: Task,
): HyperparameterValues {
  const missing = table.names.find((name) => !Object.hasOwn(hyperparameters, name));
  const unknown = Object.keys(hyperparameters).find((name) => !table.names.includes(name));
  if (missing !== undefined || unknown !== undefined) {
    throw new UserError(
      `${directory.config}: field "hyperparameters.${missing ?? unknown}" is ` +
        (missing !== undefined ? "missing" : "not known to this version"),
    );
  }
  try {
    return table.valuesFor(task, "paper", hyperparameters as HyperparameterValues);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    throw new UserError(`${directory.config}: field "hyperparameters": ${error.message}`);
  }
}
