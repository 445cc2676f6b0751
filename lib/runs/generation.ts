/**
 * Generations: the checkpoints of all replicas at one step. A new generation is first written next
 * to the old one, as `checkpoints/<stage>-<step>.safetensors` of each replica. When all files are
 * complete, `checkpoints/<stage>.generation.json` of the run records their step and SHA-256. The
 * files then replace the old generation, and the record is deleted. So a run that is killed at any
 * moment resumes with all replicas at the same step.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { basename, dirname, join, relative } from "node:path";
import type { RunDirectory } from "./directory.ts";
import { writeAtomic } from "./files.ts";

/** The record of a complete generation that may not have replaced the old one yet. */
interface Manifest {
  readonly step: number;
  /** SHA-256 of each file, by its path relative to the run directory. */
  readonly files: Readonly<Record<string, string>>;
}

/**
 * Writes a generation.
 *
 * @param checkpoints File contents by the path of the replica's checkpoint.
 * @throws {UserError} If a folder is not writable or the disk is full.
 */
export async function writeGeneration(
  run: RunDirectory,
  stage: string,
  step: number,
  checkpoints: ReadonlyMap<string, Uint8Array>,
): Promise<void> {
  const files = Object.fromEntries(
    [...checkpoints].map(([path, bytes]) => [relative(run.path, path), hashOf(bytes)]),
  );
  await Promise.all(
    [...checkpoints].map(([path, bytes]) => writeAtomic(pendingPath(path, step), bytes)),
  );
  Deno.mkdirSync(dirname(run.generation(stage)), { recursive: true });
  await writeAtomic(run.generation(stage), JSON.stringify({ step, files }, null, 2) + "\n");
  publish(run, stage, { step, files });
}

/**
 * Recovers a stage's checkpoints after a kill. A completely written generation replaces the old
 * one, and files of incomplete generations are removed.
 *
 * @param paths Paths of all replicas' checkpoints.
 * @param announce Called with a message if a complete generation was damaged.
 */
export function recoverGeneration(
  run: RunDirectory,
  stage: string,
  paths: readonly string[],
  announce: (line: string) => void,
): void {
  const manifest = readManifest(run, stage);
  if (manifest !== null) {
    const { step, files } = manifest;
    const damaged = Object.entries(files).find(([file, hash]) => {
      const path = join(run.path, file);
      return ![pendingPath(path, step), path].some((each) => fileHash(each) === hash);
    });
    if (damaged === undefined) publish(run, stage, manifest);
    else {
      announce(
        `${stage}: the checkpoints of step ${step} are not used, because ` +
          `${pendingPath(join(run.path, damaged[0]), step)} is missing or changed`,
      );
      remove(run.generation(stage));
    }
  }
  for (const path of paths) {
    const prefix = `${basename(path, ".safetensors")}-`;
    for (const { name } of entries(dirname(path))) {
      const step = name.startsWith(prefix) ? name.slice(prefix.length) : "";
      if (/^\d+\.safetensors$/.test(step)) remove(join(dirname(path), name));
    }
  }
}

/** Moves the files of a complete generation into place. Some may already be there. */
function publish(run: RunDirectory, stage: string, { step, files }: Manifest): void {
  for (const file of Object.keys(files)) {
    const path = join(run.path, file);
    try {
      Deno.renameSync(pendingPath(path, step), path);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  remove(run.generation(stage));
}

function pendingPath(path: string, step: number): string {
  return path.replace(/\.safetensors$/, `-${step}.safetensors`);
}

function readManifest(run: RunDirectory, stage: string): Manifest | null {
  try {
    return JSON.parse(Deno.readTextFileSync(run.generation(stage)));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

function hashOf(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** Returns the SHA-256 of a file, or null if it does not exist. */
function fileHash(path: string): string | null {
  try {
    return hashOf(Deno.readFileSync(path));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

function entries(folder: string): Deno.DirEntry[] {
  try {
    return [...Deno.readDirSync(folder)];
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

function remove(path: string): void {
  try {
    Deno.removeSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
