/**
 * Training from a program: what `train` does, without flags, tables and pictures.
 *
 * @module
 */
import type { Algorithm } from "../algorithms/algorithm.ts";
import type { HyperparameterValues } from "../algorithms/hyperparameters.ts";
import type { Engine } from "../autodiff/engine.ts";
import type { Task } from "../data/catalog.ts";
import { datasetHash, type OfflineDataset } from "../data/dataset.ts";
import { ReplayBuffer } from "../data/replay_buffer.ts";
import { shapeRewards } from "../data/rewards.ts";
import { UserError } from "../errors.ts";
import { version } from "../version.ts";
import { createRunDirectory } from "./directory.ts";
import type { ProgressOutput } from "./progress.ts";
import { type ReplicaAxes, replicasOf, writeConfigs } from "./replicas.ts";
import { ownProvenance, recordOfOwn } from "./run_task.ts";
import { openTrained, type Trained } from "./trained.ts";
import { trainStages } from "./training_run.ts";

/** What is trained, on what, and where it goes. */
export interface AlgorithmRun {
  /** A registered algorithm or one of the program's own. */
  readonly algorithm: Algorithm;
  /** The data; the algorithm's reward rule makes the rewards that are trained on of theirs. */
  readonly data: OfflineDataset;
  /** The task of the data, from {@linkcode findTask} or {@linkcode taskOfOwn}; files record it. */
  readonly task: Task;
  /** All hyperparameters, as `algorithm.hyperparameters.valuesFor()` gives them. */
  readonly hyperparameters: HyperparameterValues;
  /** Seeds that are trained side by side, each once; seed 0 alone by default. */
  readonly seeds?: readonly number[];
  /**
   * A new or empty folder, which becomes a run directory as docs/run-directory.md describes: metrics,
   * checkpoints and policies.
   */
  readonly directory: string;
  /** Where a line of progress is drawn, such as {@linkcode standardError}; nowhere by default. */
  readonly progress?: ProgressOutput;
}

/** Takes the progress of a program that shows none. */
const silence: ProgressOutput = {
  terminal: false,
  columns: () => 0,
  write: () => {},
  now: () => performance.now(),
};

/**
 * Trains all stages of an algorithm and opens what they leave. It reads and writes files, and so runs in
 * Deno, with permission for the folder.
 *
 * @returns What was trained, of each seed in their order; `load()` gives its policy.
 * @throws {UserError} A seed is given twice, the folder is not empty or not writable, the reward rule does not fit the data, or
 * a loss is not finite, after which the last checkpoint stands.
 */
export async function trainAlgorithm(engine: Engine, run: AlgorithmRun): Promise<Trained[]> {
  const { algorithm, data, task, hyperparameters, seeds = [0], progress = silence } = run;
  if (seeds.length === 0 || new Set(seeds).size < seeds.length) {
    throw new UserError(`trainAlgorithm: expected one or more seeds, each once; got [${seeds}]`);
  }
  const rewards = shapeRewards(data, algorithm.rewardRule(hyperparameters));
  const directory = createRunDirectory({ task: task.name, seeds, out: run.directory });
  const axes: ReplicaAxes = { directory, algorithm, hyperparameters, seeds, variants: [] };
  const stages = algorithm.stages.map(({ name }) => name);
  const sha256 = datasetHash(data);
  await writeConfigs(axes, {
    version,
    deno: Deno.version.deno,
    algorithm: algorithm.name,
    task: task.name,
    stages,
    data: { file: data.sources.map(({ path }) => path).join(","), sha256, rows: data.rows },
    adapter: { ...engine.gpu.adapter, ...engine.target },
    ...(task.own && { environment: recordOfOwn(task.own) }),
  });
  const buffer = new ReplayBuffer(engine.gpu, data, rewards);
  try {
    await trainStages({
      ...axes,
      engine,
      buffer,
      stages,
      cache: null,
      provenance: {
        task: task.name,
        algorithm: algorithm.name,
        data_sha256: sha256,
        version,
        ...ownProvenance(task),
      },
      resume: false,
      interrupt: { requested: false },
      progress,
      announce: () => {},
    });
  } finally {
    buffer.destroy();
  }
  const known = new Map([[algorithm.name, algorithm]]);
  return replicasOf(axes, { over: "seeds" }).map((replica) =>
    openTrained(replica.directory.path, known)
  );
}
