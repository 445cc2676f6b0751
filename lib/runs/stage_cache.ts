/**
 * The stage cache: what a finished stage left, found again by the content of everything it follows
 * from. An entry is two files in the cache's folder, `<key>.safetensors` (the checkpoint) and then
 * `<key>.json` (its hash, the run it was trained in, and the stage's rows of metrics); an entry lacking one of them, or whose
 * checkpoint has another hash, is reported and not used. The folder may be deleted at any time.
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

/** What the bits of a trained stage follow from besides its seed and hyperparameters. */
export interface CacheContext {
  /** Version of the program. */
  readonly version: string;
  /** SHA-256 of the data. */
  readonly data: string;
  /** The adapter and its kernel variants. */
  readonly adapter: { readonly [key: string]: Json };
}

/** One stage of one replica. */
export interface CachedStage {
  /** Which algorithm. */
  readonly algorithm: Pick<Algorithm, "name" | "hyperparameters">;
  /** Which of its stages. */
  readonly stage: Pick<StageDefinition, "name" | "groups">;
  /** Seed of everything random in it. */
  readonly seed: number;
  /** What it is trained with; only the stage's own count. */
  readonly hyperparameters: HyperparameterValues;
  /** WGSL of the kernels that train it. */
  readonly kernels: readonly string[];
  /** SHA-256 of the checkpoints that the stage is trained from, by stage. */
  readonly inputs: Readonly<Record<string, string>>;
}

/** A checkpoint in the cache. */
export interface CacheEntry {
  /** The file. */
  readonly checkpoint: string;
  /** Directory of the run that trained it. */
  readonly run: string;
  /** Task whose environment it was evaluated in. */
  readonly task: string;
  /** The stage's rows in that run's metrics file. */
  readonly metrics: readonly MetricsRow[];
}

/** SHA-256 of a file's bytes, in hexadecimal digits. */
export function fileHash(path: string): string {
  return createHash("sha256").update(Deno.readFileSync(path)).digest("hex");
}

/**
 * The key of a stage: SHA-256 of canonical JSON (sorted names) of all that its bits follow from. Of
 * the hyperparameters these are the stage's groups; what it takes from earlier stages is in the hashes
 * of their checkpoints.
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

/** Checkpoints of finished stages by their keys. */
export class StageCache {
  readonly #folder: string;
  readonly #announce: (message: string) => void;

  /**
   * Names the cache's folder, which need not exist.
   *
   * @param announce Takes messages about entries that cannot be used or written.
   */
  constructor(folder: string, announce: (message: string) => void) {
    this.#folder = folder;
    this.#announce = announce;
  }

  /** The entry of a key; null where there is none, or (after a message) none that is whole. */
  find(key: string): CacheEntry | null {
    const { checkpoint, description } = this.#files(key);
    const present = [checkpoint, description].filter(isFile);
    if (present.length === 0) return null;
    const damage = (what: string) => {
      this.#announce(`cache    ${join(this.#folder, key)}.* is not used: ${what}`);
      return null;
    };
    if (present.length === 1) return damage(`it was written only in part (${present[0]})`);
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
      return damage(`${checkpoint} is not the file that was written (its hash differs)`);
    }
    return { checkpoint, run, task, metrics };
  }

  /**
   * Adds the checkpoint of a finished stage, in place of what the key had. Where the folder cannot be
   * written to, it says so and goes on: the run itself has its checkpoint.
   */
  async store(key: string, { checkpoint, ...origin }: CacheEntry): Promise<void> {
    const files = this.#files(key);
    try {
      Deno.mkdirSync(this.#folder, { recursive: true });
      // Without its description the entry is not whole while the checkpoint is being replaced.
      if (isFile(files.description)) Deno.removeSync(files.description);
      await shareFile(checkpoint, files.checkpoint);
      const description = { ...origin, sha256: fileHash(files.checkpoint) };
      await writeAtomic(files.description, JSON.stringify(description) + "\n");
    } catch (error) {
      const reason = (error as Error).message;
      this.#announce(`cache    ${checkpoint} is not kept for later runs: ${reason}`);
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
