/**
 * `train`: the three stages of SRPO, from a data set to a policy.
 *
 * @module
 */
import { Engine } from "../autodiff/engine.ts";
import { datasetHash, loadDataset, type OfflineDataset } from "../data/dataset.ts";
import { findTask, type Task } from "../data/catalog.ts";
import { ReplayBuffer } from "../data/replay_buffer.ts";
import { resolveData } from "../data/resolve.ts";
import { shapeRewards } from "../data/rewards.ts";
import { UserError } from "../errors.ts";
import type { AdapterDescription } from "../gpu/device.ts";
import type { Target } from "../gpu/target.ts";
import {
  createRunDirectory,
  openRunDirectory,
  type RunConfig,
  type RunDirectory,
} from "../runs/directory.ts";
import { watchInterrupt } from "../runs/interrupt.ts";
import { standardError } from "../runs/progress.ts";
import { seedDirectory, type StageResult, trainStages } from "../runs/training_run.ts";
import { formatTable } from "../report/table.ts";
import {
  type Hyperparameters,
  hyperparametersFor,
  type Preset,
  presets,
} from "../srpo/hyperparameters.ts";
import { type StageName, stageNames } from "../srpo/stage.ts";
import { batchSizeOf } from "../srpo/training.ts";
import { version } from "../version.ts";
import {
  choice,
  type FlagValues,
  integer,
  maxSeed,
  parseFlags,
  seeds,
  text,
  toggle,
} from "./flags.ts";
import { helpText } from "./help.ts";
import { hyperparameterFlags, hyperparameterOverrides } from "./hyperparameter_flags.ts";
import { Evaluations } from "./train_evaluation.ts";
import { drawRun } from "./train_pictures.ts";

/** What is trained where nothing is named: the sample that comes with the project. */
const demoTask = "maze2d-umaze-v1";

const command = {
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
      placeholder: "TASK",
    }),
    preset: choice("Hyperparameters: the paper's, or scaled for a processor", presets, {
      shown: "paper; of the demo quick",
    }),
    seed: integer("Seed of everything random", { max: maxSeed, shown: "0" }),
    seeds: seeds("Several seeds, trained together in one run"),
    stage: choice("Train one stage only", stageNames, { shown: "all three" }),
    critic: text("Critic checkpoint for --stage policy", { placeholder: "FILE" }),
    behavior: text("Behavior checkpoint for --stage policy", { placeholder: "FILE" }),
    out: text("Folder of the run", { placeholder: "DIR", shown: "runs/<task>-<seed>-<n>" }),
    resume: text("Continue the run in this folder", { placeholder: "DIR" }),
    "eval-every": integer("Evaluate the policy every so many steps", {
      min: 1,
      shown: "at the end of a stage",
    }),
    "eval-episodes": integer("Episodes of an evaluation; 0 for none", { max: 1000, fallback: 20 }),
    json: toggle("Print one JSON object as the last line"),
    ...hyperparameterFlags,
  },
} as const;

type Flags = FlagValues<typeof command.flags>;

/** What a run is about, from the flags or from the run that is continued. */
interface Plan {
  readonly task: Task;
  readonly paths: readonly string[];
  readonly hyperparameters: Hyperparameters;
  readonly seeds: readonly number[];
  readonly stages: readonly StageName[];
  readonly target?: Target;
  /** The run that is continued. */
  readonly resumed?: { readonly directory: RunDirectory; readonly config: RunConfig };
}

/**
 * Trains.
 *
 * @throws {UserError} On unfit flags, data or checkpoints, before anything is trained; on a metric that
 * is not finite, after which the last checkpoint stands.
 */
export async function train(args: readonly string[]): Promise<void> {
  const parsed = parseFlags(command, args);
  if (parsed === "help") return console.log(helpText(command));
  const { flags } = parsed;
  const started = performance.now();
  const plan = flags.resume === undefined
    ? await planFromFlags(parsed.positionals[0], flags)
    : await planFromRun(flags.resume, parsed.positionals[0], args);
  const h = plan.hyperparameters;
  const data = await loadDataset([...plan.paths], { maxEpisodeSteps: plan.task.maxEpisodeSteps });
  checkAgainst(plan, data);
  const sha256 = datasetHash(data);
  if (plan.resumed && plan.resumed.config.data.sha256 !== sha256) {
    throw new UserError(
      `${
        plan.paths.join(", ")
      } is not the data that ${plan.resumed.directory.path} was trained on ` +
        `(its hash is ${sha256.slice(0, 12)}…, expected ` +
        `${plan.resumed.config.data.sha256.slice(0, 12)}…)`,
    );
  }

  using engine = await Engine.open(plan.target);
  const directory = plan.resumed?.directory ??
    createRunDirectory({ task: plan.task.name, seeds: plan.seeds, out: flags.out });
  if (!plan.resumed) {
    await writeConfigs(directory, plan, data, sha256, { ...engine.gpu.adapter, ...engine.target });
  }
  announce(plan, data, engine.gpu.adapter, engine.target, directory);
  const buffer = new ReplayBuffer(engine.gpu, data, shapeRewards(data, h.rewardRule));
  const evaluations = Evaluations.open(plan.task, data, plan.seeds, flags["eval-episodes"]);
  using interrupt = watchInterrupt();
  const results = await trainStages({
    engine,
    buffer,
    hyperparameters: h,
    seeds: plan.seeds,
    stages: plan.stages,
    directory,
    given: given(flags),
    resume: plan.resumed !== undefined,
    interrupt,
    progress: standardError(),
    ...(evaluations && {
      observer: {
        every: flags["eval-every"] ?? Infinity,
        look: (stage, step, checkpoints) => evaluations.look(stage, step, checkpoints),
      },
    }),
  });
  const finished = results.every(({ step, steps }) => step === steps);
  console.log(`\n${resultTable(results)}`);
  if (evaluations && evaluations.any) console.log(`\n${evaluations.table()}`);
  const pictures = finished ? await drawRun(directory, plan.task, data, plan.seeds) : [];
  for (const path of pictures) console.log(`picture  ${path}`);
  console.log(
    finished
      ? `run      ${directory.path}, after ${((performance.now() - started) / 1000).toFixed(0)} s`
      : `stopped  continue with: deno run -A cli.ts train --resume ${directory.path}`,
  );
  if (flags.json) {
    console.log(JSON.stringify({
      run: directory.path,
      task: plan.task.name,
      seeds: plan.seeds,
      finished,
      stages: Object.fromEntries(results.map(({ stage, ...rest }) => [stage, rest])),
      evaluations: evaluations?.json() ?? [],
      pictures,
    }));
  }
}

