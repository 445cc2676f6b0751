/**
 * Averages a stage's metrics over intervals of steps and writes them as rows of the metrics file.
 *
 * @module
 */
import * as v from "valibot";
import type { StepMetrics } from "../autodiff/training_step.ts";
import { UserError } from "../errors.ts";
import { kinds, parseJson, parseValue } from "../schema.ts";
import type { MetricsFile, ReplicaName } from "./metrics.ts";

/** Maximum number of intervals per stage. */
const intervals = 2000;

/** Returns the number of steps per row of a stage of `steps` steps. */
function intervalOf(steps: number): number {
  return Math.max(1, Math.ceil(steps / intervals));
}

/** Returns the steps at which a stage of `steps` steps has logged a row after step `done`. */
export function loggedSteps(steps: number, done: number): number[] {
  const interval = intervalOf(steps);
  const whole = Math.floor(done / interval);
  const logged = Array.from({ length: whole }, (_, i) => (i + 1) * interval);
  return done === steps && steps % interval !== 0 ? [...logged, steps] : logged;
}

/** Sums of one replica's metrics since its last row, as stored in its checkpoint. */
type PartialSums = Readonly<Record<string, PartialSum>>;

/** The sum of one metric and its number of steps. Some updates do not run in every step. */
interface PartialSum {
  readonly count: number;
  readonly sum: number;
}

/**
 * Writes the means over intervals of steps, and over the remaining steps at the end of the stage.
 * The intervals depend only on the step numbers, because the sums of an interrupted run are stored
 * in its checkpoints.
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
   * @param replicas The replicas, in the order of a metric's numbers.
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
    this.#interval = intervalOf(steps);
    this.#replicas = replicas;
  }

  /** Adds the metrics of a step, one number per replica. */
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

  /**
   * Returns the sums since a replica's last row as text for its checkpoint; null if there are none.
   */
  partial(replica: number): string | null {
    const sums = Object.entries(this.#sums);
    if (sums.length === 0) return null;
    const partial: PartialSums = Object.fromEntries(
      sums.map(([name, { count, of }]) => [name, { count, sum: of[replica]! }]),
    );
    return JSON.stringify(partial);
  }

  /**
   * Restores the sums returned by {@linkcode partial}.
   *
   * @param partials One per replica; undefined if a checkpoint has none.
   * @throws {UserError} If they cover different numbers of steps, or are not sums.
   */
  restore(partials: readonly (string | undefined)[]): void {
    const parsed = partials.map((text) => text === undefined ? {} : parsePartial(text));
    const counts = (partial: PartialSums) =>
      Object.entries(partial).map(([name, { count }]) => `${name} ${count}`).sort().join();
    const [first, ...others] = parsed;
    if (first === undefined) return;
    if (others.some((each) => counts(each) !== counts(first))) {
      throw new UserError(
        `the checkpoints of the ${this.#stage} stage do not match: their unlogged steps differ`,
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

const partialSchema = v.record(
  v.string(),
  v.strictObject({ count: kinds.positive, sum: kinds.number }),
);

function parsePartial(text: string): PartialSums {
  const source = "the sums of metrics in a checkpoint's metadata";
  return parseValue(partialSchema, parseJson(text, source), source);
}
