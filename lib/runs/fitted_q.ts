/**
 * Estimates the return of a policy from data alone, by fitted Q evaluation.
 *
 * @module
 */
import { fittedQEvaluation } from "../algorithms/registry.ts";
import type { Engine } from "../autodiff/engine.ts";
import { Graph } from "../autodiff/graph.ts";
import type { OfflineDataset } from "../data/offline_dataset.ts";
import { ReplayBuffer } from "../data/replay_buffer.ts";
import { episodesOf } from "../data/summary.ts";
import { RandomStream } from "../envs/random.ts";
import { policySeed } from "../envs/seeds.ts";
import { UserError } from "../errors.ts";
import type { Policy, RemotePolicy } from "../nn/host/policy.ts";
import { bootstrapInterval } from "../report/statistics.ts";
import { runSteps } from "./loop.ts";
import { initialize, shapeOf } from "./networks.ts";

/** Rows that a policy acts on at a time. */
const actRows = 256;

/** Settings that replace the defaults. */
export interface FittedQOptions {
  /** Training steps. */
  readonly steps?: number;
  /** Discount factor γ. */
  readonly discount?: number;
  /** Hidden units of Q. */
  readonly width?: number;
  /** Rows per minibatch. */
  readonly batchSize?: number;
}

/** An estimate of a policy's discounted return. */
export interface FittedQEstimate {
  /** Estimates of the seeds. */
  readonly values: readonly number[];
  /** Their mean. */
  readonly mean: number;
  /** 95 % bootstrap interval of the mean over the seeds; null for one seed. */
  readonly interval: readonly [low: number, high: number] | null;
  /** Starts of episodes in the data, over which a seed's estimate is the mean. */
  readonly starts: number;
  /** Discount factor γ. */
  readonly discount: number;
  /** Training steps. */
  readonly steps: number;
}

/** Callbacks of {@linkcode fittedQEstimate}. */
export interface FittedQObserver {
  /** Called with the number of rows that the policy has acted on. */
  acted(rows: number, total: number): void;
  /** Called with the number of completed training steps and the mean loss over the seeds. */
  trained(step: number, total: number, loss: number): void;
}

/**
 * Estimates the mean of Σ γᵗ rₜ over the starts of the data's episodes, once per seed. The seeds
 * differ in initial weights and minibatches.
 *
 * @param signal Stops the estimation when aborted.
 * @throws {UserError} If the policy's sizes are not the data's, an action is not finite, or a loss
 * is not finite.
 */
export async function fittedQEstimate(
  engine: Engine,
  dataset: OfflineDataset,
  policy: Policy | RemotePolicy,
  options: FittedQOptions,
  seeds: readonly number[],
  observer: FittedQObserver,
  signal: AbortSignal,
): Promise<FittedQEstimate> {
  const { defaults, describe, qOnHost, withActions } = await fittedQEvaluation();
  const settings = { ...defaults, ...options };
  const actions = await actionsOf(dataset, policy, observer, signal);
  const { data, rewards, range } = withActions(dataset, actions, settings.discount);
  const buffer = new ReplayBuffer(engine.gpu, data, rewards);
  try {
    const graph = new Graph({ seeds });
    const { networks, more = [] } = describe(graph, buffer, settings, range);
    using program = await engine.compileStep([graph, ...more]);
    seeds.forEach((seed, place) => initialize(networks, place, seed));
    await runSteps(program, {
      stage: "fitted Q evaluation",
      start: 0,
      end: settings.steps,
      shouldStop: () => signal.aborted,
      onStep: (step, { loss }) => observer.trained(step, settings.steps, meanOf(loss ?? [])),
    });
    signal.throwIfAborted();
    const starts = episodesOf(dataset).map(({ begin }) => begin);
    const inputs = gathered(data.observations, data.observationSize, starts);
    const [{ parameters }] = networks as [typeof networks[number]];
    const values = (await parameters.read()).map((tensors) => {
      const named = new Map(parameters.shapes.map((shape) => [
        `q.${shape.name}`,
        { shape: shapeOf(shape), data: tensors.get(shape.name)! },
      ]));
      const q = { source: "fitted Q evaluation", tensors: named };
      return meanOf(qOnHost(q, inputs, starts.length)) / (1 - settings.discount);
    });
    return {
      values,
      mean: meanOf(values),
      interval: values.length > 1 ? bootstrapInterval(values, meanOf) : null,
      starts: starts.length,
      discount: settings.discount,
      steps: settings.steps,
    };
  } finally {
    buffer.destroy();
  }
}

function meanOf(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]!;
  return sum / values.length;
}

function gathered(values: Float32Array, columns: number, rows: readonly number[]): Float32Array {
  const found = new Float32Array(rows.length * columns);
  rows.forEach((row, i) => {
    found.set(values.subarray(row * columns, (row + 1) * columns), i * columns);
  });
  return found;
}

/** Returns the policy's action in every row's state, `[rows, actionSize]`. */
async function actionsOf(
  { rows, observations, observationSize, actionSize }: OfflineDataset,
  policy: Policy | RemotePolicy,
  observer: FittedQObserver,
  signal: AbortSignal,
): Promise<Float32Array> {
  if (policy.observationSize !== observationSize || policy.actionSize !== actionSize) {
    throw new UserError(
      `the policy takes ${policy.observationSize} observation entries and returns ` +
        `${policy.actionSize} action entries, but the data have ${observationSize} and ` +
        `${actionSize}; give data of the environment that the policy was trained for`,
    );
  }
  const actions = new Float32Array(rows * actionSize);
  for (let row = 0; row < rows; row += actRows) {
    signal.throwIfAborted();
    const end = Math.min(rows, row + actRows);
    const states = observations.subarray(row * observationSize, end * observationSize);
    const streams = Array.from(
      { length: end - row },
      (_, i) => new RandomStream(policySeed(row + i)),
    );
    actions.set(await policy.act(Float64Array.from(states), streams), row * actionSize);
    observer.acted(end, rows);
    // Let the event loop deliver signals.
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  const bad = actions.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0) {
    throw new UserError(
      `the policy's action is ${actions[bad]} for row ${Math.floor(bad / actionSize)} of the data`,
    );
  }
  return actions;
}
