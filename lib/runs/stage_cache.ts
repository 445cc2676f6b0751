/**
 * The stage cache: checkpoints of finished stages, keyed by a hash of everything that determines
 * them. An entry is two files in the cache folder: `<key>.safetensors` (the checkpoint), and then
 * `<key>.json` (the key, the checkpoint's hash, the run that trained it, and the stage's metrics).
 * An entry that lacks one of them, or whose key or checkpoint's hash differs, is reported and not
 * used. The folder may be deleted at any time.
 *
 * @module
 */
import { join } from "node:path";
import * as v from "valibot";
import type { Algorithm, StageDefinition } from "../algorithms/algorithm.ts";
import type { HyperparameterValues } from "../algorithms/hyperparameters.ts";
import { UserError } from "../errors.ts";
import { isFile } from "../files.ts";
import type { Json } from "./config.ts";
import { kinds, parseValue } from "../schema.ts";
import { readCheckpoint } from "./checkpoint.ts";
import { canonical, openJson, sealJson, sha256 } from "./checksum.ts";
import { copyWhole, writeAtomic } from "./files.ts";
import { type MetricsRow, rowSchema } from "./metrics.ts";

/** The version, data and adapter that a cache key covers. */
export interface CacheContext {
  /** Version of the program. */
  readonly version: string;
  /** SHA-256 of the data. */
  readonly data: string;
  /** The adapter and its kernel variants. */
  readonly adapter: { readonly [key: string]: Json };
}

/** Algorithm, seed, hyperparameters and earlier checkpoints of a replica's stage. */
export interface StageOrigin {
  /** The algorithm. */
  readonly algorithm: Pick<Algorithm, "name" | "hyperparameters">;
  /** The stage. */
  readonly stage: Pick<StageDefinition, "name" | "groups">;
  /** Random seed. */
  readonly seed: number;
  /** All hyperparameters. Only those in the stage's groups enter the key. */
  readonly hyperparameters: HyperparameterValues;
  /** SHA-256 of the checkpoints of earlier stages that the stage uses, by stage. */
  readonly inputs: Readonly<Record<string, string>>;
}

/** A stage of one replica, as the key describes it. */
export interface CachedStage extends StageOrigin {
  /** WGSL of the kernels that train it. */
  readonly kernels: readonly string[];
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

/**
 * Returns the SHA-256 of a file in hexadecimal.
 *
 * @throws {UserError} If it cannot be read.
 */
export function fileHash(path: string): string {
  try {
    return sha256(Deno.readFileSync(path));
  } catch (error) {
    throw new UserError(`cannot read ${path}: ${(error as Error).message}`);
  }
}

/**
 * Returns the fingerprint of a stage, which its checkpoints carry: the SHA-256 of canonical JSON
 * (sorted names) of the data and the stage's origin. Only hyperparameters in the stage's groups are
 * included, because the hashes of checkpoints cover those of earlier stages.
 *
 * @param data SHA-256 of the data.
 */
export function stageFingerprint(data: string, origin: StageOrigin): string {
  return sha256(canonical(describe(data, origin)));
}

/**
 * Returns the key of a stage: the SHA-256 of canonical JSON (sorted names) of everything that
 * determines its bits.
 */
export function stageKey(context: CacheContext, cached: CachedStage): string {
  const { data, ...program } = context;
  const { kernels, ...origin } = cached;
  return sha256(canonical({ ...program, kernels, ...describe(data, origin) }));
}

function describe(data: string, origin: StageOrigin): Record<string, unknown> {
  const { algorithm, stage, seed, inputs } = origin;
  const { names, rows } = algorithm.hyperparameters;
  const hyperparameters = Object.fromEntries(
    names.filter((name) => stage.groups.includes(rows[name]!.group))
      .map((name) => [name, origin.hyperparameters[name]]),
  );
  return {
    data,
    algorithm: algorithm.name,
    stage: stage.name,
    seed,
    inputs,
    hyperparameters,
  };
}

const schema = v.strictObject({
  key: kinds.text,
  run: kinds.text,
  task: kinds.text,
  metrics: v.array(rowSchema),
  sha256: kinds.sha256,
});

const dayMilliseconds = 24 * 60 * 60 * 1000;

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
    let entry: v.InferOutput<typeof schema>;
    let hash: string;
    try {
      const text = Deno.readTextFileSync(description);
      entry = parseValue(schema, openJson(text, description, "delete it"), description);
      hash = fileHash(checkpoint);
    } catch (error) {
      return damage((error as Error).message);
    }
    const { sha256, run, task, metrics } = entry;
    if (entry.key !== key) return damage(`${description} is the entry of another key`);
    if (hash !== sha256) {
      return damage(`${checkpoint} was changed (its hash differs)`);
    }
    return { checkpoint, run, task, metrics };
  }

  /**
   * Adds a copy of the checkpoint of a finished stage and replaces any entry with the same key. If
   * the checkpoint is damaged or the folder is not writable, it only announces that, because the
   * run itself keeps its checkpoint.
   */
  async store(key: string, { checkpoint, ...origin }: CacheEntry): Promise<void> {
    const files = this.#files(key);
    try {
      Deno.mkdirSync(this.#folder, { recursive: true });
      this.#clearRemains();
      // Delete the description first, so that the entry is incomplete while it is being replaced.
      if (isFile(files.description)) Deno.removeSync(files.description);
      await copyWhole(checkpoint, files.checkpoint);
      readCheckpoint(files.checkpoint); // Verifies the copy.
      const description = { key, ...origin, sha256: fileHash(files.checkpoint) };
      await writeAtomic(files.description, sealJson(description));
    } catch (error) {
      const reason = (error as Error).message;
      this.#announce(`cache    ${checkpoint} is not cached: ${reason}`);
    }
  }

  /** Removes temporary files that killed processes left a day ago or earlier. */
  #clearRemains(): void {
    for (const { name } of Deno.readDirSync(this.#folder)) {
      const path = join(this.#folder, name);
      if (!name.endsWith(".tmp")) continue;
      try {
        const written = Deno.statSync(path).mtime?.getTime() ?? Infinity;
        if (Date.now() - written > dayMilliseconds) Deno.removeSync(path);
      } catch (error) {
        // Another process has just renamed or removed it.
        if (!(error instanceof Deno.errors.NotFound)) throw error;
      }
    }
  }

  #files(key: string): { checkpoint: string; description: string } {
    return {
      checkpoint: join(this.#folder, `${key}.safetensors`),
      description: join(this.#folder, `${key}.json`),
    };
  }
}
