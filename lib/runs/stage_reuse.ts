/**
 * Reads the stages of a run from the stage cache, and stores them there.
 *
 * @module
 */
import type { Algorithm, StageDefinition } from "../algorithms/algorithm.ts";
import { isFile } from "../files.ts";
import { copyWhole } from "./files.ts";
import { type MetricsRow, sameReplica } from "./metrics.ts";
import type { Replica } from "./replicas.ts";
import {
  type CacheContext,
  type CacheEntry,
  fileHash,
  type StageCache,
  stageKey,
  type StageOrigin,
} from "./stage_cache.ts";

/** The cache of a run. */
export interface RunCache {
  /** The stage cache. */
  readonly entries: StageCache;
  /** What determines the run's stages besides seed, hyperparameters, kernels and inputs. */
  readonly context: CacheContext;
}

/** A stage to look up or to store. */
export interface ReusableStage {
  /** The algorithm. */
  readonly algorithm: Algorithm;
  /** The stage. */
  readonly stage: StageDefinition;
  /** WGSL of the kernels that train it. */
  readonly kernels: readonly string[];
}

/**
 * Finds the cached checkpoints of replicas. A replica with a checkpoint is skipped, because its
 * stage has already started.
 *
 * @param lacks Returns what an entry lacks; null if it can be used.
 * @param announce Called with a line for each replica that need not be trained.
 * @returns The entry of each replica that was found.
 */
export function findCached(
  cache: RunCache,
  reusable: ReusableStage,
  replicas: readonly Replica[],
  lacks: (entry: CacheEntry) => string | null,
  announce: (line: string) => void,
): Map<Replica, CacheEntry> {
  const found = new Map<Replica, CacheEntry>();
  for (const replica of replicas) {
    if (isFile(replica.directory.checkpoint(reusable.stage.name))) continue;
    const entry = cache.entries.find(keyOf(cache.context, reusable, replica));
    if (entry === null) continue;
    const who = replica.variant === null ? `seed ${replica.seed}` : replica.directory.path;
    const missing = lacks(entry);
    if (missing !== null) {
      announce(
        `${reusable.stage.name}: ${who} is not taken from the cache, because ${entry.run} lacks ` +
          missing,
      );
      continue;
    }
    found.set(replica, entry);
    announce(
      `${reusable.stage.name}: ${who} is taken from the cache (trained in ${entry.run})`,
    );
  }
  return found;
}

/** Copies cached checkpoints into the replicas' directories. */
export async function copyCached(
  found: ReadonlyMap<Replica, CacheEntry>,
  stage: string,
): Promise<void> {
  for (const [{ directory }, { checkpoint }] of found) {
    await copyWhole(checkpoint, directory.checkpoint(stage));
  }
}

/**
 * Stores a finished stage in the cache.
 *
 * @param origin Directory and task of the run that trained it.
 * @param rows Rows of that run's metrics file.
 */
export async function keepStage(
  cache: RunCache,
  reusable: ReusableStage,
  replicas: readonly Replica[],
  origin: Pick<CacheEntry, "run" | "task">,
  rows: readonly MetricsRow[],
): Promise<void> {
  const { name } = reusable.stage;
  const own = rows.filter((row) => row.stage === name);
  for (const replica of replicas) {
    await cache.entries.store(keyOf(cache.context, reusable, replica), {
      ...origin,
      checkpoint: replica.directory.checkpoint(name),
      metrics: own.filter((row) => sameReplica(row, replica)),
    });
  }
}

function keyOf(
  context: CacheContext,
  { algorithm, stage, kernels }: ReusableStage,
  replica: Replica,
): string {
  return stageKey(context, { ...originOf(algorithm, stage, replica), kernels });
}

/** Returns the origin of a replica's stage. The checkpoints of the stages it needs must exist. */
export function originOf(
  algorithm: Algorithm,
  stage: StageDefinition,
  { seed, hyperparameters, directory }: Replica,
): StageOrigin {
  const inputs = Object.fromEntries(
    stage.needs.map((each) => [each, fileHash(directory.checkpoint(each))]),
  );
  return { algorithm, stage, seed, hyperparameters, inputs };
}
