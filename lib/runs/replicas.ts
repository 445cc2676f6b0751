/**
 * What is trained side by side in a run: every seed, and in some stages every variant of a sweep for
 * every seed.
 *
 * @module
 */
import { join } from "node:path";
import type { Algorithm, StageDefinition, Sweep, Variant } from "../algorithms/algorithm.ts";
import type { HyperparameterValues } from "../algorithms/hyperparameters.ts";
import type { RunConfig, RunDirectory } from "./directory.ts";

/** What a run's replicas follow from. */
export interface ReplicaAxes {
  /** The run's directory. */
  readonly directory: RunDirectory;
  /** What is trained. */
  readonly algorithm: Algorithm;
  /** What all replicas share. */
  readonly hyperparameters: HyperparameterValues;
  /** Seeds, each once. */
  readonly seeds: readonly number[];
  /** Variants of the stages that are trained over variants; empty where nothing is swept. */
  readonly variants: readonly Variant[];
}

/** One of the things trained side by side. */
export interface Replica {
  /** Seed of everything random in it. */
  readonly seed: number;
  /** Name of the variant; null where nothing is swept, and in the stages that all variants share. */
  readonly variant: string | null;
  /** What it is trained with. */
  readonly hyperparameters: HyperparameterValues;
  /** Where its files lie; laid out as a run directory. */
  readonly directory: RunDirectory;
}

/** The replicas of a stage in the order of its replica axis: by seed, and of one seed by variant. */
export function replicasOf(axes: ReplicaAxes, { over }: Pick<StageDefinition, "over">): Replica[] {
  const { directory, hyperparameters, seeds, variants } = axes;
  return seeds.flatMap((seed): Replica[] => {
    if (over === "variants" && variants.length > 0) {
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

/** The replicas of all stages, each directory once. */
export function allReplicas(axes: ReplicaAxes): Replica[] {
  const replicas = axes.algorithm.stages.flatMap((stage) => replicasOf(axes, stage));
  return [...new Map(replicas.map((replica) => [replica.directory.path, replica])).values()];
}

/**
 * Writes the `config.json` of a new run, and one into the folder of every seed and variant.
 *
 * @param config What the run was started with besides seeds and hyperparameters.
 */
export async function writeConfigs(
  axes: ReplicaAxes,
  { sweep, ...config }: Omit<RunConfig, "seeds" | "hyperparameters">,
): Promise<void> {
  const { given } = config;
  for (const { seed, hyperparameters, directory } of allReplicas(axes)) {
    Deno.mkdirSync(join(directory.path, "checkpoints"), { recursive: true });
    await directory.writeConfig({
      ...config,
      hyperparameters: { ...hyperparameters },
      seeds: [seed],
      ...(given && { given: given.filter((each) => each.seed === seed) }),
    });
  }
  await axes.directory.writeConfig({
    ...config,
    hyperparameters: { ...axes.hyperparameters },
    seeds: axes.seeds,
    ...(sweep && { sweep }),
  });
}

/** The stage of this name. */
export function stageOf({ name, stages }: Algorithm, stage: string): StageDefinition {
  const found = stages.find((each) => each.name === stage);
  if (!found) throw new Error(`stageOf: ${name} has no stage "${stage}"`);
  return found;
}

/**
 * All combinations of a sweep's lists, in the order of the algorithm's sweeps with the first slowest;
 * none where nothing is swept.
 *
 * @param h What all of them share.
 */
export function variantsOf(algorithm: Algorithm, h: HyperparameterValues, sweep: Sweep): Variant[] {
  const swept = algorithm.sweeps.filter(({ list }) => sweep[list] !== undefined);
  if (swept.length === 0) return [];
  let variants: Variant[] = [{ name: "", hyperparameters: h }];
  for (const { list, label, hyperparameter } of swept) {
    variants = variants.flatMap(({ name, hyperparameters }) =>
      sweep[list]!.map((value) => ({
        name: [...(name === "" ? [] : [name]), `${label}-${value}`].join("-"),
        hyperparameters: { ...hyperparameters, [hyperparameter]: value },
      }))
    );
  }
  return variants;
}
