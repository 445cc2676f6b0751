/**
 * The behavior model of the bandit: SRPO's behavior stage on points without a state, or with a
 * target as the state.
 *
 * @module
 */
import { behaviorShapeOf } from "../algorithms/srpo/behavior.ts";
import { type Hyperparameters, hyperparametersFor } from "../algorithms/srpo/hyperparameters.ts";
import { behaviorStage } from "../algorithms/srpo/training.ts";
import type { Engine } from "../autodiff/engine.ts";
import { Graph } from "../autodiff/graph.ts";
import type { ParameterValues } from "../autodiff/parameters.ts";
import { TrainingStep } from "../autodiff/training_step.ts";
import { ReplayBuffer } from "../data/replay_buffer.ts";
import type { BehaviorShape } from "../nn/behavior_model.ts";
import { runSteps } from "../runs/loop.ts";

/** Points to learn, one per row. */
export interface Rows {
  /** `[rows, 2]`. */
  readonly points: Float32Array;
  /** `[rows, stateSize]`; empty if there is no state. */
  readonly states: Float32Array;
}

/** Budget of a behavior model. */
export interface BehaviorBudget {
  /** Training steps. */
  readonly steps: number;
  /** Rows per step. */
  readonly batch: number;
  /** Units of the residual stream. */
  readonly width: number;
  /** Residual blocks. */
  readonly blocks: number;
  /** Initial learning rate, which decays to 0 along a cosine. */
  readonly learningRate: number;
}

/** A trained behavior model. */
export interface Behavior {
  /** Sizes of the network. */
  readonly shape: BehaviorShape;
  /** Its parameters and Fourier frequencies, by name without the prefix `diffusion.`. */
  readonly values: ParameterValues;
}

/** Callback and stop condition of a stage. */
export interface Watch {
  /** Called after each step with the loss. */
  readonly onStep?: (step: number, loss: number) => void;
  /** Stops between steps if it returns true. Defaults to never. */
  readonly shouldStop?: () => boolean;
}

/** A {@linkcode Watch} that can read the model during training. */
export interface BehaviorWatch extends Watch {
  /** Awaited between chunks of steps. `read` reads the model as it is now. */
  readonly between?: (read: () => Promise<Behavior>) => Promise<void>;
}

/** Returns the hyperparameters of the behavior stage for a budget. */
export function behaviorHyperparameters(budget: BehaviorBudget): Hyperparameters {
  return hyperparametersFor("maze2d", "quick", {
    behaviorSteps: budget.steps,
    behaviorBatchSize: budget.batch,
    behaviorWidth: budget.width,
    behaviorBlocks: budget.blocks,
    behaviorLearningRate: budget.learningRate,
    behaviorSchedule: "cosine",
    // There are as many points as needed, so that nothing is overfitted.
    behaviorDropout: 0,
    behaviorWeightDecay: 0,
    fourierScale: 1,
  });
}

/**
 * Trains a behavior model (Eq. 13) with the code of SRPO's behavior stage.
 *
 * @param h Hyperparameters, as from {@linkcode behaviorHyperparameters}.
 */
export async function trainBehavior(
  engine: Engine,
  { points, states }: Rows,
  h: Hyperparameters,
  seed: number,
  { onStep = () => {}, shouldStop = () => false, between }: BehaviorWatch = {},
): Promise<Behavior> {
  const rows = points.length / 2;
  const observationSize = states.length / rows;
  const buffer = new ReplayBuffer(engine.gpu, {
    rows,
    observationSize,
    actionSize: 2,
    observations: states,
    actions: points,
    terminals: new Float32Array(rows),
    // Every row can be drawn: the behavior stage reads no next states.
    transitions: Uint32Array.from({ length: rows }, (_, row) => row),
  }, new Float32Array(rows));
  try {
    const graph = new Graph({ seeds: [seed] });
    const { networks } = behaviorStage(graph, buffer, h);
    using program = new TrainingStep([graph], [await engine.compile(graph)]);
    for (const { parameters, initial } of networks) {
      parameters.write(parameters.store, 0, initial!(parameters.shapes, seed, 0));
    }
    const read = async (): Promise<Behavior> => {
      const values = new Map<string, Float32Array>();
      for (const { parameters } of networks) {
        for (const [name, value] of (await parameters.read())[0]!) values.set(name, value);
      }
      return { shape: behaviorShapeOf({ observationSize, actionSize: 2 }, h), values };
    };
    await runSteps(program, {
      stage: "behavior",
      start: 0,
      end: h.behaviorSteps,
      onStep: (step, { loss }) => onStep(step, loss![0]!),
      shouldStop,
      ...(between && { between: () => between(read) }),
    });
    return await read();
  } finally {
    buffer.destroy();
  }
}
