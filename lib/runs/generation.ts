/**
 * Generations: the checkpoints of all that is trained side by side, of one step. They are written beside
 * the generation before, as `checkpoints/<stage>-<step>.safetensors` of each replica, and take its place
 * only when all of them are there. `checkpoints/<stage>.generation.json` of the run, with their step and
 * SHA-256, says that they are, until they have their places. So a run that is killed at any moment goes
 * on from one step.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { basename, dirname, join, relative } from "node:path";
import type { RunDirectory } from "./directory.ts";
import { writeAtomic } from "./files.ts";

/** What the run's file says of a generation that is complete but may not have its places yet. */
interface Manifest {
  readonly step: number;
  /** SHA-256 by the file's place in the run's directory. */
  readonly files: Readonly<Record<string, string>>;
}

/**
 * Writes a generation.
 *
 * @param checkpoints Contents by the path of the replica's checkpoint, in whose place they come.
 * @throws {UserError} When a folder may not be written to, or the disk is full.
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
 * Brings the checkpoints of a stage in order after a kill: a generation that was written completely gets
 * its places, and what is left of another is removed.
 *
 * @param paths Paths of all replicas' checkpoints.
 * @param announce Takes a line where a complete generation was damaged.
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
        `${stage}: the checkpoints of step ${step} are not used: ` +
          `${pendingPath(join(run.path, damaged[0]), step)} is not the file that was written`,
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

/** Moves the files of a complete generation to their places; some may be there already. */
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

/** SHA-256 of a file; null where there is none. */
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
