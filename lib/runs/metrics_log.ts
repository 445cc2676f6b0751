/**
 * The log of a stage under way: means over every few steps, as rows of the metrics file.
 *
 * @module
 */
import type { StepMetrics } from "../autodiff/training_step.ts";
import { UserError } from "../errors.ts";
import type { MetricsFile, ReplicaName } from "./metrics.ts";

/** Intervals of a stage in the metrics file, at the most. */
const intervals = 2000;

/** Sums over the steps since the last row of one replica by metric, as its checkpoint keeps them. */
type PartialSums = Readonly<Record<string, PartialSum>>;

/** The sum of one metric, and over how many steps: an update need not be made in every step. */
interface PartialSum {
  readonly count: number;
  readonly sum: number;
}

/**
 * Writes the means over every so many steps, and over those left at the end of the stage. The intervals
 * follow from the step numbers alone: what an interrupted run has summed up lies in its checkpoints.
 */
export class MetricsLog {
  readonly #file: MetricsFile;
  readonly #stage: string;
  readonly #steps: number;
  readonly #interval: number;
  readonly #replicas: readonly ReplicaName[];
  #sums: Record<string, { count: number; readonly of: number[] }> = {};

  /**
   * Logs a stage of `steps` steps.
   *
   * @param replicas What the numbers of a metric belong to, in their order.
   */
  constructor(
    file: MetricsFile,
    stage: string,
    steps: number,
    replicas: readonly ReplicaName[],
  ) {
    this.#file = file;
    this.#stage = stage;
    this.#steps = steps;
    this.#interval = Math.max(1, Math.ceil(steps / intervals));
    this.#replicas = replicas;
  }

  /** Takes in the metrics of a step, one number for each replica. */
  add(step: number, values: StepMetrics): void {
    for (const [name, replicas] of Object.entries(values)) {
      const sums = this.#sums[name] ??= { count: 0, of: replicas.map(() => 0) };
      sums.count++;
      replicas.forEach((value, replica) => sums.of[replica]! += value);
    }
    if (step % this.#interval !== 0 && step !== this.#steps) return;
    this.#replicas.forEach(({ seed, variant }, replica) => {
      const metrics = Object.fromEntries(
        Object.entries(this.#sums).map(([name, { count, of }]) => [name, of[replica]! / count]),
      );
      this.#file.append({ stage: this.#stage, step, seed, variant, metrics, episodes: null });
    });
    this.#sums = {};
  }

  /** What has been summed up since a replica's last row, as text for its checkpoint; null if nothing. */
  partial(replica: number): string | null {
    const sums = Object.entries(this.#sums);
    if (sums.length === 0) return null;
    const partial: PartialSums = Object.fromEntries(
      sums.map(([name, { count, of }]) => [name, { count, sum: of[replica]! }]),
    );
    return JSON.stringify(partial);
  }

  /**
   * Goes on from what {@linkcode partial} gave.
   *
   * @param partials One for each replica, undefined where a checkpoint has none.
   * @throws UserError where they are of different numbers of steps, or no sums.
   */
  restore(partials: readonly (string | undefined)[]): void {
    const parsed = partials.map((text) => text === undefined ? {} : parsePartial(text));
    const counts = (partial: PartialSums) =>
      Object.entries(partial).map(([name, { count }]) => `${name} ${count}`).sort().join();
    const [first, ...others] = parsed;
    if (first === undefined) return;
    if (others.some((each) => counts(each) !== counts(first))) {
      throw new UserError(
        `the checkpoints of the ${this.#stage} stage do not belong together: their unlogged steps differ`,
      );
    }
    this.#sums = Object.fromEntries(
      Object.entries(first).map(([name, { count }]) => [
        name,
        { count, of: parsed.map((each) => each[name]!.sum) },
      ]),
    );
  }
}

function parsePartial(text: string): PartialSums {
  try {
    const sums = JSON.parse(text) as PartialSums;
    const whole = Object.values(sums).every(({ count, sum }) =>
      Number.isInteger(count) && typeof sum === "number"
    );
    if (whole) return sums;
  } catch {
    // Reported below, like any other text that is none.
  }
  throw new UserError(`a checkpoint's metadata has no sums of metrics, but ${text.slice(0, 80)}`);
}
