/**
 * The replicas of a run, which are trained in parallel: one per seed, and in some stages one per
 * seed and variant of a sweep.
 *
 * @module
 */
import { join } from "node:path";
import type { Algorithm, StageDefinition, Sweep, Variant } from "../algorithms/algorithm.ts";
import type { HyperparameterValues } from "../algorithms/hyperparameters.ts";
import { UserError } from "../errors.ts";
import type { RunConfig } from "./config.ts";
import type { RunDirectory } from "./directory.ts";

/** The properties of a run that determine its replicas. */
export interface ReplicaAxes {
  /** The run directory. */
  readonly directory: RunDirectory;
  /** Algorithm to train. */
  readonly algorithm: Algorithm;
  /** Hyperparameters that all replicas share. */
  readonly hyperparameters: HyperparameterValues;
  /** Distinct seeds. */
  readonly seeds: readonly number[];
  /** Variants of the sweep; empty if nothing is swept. */
  readonly variants: readonly Variant[];
}

/** One replica. */
export interface Replica {
  /** Random seed. */
  readonly seed: number;
  /** Name of the variant; null if nothing is swept, and in stages that all variants share. */
  readonly variant: string | null;
  /** Hyperparameters of the replica. */
  readonly hyperparameters: HyperparameterValues;
  /** Folder of the replica's files, with the layout of a run directory. */
  readonly directory: RunDirectory;
}

/** Returns the replicas of a stage in the order of its replica axis: by seed, then by variant. */
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

/** Returns the replicas of all stages, one per directory. */
export function allReplicas(axes: ReplicaAxes): Replica[] {
  const replicas = axes.algorithm.stages.flatMap((stage) => replicasOf(axes, stage));
  return [...new Map(replicas.map((replica) => [replica.directory.path, replica])).values()];
}

/**
 * Writes `config.json` to the directory of a new run and to the folder of every seed and variant.
 *
 * @param config The run's settings besides seeds and hyperparameters.
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

/** Returns the stage of this name. */
export function stageOf({ name, stages }: Algorithm, stage: string): StageDefinition {
  const found = stages.find((each) => each.name === stage);
  if (!found) throw new Error(`stageOf: ${name} has no stage "${stage}"`);
  return found;
}

/**
 * Returns the stages to train, in groups that can be trained at the same time.
 *
 * @param stages Names of the stages.
 * @param every Steps between evaluations; infinite if stages are only evaluated at the end.
 * @param together Whether to group stages; otherwise each is alone.
 */
export function groupsOf(
  { algorithm, stages }: { readonly algorithm: Algorithm; readonly stages: readonly string[] },
  every: number,
  together: boolean,
): StageDefinition[][] {
  const groups: StageDefinition[][] = [];
  for (const name of stages) {
    const definition = stageOf(algorithm, name);
    const actor = algorithm.actors.find((each) => each.name === definition.evaluated);
    const needs = [
      ...definition.needs,
      // During training, the actor acts with the finished stages.
      ...(every < Infinity && !definition.evaluatedOnce ? actor?.needs ?? [] : []),
    ];
    const last = groups.at(-1);
    if (together && last && !last.some((each) => needs.includes(each.name))) last.push(definition);
    else groups.push([definition]);
  }
  return groups;
}

/**
 * Returns all combinations of a sweep's lists, in the order of the algorithm's sweeps with the
 * first one varying slowest. Empty if nothing is swept.
 *
 * @param h Hyperparameters that all variants share.
 * @throws {UserError} If a list has no effect in any variant.
 */
export function variantsOf(algorithm: Algorithm, h: HyperparameterValues, sweep: Sweep): Variant[] {
  const swept = algorithm.sweeps.filter(({ list }) => sweep[list] !== undefined);
  if (swept.length === 0) return [];
  let variants: Variant[] = [{ name: "", hyperparameters: h }];
  for (const sweepable of swept) {
    const { list, label, hyperparameter, only } = sweepable;
    let used = false;
    variants = variants.flatMap((variant) => {
      const { name, hyperparameters } = variant;
      if (only !== undefined && !only.holds(hyperparameters)) return [variant];
      used = true;
      return sweep[list]!.map((value) => ({
        name: [...(name === "" ? [] : [name]), `${label}-${value}`].join("-"),
        hyperparameters: { ...hyperparameters, [hyperparameter]: value },
      }));
    });
    if (!used) throw new UserError(`--${list} has an effect only with ${only!.flags}`);
  }
  return variants;
}
