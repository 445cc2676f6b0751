/**
 * Training without files, for browsers: the stages of an algorithm one after another, for one seed.
 * With the same seed and data, the steps are those of `train`.
 *
 * @module
 */
import type { Algorithm, StageDefinition } from "../algorithms/algorithm.ts";
import type { HyperparameterValues } from "../algorithms/hyperparameters.ts";
import type { Engine } from "../autodiff/engine.ts";
import { Graph } from "../autodiff/graph.ts";
import type { StepMetrics } from "../autodiff/training_step.ts";
import type { ReplayBuffer } from "../data/replay_buffer.ts";
import type { NamedTensors } from "../nn/host/tensors.ts";
import { runSteps } from "./loop.ts";
import { type Checkpoint, readNetworks, startNetworks } from "./networks.ts";

/** What is trained. */
export interface MemoryRun {
  /** Compiles graphs to programs for the GPU. */
  readonly engine: Engine;
  /** The algorithm. */
  readonly algorithm: Algorithm;
  /** All its hyperparameters. */
  readonly hyperparameters: HyperparameterValues;
  /** The data set on the GPU. */
  readonly buffer: ReplayBuffer;
  /** Random seed. */
  readonly seed: number;
}

/** Networks by stage, for actors and values. */
export type StageTensors = Readonly<Record<string, NamedTensors>>;

/** Progress and interruption of a run in memory. */
export interface MemoryWatch {
  /** Called after each step, counted from 1, with its metrics. */
  readonly onStep: (stage: string, step: number, steps: number, metrics: StepMetrics) => void;
  /** Stops between steps if it returns true. */
  readonly shouldStop: () => boolean;
  /**
   * Awaited between chunks of steps, for example to pause or to draw.
   *
   * @param read Reads the networks of the finished stages and of the current one.
   */
  readonly between: (stage: string, read: () => Promise<StageTensors>) => Promise<void>;
}

/**
 * Trains all stages of an algorithm.
 *
 * @returns The networks by stage; null if it was stopped.
 * @throws {UserError} If a loss is not finite.
 */
export async function trainInMemory(
  run: MemoryRun,
  watch: MemoryWatch,
): Promise<StageTensors | null> {
  const finished = new Map<string, Checkpoint>();
  for (const definition of run.algorithm.stages) {
    const checkpoint = await trainStage(run, definition, finished, watch);
    if (checkpoint === null) return null;
    finished.set(definition.name, checkpoint);
  }
  return tensorsOf(finished);
}

async function trainStage(
  { engine, hyperparameters: h, buffer, seed }: MemoryRun,
  definition: StageDefinition,
  finished: ReadonlyMap<string, Checkpoint>,
  { onStep, shouldStop, between }: MemoryWatch,
): Promise<Checkpoint | null> {
  const { name } = definition;
  const steps = Number(h[definition.steps]);
  const graph = new Graph({ seeds: [seed] });
  const { networks, more = [] } = await definition.describe(graph, buffer, h, [h]);
  using program = await engine.compileStep([graph, ...more]);
  startNetworks(name, networks, 0, seed, definition.needs.map((stage) => finished.get(stage)!));
  const read = async (step: number | null): Promise<Checkpoint> => {
    const [tensors] = await readNetworks(`the ${name} stage`, networks, 1, false);
    return { path: `the ${name} stage`, file: { tensors: tensors!, metadata: {} }, step };
  };
  const made = await runSteps(program, {
    stage: name,
    start: 0,
    end: steps,
    onStep: (step, metrics) => onStep(name, step, steps, metrics),
    shouldStop,
    between: () =>
      between(name, async () => tensorsOf(new Map([...finished, [name, await read(null)]]))),
  });
  return made < steps ? null : await read(steps);
}

function tensorsOf(checkpoints: ReadonlyMap<string, Checkpoint>): StageTensors {
  return Object.fromEntries(
    [...checkpoints].map(([stage, { path, file }]) => [
      stage,
      { source: path, tensors: file.tensors },
    ]),
  );
}
