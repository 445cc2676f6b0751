/**
 * Training from other programs, like `train` but without flags, tables and pictures.
 *
 * @module
 */
import type { Algorithm } from "../algorithms/algorithm.ts";
import type { HyperparameterValues } from "../algorithms/hyperparameters.ts";
import type { Engine } from "../autodiff/engine.ts";
import type { Task } from "../data/catalog.ts";
import type { OfflineDataset } from "../data/dataset.ts";
import { datasetHash } from "../data/hash.ts";
import { ReplayBuffer } from "../data/replay_buffer.ts";
import { shapeRewards } from "../data/rewards.ts";
import { UserError } from "../errors.ts";
import { version } from "../version.ts";
import { createRunDirectory } from "./directory.ts";
import type { ProgressOutput } from "./progress.ts";
import { type ReplicaAxes, replicasOf, writeConfigs } from "./replicas.ts";
import { ownProvenance, recordOfOwn } from "./run_task.ts";
import { runId } from "./identity.ts";
import { clearRemains, RunLock } from "./lock.ts";
import { openTrained, type Trained } from "./trained.ts";
import { trainStages } from "./training_run.ts";

/** The inputs and outputs of {@linkcode trainAlgorithm}. */
export interface AlgorithmRun {
  /** A registered or a custom algorithm. */
  readonly algorithm: Algorithm;
  /** The data. The algorithm's reward rule transforms their rewards. */
  readonly data: OfflineDataset;
  /** The task of the data, from {@linkcode findTask} or {@linkcode taskOfOwn}. Files record it. */
  readonly task: Task;
  /** All hyperparameters, as returned by `algorithm.hyperparameters.valuesFor()`. */
  readonly hyperparameters: HyperparameterValues;
  /** Distinct seeds, trained in parallel. Defaults to seed 0. */
  readonly seeds?: readonly number[];
  /**
   * A new or empty folder for the run directory (docs/run-directory.md): metrics, checkpoints and
   * policies.
   */
  readonly directory: string;
  /** Output for progress, such as {@linkcode standardError}. Defaults to no output. */
  readonly progress?: ProgressOutput;
}

/** A progress output that discards everything. */
const silence: ProgressOutput = {
  terminal: false,
  columns: () => 0,
  write: () => {},
  now: () => performance.now(),
};

/**
 * Trains all stages of an algorithm and opens the results. It reads and writes files, so it needs
 * Deno and permissions for the folder.
 *
 * @returns The trained run of each seed, in order. `load()` returns its policy.
 * @throws {UserError} If a seed is repeated or not an integer from 0 to 2³² − 1, the folder is not
 * empty or not writable, the reward rule does not fit the data, or a loss is not finite. The last
 * checkpoint is then kept.
 */
export async function trainAlgorithm(engine: Engine, run: AlgorithmRun): Promise<Trained[]> {
  const { algorithm, data, task, hyperparameters, seeds = [0], progress = silence } = run;
  const valid = seeds.every((seed) => seed >>> 0 === seed);
  if (seeds.length === 0 || new Set(seeds).size < seeds.length || !valid) {
    throw new UserError(
      "trainAlgorithm: expected one or more distinct seeds, integers from 0 to 2^32 - 1, got " +
        `[${seeds}]`,
    );
  }
  const rewards = shapeRewards(data, algorithm.rewardRule(hyperparameters));
  const directory = createRunDirectory({ task: task.name, seeds, out: run.directory });
  using _lock = RunLock.take(directory);
  clearRemains(directory);
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
      id: runId(directory.readConfig()),
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
