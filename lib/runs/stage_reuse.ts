/**
 * How a run uses the stage cache: what it takes from it, and what it leaves there.
 *
 * @module
 */
import type { Algorithm, StageDefinition } from "../algorithms/algorithm.ts";
import { shareFile } from "./files.ts";
import type { Replica } from "./replicas.ts";
import { type CacheContext, fileHash, type StageCache, stageKey } from "./stage_cache.ts";

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
 * @returns The run that each was trained in.
 */
export async function takeCached(
  cache: RunCache,
  reusable: ReusableStage,
  replicas: readonly Replica[],
  announce: (line: string) => void,
): Promise<Map<Replica, string>> {
  const taken = new Map<Replica, string>();
  for (const replica of replicas) {
    const own = replica.directory.checkpoint(reusable.stage.name);
    if (isFile(own)) continue;
    const entry = cache.entries.find(keyOf(cache.context, reusable, replica));
    if (entry === null) continue;
    await shareFile(entry.checkpoint, own);
    taken.set(replica, entry.run);
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
 * @param run Directory of the run that trained it.
 */
export async function keepStage(
  cache: RunCache,
  reusable: ReusableStage,
  replicas: readonly Replica[],
  run: string,
): Promise<void> {
  for (const replica of replicas) {
    const key = keyOf(cache.context, reusable, replica);
    await cache.entries.store(key, replica.directory.checkpoint(reusable.stage.name), run);
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
