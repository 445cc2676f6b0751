/**
 * The stage cache: checkpoints of finished stages, keyed by a hash of everything that determines
 * them. An entry is two files in the cache folder: `<key>.safetensors` (the checkpoint), and then
 * `<key>.json` (its hash, the run that trained it, and the stage's metrics). An entry that lacks
 * one of them, or whose checkpoint has another hash, is reported and not used. The folder may be
 * deleted at any time.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { join } from "node:path";
import type { Algorithm, StageDefinition } from "../algorithms/algorithm.ts";
import type { HyperparameterValues } from "../algorithms/hyperparameters.ts";
import type { Json } from "./directory.ts";
import { shareFile, writeAtomic } from "./files.ts";
import type { MetricsRow } from "./metrics.ts";

/** What determines a trained stage besides its seed, hyperparameters, kernels and inputs. */
export interface CacheContext {
  /** Version of the program. */
  readonly version: string;
  /** SHA-256 of the data. */
  readonly data: string;
  /** The adapter and its kernel variants. */
  readonly adapter: { readonly [key: string]: Json };
}

/** A stage of one replica, as the key describes it. */
export interface CachedStage {
  /** The algorithm. */
  readonly algorithm: Pick<Algorithm, "name" | "hyperparameters">;
  /** The stage. */
  readonly stage: Pick<StageDefinition, "name" | "groups">;
  /** Random seed. */
  readonly seed: number;
  /** All hyperparameters. Only those in the stage's groups enter the key. */
  readonly hyperparameters: HyperparameterValues;
  /** WGSL of the kernels that train it. */
  readonly kernels: readonly string[];
  /** SHA-256 of the checkpoints of earlier stages that the stage uses, by stage. */
  readonly inputs: Readonly<Record<string, string>>;
}

/** A checkpoint in the cache. */
export interface CacheEntry {
  /** Path of the checkpoint. */
  readonly checkpoint: string;
  /** Directory of the run that trained it. */
  readonly run: string;
  /** Task that it was evaluated on. */
  readonly task: string;
  /** Rows of the stage in that run's metrics file. */
  readonly metrics: readonly MetricsRow[];
}

/** Returns the SHA-256 of a file in hexadecimal. */
export function fileHash(path: string): string {
  return createHash("sha256").update(Deno.readFileSync(path)).digest("hex");
}

/**
 * Returns the key of a stage: the SHA-256 of canonical JSON (sorted names) of everything that
 * determines its bits. Only hyperparameters in the stage's groups are included, because the hashes
 * of checkpoints cover those of earlier stages.
 */
export function stageKey(context: CacheContext, cached: CachedStage): string {
  const { algorithm, stage, ...rest } = cached;
  const { names, rows } = algorithm.hyperparameters;
  const hyperparameters = Object.fromEntries(
    names.filter((name) => stage.groups.includes(rows[name]!.group))
      .map((name) => [name, cached.hyperparameters[name]]),
  );
  const text = canonical({
    ...context,
    ...rest,
    algorithm: algorithm.name,
    stage: stage.name,
    hyperparameters,
  });
  return createHash("sha256").update(text).digest("hex");
}

/** A folder of finished stages' checkpoints, by key. */
export class StageCache {
  readonly #folder: string;
  readonly #announce: (message: string) => void;

  /**
   * Creates a cache in `folder`, which need not exist.
   *
   * @param announce Called with messages about entries that cannot be used or written.
   */
  constructor(folder: string, announce: (message: string) => void) {
    this.#folder = folder;
    this.#announce = announce;
  }

  /** Returns the entry of a key. Null if there is none or, after a message, if it is damaged. */
  find(key: string): CacheEntry | null {
    const { checkpoint, description } = this.#files(key);
    const present = [checkpoint, description].filter(isFile);
    if (present.length === 0) return null;
    const damage = (what: string) => {
      this.#announce(`cache    ${join(this.#folder, key)}.* is not used: ${what}`);
      return null;
    };
    if (present.length === 1) return damage(`it is incomplete (only ${present[0]} exists)`);
    let entry: Partial<Omit<CacheEntry, "checkpoint"> & { sha256: string }>;
    try {
      entry = JSON.parse(Deno.readTextFileSync(description));
    } catch (error) {
      return damage(`${description} cannot be read (${(error as Error).message})`);
    }
    const { sha256, run, task, metrics } = entry ?? {};
    if (sha256 === undefined || run === undefined || task === undefined || metrics === undefined) {
      return damage(`${description} lacks the checkpoint's hash, its run, task or metrics`);
    }
    if (fileHash(checkpoint) !== sha256) {
      return damage(`${checkpoint} was changed (its hash differs)`);
    }
    return { checkpoint, run, task, metrics };
  }

  /**
   * Adds the checkpoint of a finished stage and replaces any entry with the same key. If the folder
   * is not writable, it only announces that, because the run itself keeps its checkpoint.
   */
  async store(key: string, { checkpoint, ...origin }: CacheEntry): Promise<void> {
    const files = this.#files(key);
    try {
      Deno.mkdirSync(this.#folder, { recursive: true });
      // Delete the description first, so that the entry is incomplete while it is being replaced.
      if (isFile(files.description)) Deno.removeSync(files.description);
      await shareFile(checkpoint, files.checkpoint);
      const description = { ...origin, sha256: fileHash(files.checkpoint) };
      await writeAtomic(files.description, JSON.stringify(description) + "\n");
    } catch (error) {
      const reason = (error as Error).message;
      this.#announce(`cache    ${checkpoint} is not cached: ${reason}`);
    }
  }

  #files(key: string): { checkpoint: string; description: string } {
    return {
      checkpoint: join(this.#folder, `${key}.safetensors`),
      description: join(this.#folder, `${key}.json`),
    };
  }
}

function canonical(value: unknown): string {
  return JSON.stringify(
    value,
    (_, part) =>
      part !== null && typeof part === "object" && !Array.isArray(part)
        ? Object.fromEntries(Object.entries(part).toSorted(([a], [b]) => a < b ? -1 : 1))
        : part,
  );
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}
