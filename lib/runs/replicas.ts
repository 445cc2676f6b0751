/**
 * What is trained side by side in a run: every seed, and in the policy stage every variant of a sweep
 * for every seed.
 *
 * @module
 */
import type { Hyperparameters } from "../algorithms/srpo/hyperparameters.ts";
import type { StageName } from "../algorithms/srpo/stage.ts";
import type { Variant } from "../algorithms/srpo/variants.ts";
import type { RunDirectory } from "./directory.ts";

/** What a run's replicas follow from. */
export interface ReplicaAxes {
  /** The run's directory. */
  readonly directory: RunDirectory;
  /** What all replicas share. */
  readonly hyperparameters: Hyperparameters;
  /** Seeds, each once. */
  readonly seeds: readonly number[];
  /** Variants of the policy stage; empty where nothing is swept. */
  readonly variants: readonly Variant[];
}

/** One of the things trained side by side. */
export interface Replica {
  /** Seed of everything random in it. */
  readonly seed: number;
  /** Name of the variant; null where nothing is swept, and in the stages that all variants share. */
  readonly variant: string | null;
  /** What it is trained with. */
  readonly hyperparameters: Hyperparameters;
  /** Where its files lie; laid out as a run directory. */
  readonly directory: RunDirectory;
}

/** Stages whose networks the policy stage takes over. */
export const earlierStages = ["critic", "behavior"] as const;

/** The replicas of a stage in the order of its replica axis: by seed, and of one seed by variant. */
export function replicasOf(axes: ReplicaAxes, stage: StageName): Replica[] {
  const { directory, hyperparameters, seeds, variants } = axes;
  return seeds.flatMap((seed): Replica[] => {
    if (stage === "policy" && variants.length > 0) {
      return variants.map((variant) => ({
        seed,
        variant: variant.name,
        hyperparameters: variant.hyperparameters,
        directory: directory.replica(seed, variant.name),
      }));
    }
    const own = seeds.length === 1 ? directory : directory.replica(seed);
    return [{ seed, variant: null, hyperparameters, directory: own }];
  });
}
