/**
 * The plan of a training run, made from flags, from a run that it builds on, or from a run to
 * resume.
 *
 * @module
 */
import { findTask, type Task, tasks } from "../data/catalog.ts";
import type { OfflineDataset } from "../data/dataset.ts";
import { checkValues } from "../data/checks.ts";
import { checkFit } from "../data/fit.ts";
import { type DataSource, resolveData } from "../data/resolve.ts";
import { UserError } from "../errors.ts";
import { type Target, targetOf } from "../gpu/target.ts";
import { readCheckpoint } from "../runs/checkpoint.ts";
import { readGivenCheckpoint } from "../runs/official_checkpoint.ts";
import type { RunConfig } from "../runs/config.ts";
import { openRunDirectory, RunDirectory } from "../runs/directory.ts";
import type { Algorithm, Sweep, Variant } from "../algorithms/algorithm.ts";
import type { HyperparameterValues, Preset } from "../algorithms/hyperparameters.ts";
import { defaultAlgorithm, findAlgorithm } from "../algorithms/registry.ts";
import { stageOf, variantsOf } from "../runs/replicas.ts";
import { taskOfRun } from "../runs/run_task.ts";
import { findData } from "./find_data.ts";
import {
  checkRecordedStages,
  recordedHyperparameters,
  recordedSweep,
  recordedTarget,
} from "./recorded_settings.ts";
import type { EvaluationPlan } from "./train_evaluation.ts";
import { ownTaskOfFiles, type OwnTaskSetting } from "./own_task.ts";
import { refuseIneffectiveFlags, refuseUnusedFlags } from "./unused_flags.ts";
import { hyperparameterOverrides, sweepOf } from "./hyperparameter_flags.ts";
import { defaultEpisodes, demoTask, listed, type TrainFlags, usersOf } from "./train_flags.ts";
import { shellWord } from "../shell_word.ts";

/** The plan of a run. */
export interface Plan {
  /** Algorithm to train. */
  readonly algorithm: Algorithm;
  /** Task that sets the evaluation environment and the default hyperparameters. */
  readonly task: Task;
  /** Files of the data set. */
  readonly paths: readonly string[];
  /** Expected hash of the data, and the run that was trained on them. */
  readonly expected?: { readonly sha256: string; readonly run: string };
  /** Hyperparameters that all seeds and variants share. */
  readonly hyperparameters: HyperparameterValues;
  /** Swept lists; empty if nothing is swept. */
  readonly sweep: Sweep;
  /** All combinations of the swept lists. */
  readonly variants: readonly Variant[];
  /** Seeds, trained in parallel. */
  readonly seeds: readonly number[];
  /** Stages to train, in order. */
  readonly stages: readonly string[];
  /** Checkpoint files that replace stages, by stage. Each holds at least the stage's networks. */
  readonly given: Readonly<Record<string, (seed: number) => string>>;
  /** Directory of the run given with `--from`. */
  readonly from?: string;
  /** Preset of the hyperparameters that were not given; null if another run provides them. */
  readonly preset: Preset | null;
  /** When and over how many episodes to evaluate. */
  readonly evaluation: EvaluationPlan;
  /** Whether the stage cache is used. */
  readonly cache: boolean;
  /** Kernel variants, if already chosen. */
  readonly target?: Target;
  /** Directory of the run to resume. */
  readonly resumed?: RunDirectory;
  /**
   * What differs from the version and adapter that the run to resume was begun with, as phrases.
   */
  readonly changes: readonly string[];
}

/**
 * Makes the plan of a run.
 *
 * @param what The task or file given on the command line.
 * @throws {UserError} If flags conflict, or data or checkpoints are missing.
 */
export async function makePlan(
  algorithm: Algorithm,
  what: string | undefined,
  flags: TrainFlags,
): Promise<Plan> {
  return flags.resume === undefined
    ? await planFromFlags(algorithm, what, flags)
    : await planFromRun(flags.resume, flags);
}

/**
 * Rejects data that cannot be trained on, or that are not the run's data.
 *
 * @throws {UserError} If sizes, values or the number of rows do not fit, or the hash differs.
 */
