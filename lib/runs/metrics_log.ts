/**
 * The log of a stage under way: means over every few steps, as rows of the metrics file.
 *
 * @module
 */
import type { StepMetrics } from "./loop.ts";
import type { MetricsFile } from "./metrics.ts";

/** Lines of a stage in the metrics file, at the most. */
const metricsLines = 2000;

/** Writes the means over every so many steps to the metrics file. */
export class MetricsLog {
  readonly #file: MetricsFile;
  readonly #stage: string;
  readonly #interval: number;
  readonly #replicas: readonly number[] | undefined;
  #sums: Record<string, number[]> = {};
  #count = 0;
  /** The last means written. */
  latest: StepMetrics = {};

  /**
   * Logs a stage of `steps` steps.
   *
   * @param replicas Places of what is trained on the stage's replica axis, where it is not all.
   */
  constructor(file: MetricsFile, stage: string, steps: number, replicas?: readonly number[]) {
    this.#file = file;
    this.#stage = stage;
    this.#interval = Math.max(1, Math.ceil(steps / metricsLines));
    this.#replicas = replicas;
  }

  /** Takes in the metrics of a step. */
  add(step: number, values: StepMetrics): void {
    this.#count++;
    for (const [name, replicas] of Object.entries(values)) {
      const sums = this.#sums[name] ??= replicas.map(() => 0);
      replicas.forEach((value, replica) => sums[replica]! += value);
    }
    if (step % this.#interval !== 0) return;
    this.latest = Object.fromEntries(
      Object.entries(this.#sums).map(([name, sums]) => [
        name,
        sums.map((sum) => sum / this.#count),
      ]),
    );
    const metrics = Object.fromEntries(
      Object.entries(this.latest).map(([name, values]) => [
        name,
        values.length === 1 ? values[0]! : values,
      ]),
    );
    this.#file.append({
      stage: this.#stage,
      step,
      metrics,
      ...(this.#replicas && { replicas: this.#replicas }),
    });
    this.#sums = {};
    this.#count = 0;
  }
}
