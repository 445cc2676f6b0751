/**
 * Estimates the time of a run from the FLOPs of its stages and a FLOP rate. The rate is first that
 * of matrix products, and then that of the running stage.
 *
 * @module
 */
import { fuse } from "../autodiff/fusion.ts";
import { Graph } from "../autodiff/graph.ts";
import { schedule } from "../autodiff/schedule.ts";
import type { ReplayBuffer } from "../data/replay_buffer.ts";
import { portableTarget } from "../gpu/target.ts";
import { type ReplicaAxes, replicasOf, stageOf } from "./replicas.ts";

/** The amount of computation in a stage. */
export interface StageWork {
  /** Name of the stage. */
  readonly stage: string;
  /** Number of steps. */
  readonly steps: number;
  /** FLOPs of the matrix products in one step, over all replicas. */
  readonly flops: number;
  /** Dispatches in one step, averaged over all steps. */
  readonly dispatches: number;
}

/** Returns the FLOPs in a dispatch, averaged over all dispatches of the stages. */
export function flopsPerDispatch(stages: readonly StageWork[]): number {
  const flops = stages.reduce((sum, { steps, flops }) => sum + steps * flops, 0);
  return flops / stages.reduce((sum, { steps, dispatches }) => sum + steps * dispatches, 0);
}

/** Estimates the time of a run's stages. */
export class RunEstimate {
  readonly #groups: readonly (readonly StageWork[])[];

  /** Creates an estimate for the stages, in groups that are trained at the same time. */
  constructor(groups: readonly (readonly StageWork[])[]) {
    this.#groups = groups;
  }

  /**
   * Returns the estimated seconds for all stages.
   *
   * @param rate FLOP/s of matrix products on the adapter.
   */
  total(rate: number): number {
    return secondsOf(this.#groups, rate);
  }

  /**
   * Returns the estimated seconds for the stages that begin after `stage`, at the FLOP rate of
   * `stage`.
   *
   * @param stepsPerSecond Current speed of `stage`.
   */
  after(stage: string, stepsPerSecond: number): number {
    const place = this.#groups.findIndex((group) => group.some((each) => each.stage === stage));
    const { flops } = this.#groups[place]!.find((each) => each.stage === stage)!;
    return secondsOf(this.#groups.slice(place + 1), stepsPerSecond * flops);
  }
}

/** Returns the amount of computation in each stage of a run. */
export async function workOf(
  axes: ReplicaAxes,
  stages: readonly string[],
  buffer: ReplayBuffer,
): Promise<StageWork[]> {
  const { hyperparameters: h } = axes;
  return await Promise.all(stages.map(async (stage) => {
    const definition = stageOf(axes.algorithm, stage);
    const replicas = replicasOf(axes, definition);
    const graph = new Graph({ seeds: replicas.map(({ seed }) => seed) });
    const { more = [] } = await definition.describe(
      graph,
      buffer,
      h,
      replicas.map((each) => each.hyperparameters),
    );
    const perStep = (count: (graph: Graph) => number) =>
      [graph, ...more].reduce((sum, each) => sum + count(each) / each.every, 0);
    return {
      stage,
      steps: Number(h[definition.steps]),
      flops: perStep(flopsOf),
      dispatches: perStep((each) => schedule(fuse(each.operations), portableTarget).length),
    };
  }));
}

/** Returns the FLOPs of a graph's matrix products. */
function flopsOf({ operations }: Graph): number {
  return operations.reduce((sum, { flops = 0 }) => sum + flops, 0);
}

function secondsOf(groups: readonly (readonly StageWork[])[], rate: number): number {
  return groups.reduce(
    (sum, group) => sum + Math.max(...group.map(({ steps, flops }) => steps * flops / rate)),
    0,
  );
}
