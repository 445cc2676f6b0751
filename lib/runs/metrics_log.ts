/**
 * The log of a stage under way: means over every few steps, as rows of the metrics file.
 *
 * @module
 */
import { UserError } from "../errors.ts";
import type { StepMetrics } from "./loop.ts";
import type { MetricsFile, ReplicaName } from "./metrics.ts";

/** Intervals of a stage in the metrics file, at the most. */
const intervals = 2000;

/** Sums over the steps since the last row of one replica, as its checkpoint keeps them. */
interface PartialSums {
  /** Steps that they are over. */
  readonly count: number;
  /** Sums by metric. */
  readonly sums: Readonly<Record<string, number>>;
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
  #sums: Record<string, number[]> = {};
  #count = 0;

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
    this.#count++;
    for (const [name, replicas] of Object.entries(values)) {
      const sums = this.#sums[name] ??= replicas.map(() => 0);
      replicas.forEach((value, replica) => sums[replica]! += value);
    }
    if (step % this.#interval !== 0 && step !== this.#steps) return;
    this.#replicas.forEach(({ seed, variant }, replica) => {
      const metrics = Object.fromEntries(
        Object.entries(this.#sums).map(([name, sums]) => [name, sums[replica]! / this.#count]),
      );
      this.#file.append({ stage: this.#stage, step, seed, variant, metrics, episodes: null });
    });
    this.#sums = {};
    this.#count = 0;
  }

  /** What has been summed up since a replica's last row, as text for its checkpoint; null if nothing. */
  partial(replica: number): string | null {
    if (this.#count === 0) return null;
    const sums = Object.entries(this.#sums).map(([name, values]) => [name, values[replica]!]);
    const partial: PartialSums = { count: this.#count, sums: Object.fromEntries(sums) };
    return JSON.stringify(partial);
  }

  /**
   * Goes on from what {@linkcode partial} gave.
   *
   * @param partials One for each replica, undefined where a checkpoint has none.
   * @throws UserError where they are of different numbers of steps, or no sums.
   */
  restore(partials: readonly (string | undefined)[]): void {
    const parsed = partials.map((text) => text === undefined ? undefined : parsePartial(text));
    const count = parsed[0]?.count ?? 0;
    if (parsed.some((each) => (each?.count ?? 0) !== count)) {
      throw new UserError(
        `the checkpoints of the ${this.#stage} stage do not belong together: their unlogged steps differ`,
      );
    }
    if (count === 0) return;
    this.#count = count;
    this.#sums = Object.fromEntries(
      Object.keys(parsed[0]!.sums).map((name) => [name, parsed.map((each) => each!.sums[name]!)]),
    );
  }
}

function parsePartial(text: string): PartialSums {
  try {
    const { count, sums } = JSON.parse(text) as PartialSums;
    if (
      Number.isInteger(count) && Object.values(sums).every((value) => typeof value === "number")
    ) return { count, sums };
  } catch {
    // Reported below, like any other text that is none.
  }
  throw new UserError(`a checkpoint's metadata has no sums of metrics, but ${text.slice(0, 80)}`);
}