export function checkData(plan: Plan, data: OfflineDataset, sha256: string): void {
  const { algorithm, paths, expected, hyperparameters: h, stages } = plan;
  checkFit(data, plan.task); // First: the values of another task may seem to be out of range.
  checkValues(data);
  for (const stage of stages) {
    const { batchSize } = stageOf(algorithm, stage);
    const rows = Number(h[batchSize]);
    if (data.transitions.length < rows) {
      throw new UserError(
        `${
          paths.join(", ")
        } has ${data.transitions.length} transitions, fewer than one minibatch ` +
          `of the ${stage} stage (${rows} rows); reduce --${
            algorithm.hyperparameters.flagName(batchSize)
          }`,
      );
    }
  }
  if (expected && expected.sha256 !== sha256) {
    throw new UserError(
      `${paths.join(", ")} is not the data that ${expected.run} was trained on: its hash is ` +
        `${sha256.slice(0, 12)}…, expected ${expected.sha256.slice(0, 12)}…` +
        (plan.resumed ? "; pass the right file with --data" : ""),
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
    throw new UserError("--seed and --seeds are both given; give only one of them");
  }
  if (flags.data !== undefined) {
    throw new UserError(
      "--data is only for --resume; for a new run, give the file without a flag",
    );
  }
  if (flags.force) throw new UserError("--force is only for --resume; remove it");
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
      }; its stages cannot be used with --algorithm ${algorithm.name}`,
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
    ...(base && recordedHyperparameters(algorithm, new RunDirectory(from!), base, taskOfRun(base))),
    ...overrides,
    ...firstOf(algorithm, sweep),
  });
  const variants = variantsOf(algorithm, hyperparameters, sweep);
  refuseIneffectiveFlags(
    algorithm,
    overrides,
    variants.length === 0 ? [hyperparameters] : variants.map((each) => each.hyperparameters),
  );
  const seeds = flags.seeds ?? (flags.seed === undefined ? base?.seeds ?? [0] : [flags.seed]);
  return {
    algorithm,
    task,
    paths: source.paths,
    ...(base && { expected: { sha256: base.data.sha256, run: from! } }),
    hyperparameters,
    sweep,
    variants,
    seeds,
    stages: trained,
    ...(from !== undefined && { from }),
    preset: base === null ? preset : null,
    evaluation: {
      every: flags["eval-every"] ?? null,
      episodes: flags["eval-episodes"] ?? defaultEpisodes,
    },
    cache: !flags["no-cache"],
    changes: [],
    ...(flags.matmul !== undefined && flags.matmul !== "auto" && {
      target: targetOf(flags.matmul),
    }),
    given: base === null
      ? await givenFiles(algorithm, flags)
      : givenRun(from!, base, seeds, stageOf(algorithm, flags.stage!).needs, algorithm),
  };
}

/** Returns the first value of every swept list. */
function firstOf({ sweeps }: Algorithm, sweep: Sweep): HyperparameterValues {
  return Object.fromEntries(
    sweeps.filter(({ list }) => sweep[list] !== undefined)
      .map(({ list, hyperparameter }) => [hyperparameter, sweep[list]![0]!]),
  );
}

/** Rejects lists given together with a single value, or for a stage that is not trained. */
function checkSweep(
  { sweeps, stages, hyperparameters: table }: Algorithm,
  sweep: Sweep,
  flags: TrainFlags,
): void {
  for (const { list, hyperparameter } of sweeps) {
    if (sweep[list] === undefined) continue;
    const one = table.flagName(hyperparameter);
    if (flags[one] !== undefined) {
      throw new UserError(`--${list} and --${one} are both given; give only one of them`);
    }
    const swept = stages.filter(({ over }) => over === "variants").map(({ name }) => name);
    if (flags.stage !== undefined && !swept.includes(flags.stage)) {
      throw new UserError(
        `--${list} applies to the ${listed(swept)} stage; remove --stage ${flags.stage}`,
      );
    }
  }
}

/** Rejects flags that name too few, too many or unused checkpoints. */
function checkSources(algorithm: Algorithm, flags: TrainFlags): void {
  const { stage, from, preset } = flags;
  const needs = stage === undefined ? [] : stageOf(algorithm, stage).needs;
  const products = listed(needs.map((each) => `the ${stageOf(algorithm, each).product}`));
  if (from !== undefined && needs.length === 0) {
    const builtOn = algorithm.stages.filter((each) => each.needs.length > 0);
    throw new UserError(
      builtOn.length === 0
        ? `--from has no effect: no stage of ${algorithm.name} builds on another`
        : `--from requires ${builtOn.map(({ name }) => `--stage ${name}`).join(" or ")}`,
    );
  }
  for (const earlier of algorithm.stages) {
    const { name } = earlier;
    const users = usersOf(algorithm, earlier);
    if (users.length > 0 && flags[name] !== undefined && !needs.includes(name)) {
      throw new UserError(
        `--${name} requires ${users.map((user) => `--stage ${user}`).join(" or ")}`,
      );
    }
  }
  for (const name of needs) {
    if (flags[name] !== undefined && from !== undefined) {
      throw new UserError(`--from already provides ${products}; remove --${name}`);
    }
    if (flags[name] === undefined && from === undefined) {
      throw new UserError(
        `--stage ${stage} needs ${products}: give --from DIR, or ` +
          `${listed(needs.map((each) => `--${each} FILE`))}; --${name} is missing`,
      );
    }
  }
  if (from !== undefined && preset !== undefined) {
    throw new UserError(`the hyperparameters come from ${from}; remove --preset`);
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

/**
 * Returns the task of the data: a D4RL task, or a custom task if flags ask for it or none is known.
 */
async function taskOfSource(
  { task, paths }: Omit<DataSource, "task"> & { readonly task: Task | null },
  what: string | undefined,
  flags: TrainFlags,
  setting: OwnTaskSetting,
): Promise<Task> {
  if (ownFlagOf(what, flags) === undefined && task !== null) return task;
  return await ownTaskOfFiles(paths, flags, setting);
}

/**
 * Returns the first flag that makes the data those of a custom task; undefined if there is none.
 *
 * @param what The task or file given on the command line.
 * @throws {UserError} There is such a flag, and a D4RL task too.
 */
export function ownFlagOf(
  what: string | undefined,
  flags: Pick<TrainFlags, "family" | "env" | "server" | "task">,
): "family" | "env" | "server" | undefined {
  const own = (["family", "env", "server"] as const).find((name) => flags[name] !== undefined);
  if (own !== undefined && (flags.task !== undefined || what === undefined || tasks.has(what))) {
    throw new UserError(
      `--${own} is only for data that belong to no D4RL task; remove it, or ` +
        (flags.task === undefined ? "give the data as a file" : "remove --task"),
    );
  }
  return own;
}

/** Checkpoint files by the flags of the stages. */
async function givenFiles(algorithm: Algorithm, flags: TrainFlags): Promise<Plan["given"]> {
  const given: Record<string, () => string> = {};
  for (const stage of algorithm.stages.filter((each) => usersOf(algorithm, each).length > 0)) {
    const path = flags[stage.name] as string | undefined;
    if (path === undefined) continue;
    await readGivenCheckpoint(path, stage); // Refuses it before the run begins.
    given[stage.name] = () => path;
  }
  return given;
}

/** Returns the checkpoints of another run, matched by seed. */
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
      `${path} has no seed ${unknown}, only ${base.seeds.join(", ")}; to use the same ` +
        `checkpoints for several seeds, give ${listed(needs.map((name) => `--${name}`))}`,
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
          `${file} stopped at step ${step} of ${steps}; finish it first with --resume ${
            shellWord(path)
          }`,
        );
      }
    }
  }
  return Object.fromEntries(needs.map((stage) => [stage, of(stage)]));
}

/** Returns the plan of a run to resume, with the settings that it was started with. */
async function planFromRun(path: string, flags: TrainFlags): Promise<Plan> {
  const directory = openRunDirectory(path);
  const config = directory.readConfig();
  const algorithm = findAlgorithm(config.algorithm);
  const task = taskOfRun(config);
  const hyperparameters = recordedHyperparameters(algorithm, directory, config, task);
  const sweep = recordedSweep(algorithm, directory, config, task);
  checkRecordedStages(algorithm, directory, config);
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
    ...(flags.matmul !== "auto" && {
      target: flags.matmul === undefined
        ? recordedTarget(directory, config)
        : targetOf(flags.matmul),
    }),
    resumed: directory,
    changes: [],
  };
}
