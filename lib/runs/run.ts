/**
 * A training run: its inputs, and the results of its stages.
 *
 * @module
 */
import type { Engine } from "../autodiff/engine.ts";
import type { ReplayBuffer } from "../data/replay_buffer.ts";
import type { StageDefinition } from "../algorithms/algorithm.ts";
import type { HyperparameterValues } from "../algorithms/hyperparameters.ts";
import type { RunEstimate } from "./estimate.ts";
import type { Evaluator } from "./evaluation_queue.ts";
import type { Interrupt } from "./interrupt.ts";
import type { ProgressOutput } from "./progress.ts";
import type { Replica, ReplicaAxes } from "./replicas.ts";
import { stageFingerprint } from "./stage_cache.ts";
import { originOf, type RunCache } from "./stage_reuse.ts";
import type { OpenSession } from "./stage_session.ts";

/** Metadata in every policy file, under these names. */
export interface Provenance {
  /** Task whose hyperparameters and environment the run uses. */
  readonly task: string;
  /** Name of the algorithm. */
  readonly algorithm: string;
  /** SHA-256 of the data in hexadecimal. */
  readonly data_sha256: string;
  /** Version of the program. */
  readonly version: string;
  /** Server of the environment, for a custom task. */
  readonly server?: string;
  /** Lower ends of the range to which actions are scaled, as a JSON list; absent for [−1, 1]. */
  readonly action_low?: string;
  /** Upper ends of that range. */
  readonly action_high?: string;
}

/** The inputs and outputs of a training run. */
export interface TrainingRun extends ReplicaAxes {
  /** Compiles graphs to programs for the GPU. */
  readonly engine: Engine;
  /** Id of the run (`identity.ts`), for its metrics. */
  readonly id: string;
  /** The data set on the GPU. */
  readonly buffer: ReplayBuffer;
  /**
   * Stages to train. The checkpoints of earlier stages that are not listed already exist in the
   * seeds' directories.
   */
  readonly stages: readonly string[];
  /** Cache of finished stages; null trains every stage. */
  readonly cache: RunCache | null;
  /** Metadata for the policy files. */
  readonly provenance: Provenance;
  /** Whether the run is resumed. */
  readonly resume: boolean;
  /** Requests to stop. */
  readonly interrupt: Pick<Interrupt, "requested">;
  /** Ends evaluations; set if something else has failed. */
  readonly stop?: AbortSignal;
  /** Output for progress lines. */
  readonly progress: ProgressOutput;
  /** Estimate for later stages; absent if progress should not show it. */
  readonly estimate?: RunEstimate;
  /** Prints a line for the user, for example when a stage is taken from the cache. */
  readonly announce: (line: string) => void;
  /** Whether to time the kernels of each trained stage. */
  readonly profile?: boolean;
  /** Evaluates the policies; absent if evaluation is disabled. */
  readonly evaluator?: Evaluator;
  /**
   * Opens sessions that compute beside the engine, for stages that do not need each other; absent
   * if stages are trained one after another.
   */
  readonly beside?: OpenSession;
}

/** The result of a stage. */
export interface StageResult {
  /** Name of the stage. */
  readonly stage: string;
  /** Completed steps. */
  readonly step: number;
  /** Total steps of the stage. */
  readonly steps: number;
  /** Dispatches per step; null if nothing was left to train. */
  readonly dispatches: number | null;
  /** Steps trained by this process. */
  readonly made: number;
  /** Seconds that these steps took. */
  readonly seconds: number;
  /** False if a signal stopped an evaluation; otherwise true. */
  evaluated: boolean;
  /** Replicas taken from the cache: their directories, and those of the runs that trained them. */
  readonly cached: readonly { readonly directory: string; readonly run: string }[];
}

/**
 * Returns the fingerprint of a replica's stage. The checkpoints of the stages it needs must exist.
 */
export function fingerprintOf(
  run: TrainingRun,
  definition: StageDefinition,
  replica: Replica,
): string {
  const { data_sha256 } = run.provenance;
  return stageFingerprint(data_sha256, originOf(run.algorithm, definition, replica));
}

/** Returns the steps of a stage. */
export function stepsOf(
  { hyperparameters }: { readonly hyperparameters: HyperparameterValues },
  { steps }: StageDefinition,
): number {
  return Number(hyperparameters[steps]);
}
