/**
 * A stage on a GPU: its programs and networks. A session computes; files are written by its user.
 *
 * @module
 */
import type { Algorithm } from "../algorithms/algorithm.ts";
import type { HyperparameterValues } from "../algorithms/hyperparameters.ts";
import type { Engine } from "../autodiff/engine.ts";
import { Graph } from "../autodiff/graph.ts";
import type { TrainingStep } from "../autodiff/training_step.ts";
import type { ReplayBuffer } from "../data/replay_buffer.ts";
import { encodeCheckpoints, readCheckpoint } from "./checkpoint.ts";
import { type LoopOptions, runSteps } from "./loop.ts";
import { loadNetworks, startNetworks } from "./networks.ts";
import { profileStage } from "./profile.ts";
import { stageOf } from "./replicas.ts";

/** What a session trains. It can be sent to a worker. */
export interface StageRequest {
  /** Name of the stage. */
  readonly stage: string;
  /** Hyperparameters that all replicas share. */
  readonly hyperparameters: HyperparameterValues;
  /** The replicas. */
  readonly replicas: readonly ReplicaRequest[];
}

/** A replica of the stage. */
export interface ReplicaRequest {
  /** Random seed. */
  readonly seed: number;
  /** Hyperparameters of the replica. */
  readonly hyperparameters: HyperparameterValues;
  /** Path of the checkpoint that it continues from; null at the start of the stage. */
  readonly present: string | null;
  /** Paths of the checkpoints of earlier stages. */
  readonly earlier: readonly string[];
}

/** The size of a stage's programs. */
export interface StageSize {
  /** Dispatches in a step. */
  readonly dispatches: number;
  /** Planned and allocated GPU memory, and that of the data set, in bytes. */
  readonly bytes: { readonly planned: number; readonly allocated: number; readonly data: number };
}

/** Trains the replicas of a stage. */
export interface StageSession {
  /** The size of its programs. */
  readonly size: StageSize;
  /**
   * Runs steps as {@linkcode runSteps} does. A session in a worker calls `onStep` some milliseconds
   * later, and `shouldStop` after steps of which it has heard.
   */
  run(options: Omit<LoopOptions, "stage" | "between">): Promise<number>;
  /** Encodes the checkpoint of each replica. */
  encode(
    step: number,
    metadata: readonly Readonly<Record<string, string>>[],
  ): Promise<Uint8Array[]>;
  /** Profiles a step, where the session can. */
  profile?(step: number, directory: string): Promise<{ text: string; files: string[] }>;
  /** Frees its memory. */
  destroy(): void;
}

/** Opens sessions. */
export type OpenSession = (request: StageRequest) => Promise<StageSession>;

/**
 * Opens a session on an engine.
 *
 * @throws {UserError} A checkpoint cannot be read or lacks a network.
 */
export async function openSession(
  engine: Engine,
  buffer: ReplayBuffer,
  algorithm: Algorithm,
  { stage, hyperparameters, replicas }: StageRequest,
): Promise<StageSession> {
  const graph = new Graph({ seeds: replicas.map(({ seed }) => seed) });
  const { networks, more = [] } = await stageOf(algorithm, stage).describe(
    graph,
    buffer,
    hyperparameters,
    replicas.map((replica) => replica.hyperparameters),
  );
  const program = await engine.compileStep([graph, ...more]);
  try {
    replicas.forEach(({ seed, present, earlier }, place) => {
      const inputs = earlier.map(readCheckpoint);
      if (present === null) startNetworks(stage, networks, place, seed, inputs);
      else loadNetworks(stage, networks, place, [readCheckpoint(present), ...inputs], true);
    });
  } catch (error) {
    program.destroy();
    throw error;
  }
  return {
    size: sizeOf(program, buffer),
    run: (options) => runSteps(program, { ...options, stage }),
    encode: (step, metadata) =>
      encodeCheckpoints(stage, networks, replicas.length, step, (replica) => metadata[replica]!),
    profile: (step, directory) => profileStage(engine, program, stage, step, directory),
    destroy: () => program.destroy(),
  };
}

function sizeOf(program: TrainingStep, buffer: ReplayBuffer): StageSize {
  return {
    dispatches: program.dispatchesPerStep,
    bytes: { planned: program.plannedBytes, allocated: program.bytes, data: buffer.bytes },
  };
}
