/**
 * Detects diverging values. No policy's discounted return exceeds max |r| / (1 − γ) in magnitude,
 * so an estimate beyond it has diverged, as in Figure 13 of the SRPO paper.
 *
 * @module
 */
import type { BoundedValues } from "../algorithms/algorithm.ts";
import type { HyperparameterValues } from "../algorithms/hyperparameters.ts";
import type { StepMetrics } from "../autodiff/training_step.ts";
import type { ReplicaName } from "./metrics.ts";

/** Factor of the bound beyond which an estimate counts as diverged. */
const margin = 1.25;
/** Magnitude that an untrained network may reach whatever the rewards are. */
const untrained = 1;

/** Watches the metrics of a stage that estimate discounted returns. */
export class DivergenceWatch {
  readonly #values: BoundedValues;
  readonly #bound: number;
  readonly #discount: number;
  readonly #largestReward: number;
  readonly #replicas: readonly ReplicaName[];
  readonly #reported = new Set<number>();

  /**
   * @param values The metrics, and advice for the user.
   * @param largestReward The largest magnitude of the rewards that are trained on.
   * @param replicas The trained replicas, in the order of the metrics.
   */
  constructor(
    values: BoundedValues,
    h: HyperparameterValues,
    largestReward: number,
    replicas: readonly ReplicaName[],
  ) {
    this.#values = values;
    this.#discount = Number(h[values.discount]);
    this.#largestReward = largestReward;
    this.#bound = largestReward / (1 - this.#discount);
    this.#replicas = replicas;
  }

  /** Returns a warning for each replica whose estimates have left the bound for the first time. */
  check(stage: string, step: number, metrics: StepMetrics): string[] {
    const limit = Math.max(margin * this.#bound, untrained);
    return this.#values.metrics.flatMap((metric) =>
      (metrics[metric] ?? []).flatMap((value, place) => {
        if (Math.abs(value) <= limit || this.#reported.has(place)) return [];
        this.#reported.add(place);
        const { seed, variant } = this.#replicas[place]!;
        return [
          `warning  ${stage}, seed ${seed}${variant === null ? "" : ` ${variant}`}: ${metric} is ` +
          `${value.toPrecision(3)} at step ${step.toLocaleString("en-US")}, but rewards of at ` +
          `most ±${Number(this.#largestReward.toPrecision(3))} and a discount of ` +
          `${this.#discount} allow no value beyond ±${Number(this.#bound.toPrecision(3))}. ` +
          `${this.#values.advice}`,
        ];
      })
    );
  }
}
