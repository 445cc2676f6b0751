/**
 * How long a run will take: from what its stages compute and the speed of matrix products, and once a
 * stage is under way, from its pace.
 *
 * @module
 */
import { Graph } from "../autodiff/graph.ts";
import type { ReplayBuffer } from "../data/replay_buffer.ts";
import { type ReplicaAxes, replicasOf, stageOf } from "./replicas.ts";

/** What a stage has to compute. */
export interface StageWork {
  /** Name of the stage. */
  readonly stage: string;
  /** Its steps. */
  readonly steps: number;
  /** Floating-point operations of one step's matrix products, over all replicas. */
  readonly flops: number;
}

/** Estimates the time of a run's stages. */
export class RunEstimate {
  readonly #stages: readonly StageWork[];

  /** An estimate for the stages in the order they are trained. */
  constructor(stages: readonly StageWork[]) {
    this.#stages = stages;
  }

  /**
   * Seconds of all stages.
   *
   * @param rate Operations per second that the adapter reaches in matrix products.
   */
  total(rate: number): number {
    return secondsOf(this.#stages, rate);
  }

  /**
   * Seconds of the stages after `stage`, at the operations per second that it reaches now.
   *
   * @param stepsPerSecond Its present pace.
   */
  after(stage: string, stepsPerSecond: number): number {
    const place = this.#stages.findIndex((each) => each.stage === stage);
    const { flops } = this.#stages[place]!;
    return secondsOf(this.#stages.slice(place + 1), stepsPerSecond * flops);
  }
}

/** What the stages of a run have to compute. */
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
    const flops = [graph, ...more].reduce((sum, each) => sum + flopsOf(each), 0);
    return { stage, steps: Number(h[definition.steps]), flops };
  }));
}

/** Operations of a graph's matrix products, over the steps that it takes no part in too. */
function flopsOf({ operations, every }: Graph): number {
  return operations.reduce((sum, { flops = 0 }) => sum + flops, 0) / every;
}

function secondsOf(stages: readonly StageWork[], rate: number): number {
  return stages.reduce((sum, { steps, flops }) => sum + steps * flops / rate, 0);
}