async function planFromFlags(what: string | undefined, flags: Flags): Promise<Plan> {
  if (flags.seed !== undefined && flags.seeds !== undefined) {
    throw new UserError("--seed and --seeds are both given; give one of them");
  }
  const stages = flags.stage === undefined ? stageNames : [flags.stage];
  const preset: Preset = flags.preset ?? (what === undefined ? "quick" : "paper");
  const source = await resolveData(what ?? demoTask, flags.task);
  if (source.task === null) {
    throw new UserError(
      `${what} is data of no known task; say with --task whose hyperparameters and environment ` +
        "it is to be trained with, for example --task hopper-medium-v2",
    );
  }
  for (const stage of ["critic", "behavior"] as const) {
    if (flags.stage === "policy" && flags[stage] === undefined) {
      throw new UserError(
        `--stage policy needs both checkpoints: --critic FILE and --behavior FILE; --${stage} is missing`,
      );
    }
    if (flags.stage !== "policy" && flags[stage] !== undefined) {
      throw new UserError(`--${stage} goes with --stage policy`);
    }
  }
  return {
    task: source.task,
    paths: source.paths,
    hyperparameters: hyperparametersFor(source.task, preset, hyperparameterOverrides(flags)),
    seeds: flags.seeds ?? [flags.seed ?? 0],
    stages,
  };
}

/** The plan of a run that is continued: everything as it was started with. */
async function planFromRun(
  path: string,
  what: string | undefined,
  args: readonly string[],
): Promise<Plan> {
  const allowed = ["--resume", "--eval-every", "--eval-episodes", "--json"];
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
  return {
    task: findTask(config.task),
    paths: (await resolveData(config.data.file, config.task)).paths,
    hyperparameters: config.hyperparameters as unknown as Hyperparameters,
    seeds: config.seeds,
    stages: config.stages as StageName[],
    target: { matmul, matmulLanes },
    resumed: { directory, config },
  };
}

/** Refuses what cannot be trained. */
function checkAgainst({ paths, hyperparameters: h, stages }: Plan, data: OfflineDataset): void {
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
}

async function writeConfigs(
  directory: RunDirectory,
  { task, paths, hyperparameters, seeds, stages }: Plan,
  data: OfflineDataset,
  sha256: string,
  adapter: AdapterDescription & Target,
): Promise<void> {
  const config = {
    version,
    task: task.name,
    stages,
    data: {
      file: paths.map((path) => Deno.realPathSync(path)).join(","),
      sha256,
      rows: data.rows,
    },
    adapter: { ...adapter },
    hyperparameters: { ...hyperparameters },
  };
  await directory.writeConfig({ ...config, seeds });
  if (seeds.length === 1) return;
  for (let replica = 0; replica < seeds.length; replica++) {
    const own = seedDirectory(directory, seeds, replica);
    Deno.mkdirSync(`${own.path}/checkpoints`, { recursive: true });
    await own.writeConfig({ ...config, seeds: [seeds[replica]!] });
  }
}

function announce(
  { task, paths, seeds, stages }: Plan,
  data: OfflineDataset,
  adapter: AdapterDescription,
  target: Target,
  directory: RunDirectory,
): void {
  const matmul = target.matmul === "subgroups" ? "subgroup shuffles" : "registers only";
  console.log([
    `task     ${task.name}: ${stages.join(", ")}, seed ${seeds.join(", ")}`,
    `data     ${paths.join(", ")}: ${data.rows.toLocaleString("en-US")} rows, ` +
    `${data.observationSize} observations, ${data.actionSize} actions`,
    `adapter  ${adapter.name}${adapter.software ? ", a software GPU" : ""} (driver ` +
    `${adapter.driver}); matrix products: ${matmul}`,
    `run      ${directory.path}`,
  ].join("\n"));
}

function given(flags: Flags): Partial<Record<StageName, string>> {
  return {
    ...(flags.critic !== undefined && { critic: flags.critic }),
    ...(flags.behavior !== undefined && { behavior: flags.behavior }),
  };
}

function resultTable(results: readonly StageResult[]): string {
  return formatTable(
    ["stage", "steps", "steps/s", "dispatches", "losses"],
    results.map(({ stage, step, losses, dispatches, made, seconds }) => [
      stage,
      step.toLocaleString("en-US"),
      made > 0 ? (made / seconds).toPrecision(3) : "–",
      dispatches,
      Object.entries(losses).map(([name, values]) =>
        `${name} ${(values.reduce((a, b) => a + b, 0) / values.length).toPrecision(4)}`
      ).join("  "),
    ]),
  );
}
