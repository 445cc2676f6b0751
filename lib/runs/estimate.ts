/**
 * How long a run will take: from what its stages compute and the speed of matrix products, and once a
 * stage is under way, from its pace.
 *
 * @module
 */

/** What a stage has to compute. */
export interface StageWork {
  /** Name of the stage. */
  readonly stage: string;
  /** Steps left. */
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
    return secondsOf(
      this.#stages.slice(place + 1),
      stepsPerSecond * this.#stages[place]!.flops,
    );
  }
}

function secondsOf(stages: readonly StageWork[], rate: number): number {
  return stages.reduce((sum, { steps, flops }) => sum + steps * flops / rate, 0);
}
