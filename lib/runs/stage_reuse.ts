/**
 * How a run uses the stage cache: what it takes from it, and what it leaves there.
 *
 * @module
 */
import type { Algorithm, StageDefinition } from "../algorithms/algorithm.ts";
import { shareFile } from "./files.ts";
import { type MetricsRow, sameReplica } from "./metrics.ts";
import type { Replica } from "./replicas.ts";
import {
  type CacheContext,
  type CacheEntry,
  fileHash,
  type StageCache,
  stageKey,
} from "./stage_cache.ts";

/** The cache as one run sees it. */
export interface RunCache {
  /** All entries. */
  readonly entries: StageCache;
  /** What the run's stages follow from besides seed, hyperparameters and kernels. */
  readonly context: CacheContext;
}

/** A stage that is looked for or kept. */
export interface ReusableStage {
  /** Which algorithm. */
  readonly algorithm: Algorithm;
  /** Which of its stages. */
  readonly stage: StageDefinition;
  /** WGSL of the kernels that train it. */
  readonly kernels: readonly string[];
}

/**
 * Puts the checkpoints that the cache has into the replicas' directories. Where a checkpoint lies
 * already, the stage was begun and goes on.
 *
 * @param announce Takes a line for each replica that need not be trained.
 * @returns The entry that each was taken from.
 */
export async function takeCached(
  cache: RunCache,
  reusable: ReusableStage,
  replicas: readonly Replica[],
  announce: (line: string) => void,
): Promise<Map<Replica, CacheEntry>> {
  const taken = new Map<Replica, CacheEntry>();
  for (const replica of replicas) {
    const own = replica.directory.checkpoint(reusable.stage.name);
    if (isFile(own)) continue;
    const entry = cache.entries.find(keyOf(cache.context, reusable, replica));
    if (entry === null) continue;
    await shareFile(entry.checkpoint, own);
    taken.set(replica, entry);
    const who = replica.variant === null ? `seed ${replica.seed}` : replica.directory.path;
    announce(
      `${reusable.stage.name}: ${who} is not trained again; taken from the cache (trained in ${entry.run})`,
    );
  }
  return taken;
}

/**
 * Keeps a finished stage for later runs.
 *
 * @param origin Directory and task of the run that trained it.
 * @param rows The rows of that run's metrics file.
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
  const { seed, hyperparameters, directory } = replica;
  const inputs = Object.fromEntries(
    stage.needs.map((each) => [each, fileHash(directory.checkpoint(each))]),
  );
  return stageKey(context, { algorithm, stage, seed, hyperparameters, kernels, inputs });
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}
