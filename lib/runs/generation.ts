/**
 * Generations: the checkpoints of all replicas of a stage at one step. The files of a new
 * generation are first written completely, as `checkpoints/<stage>-<step>.safetensors` of each
 * replica. Then each takes the place of `<stage>.safetensors`, and the file that was there is kept
 * as `<stage>-<step>.safetensors` until the next generation. So a run that is killed at any moment,
 * or a file that is damaged later, leaves one generation that is complete and intact.
 *
 * @module
 */
import { basename, dirname, join } from "node:path";
import { UserError } from "../errors.ts";
import { isFile, syncFolder } from "../files.ts";
import { assertFingerprint, readCheckpoint } from "./checkpoint.ts";
import { writeAtomic } from "./files.ts";
import type { Checkpoint } from "./networks.ts";

/**
 * Writes a generation, and keeps the previous one.
 *
 * @param checkpoints File contents by the path of the replica's checkpoint.
 * @param previous Step of the generation that is replaced; null if there is none.
 * @throws {UserError} If a folder is not writable or the disk is full. The previous generation then
 * stays in place.
 */
export async function writeGeneration(
  step: number,
  checkpoints: ReadonlyMap<string, Uint8Array>,
  previous: number | null,
): Promise<void> {
  const written = await Promise.allSettled(
    [...checkpoints].map(([path, bytes]) => writeAtomic(numbered(path, step), bytes)),
  );
  const failed = written.find((outcome) => outcome.status === "rejected");
  if (failed !== undefined) {
    for (const path of checkpoints.keys()) removeIfAny(numbered(path, step));
    throw failed.reason;
  }
  for (const path of checkpoints.keys()) {
    if (previous !== null && previous !== step) keepAs(path, numbered(path, previous));
    Deno.renameSync(numbered(path, step), path);
    removeOthers(path, step);
    syncFolder(dirname(path));
  }
}

/** Path and expected fingerprint of a replica's checkpoint. */
export interface Expected {
  /** Path of the checkpoint. */
  readonly path: string;
  /** The expected value of its fingerprint. */
  readonly fingerprint: string;
}

/**
 * Puts the newest usable checkpoints of a stage into place: the finished ones, and of the others
 * those of the newest step that all of them have. Files that are damaged or belong to another run
 * are not used; a file without a usable one to replace it is renamed to `*.refused`.
 *
 * @param total Steps of the stage.
 * @param announce Called with a message for every file that is not used.
 * @returns The step of each replica's checkpoint; null if it has none.
 */
export function recoverGeneration(
  stage: string,
  replicas: readonly Expected[],
  total: number,
  announce: (line: string) => void,
): (number | null)[] {
  const found = replicas.map((replica) => usable(replica, total, announce));
  const open = found.filter((versions) => !versions.has(total));
  const shared = [...open[0]?.keys() ?? []]
    .filter((step) => open.every((versions) => versions.has(step)));
  const common = shared.length === 0 ? null : Math.max(...shared);
  const had = open.flatMap((versions) => [...versions.keys()]);
  if (had.length > 0 && common === null) {
    announce(
      `${stage}: no step has usable checkpoints of all seeds, so the stage starts again ` +
        `(found steps ${[...new Set(had)].toSorted((a, b) => a - b).join(", ")})`,
    );
  }
  return replicas.map(({ path }, i) => {
    const versions = found[i]!;
    const step = versions.has(total) ? total : common;
    const file = step === null ? undefined : versions.get(step);
    if (file !== undefined && file !== path) {
      if (isFile(path) && stepAt(versions, path) !== undefined) {
        keepAs(path, numbered(path, stepAt(versions, path)!));
      }
      Deno.renameSync(file, path);
    }
    if (file === undefined && isFile(path)) {
      if (stepAt(versions, path) === undefined) Deno.renameSync(path, `${path}.refused`);
      else Deno.removeSync(path);
    }
    removeOthers(path, step ?? 0);
    return step;
  });
}

/** Returns the step of the usable checkpoint at `path`; undefined if it is not usable. */
function stepAt(versions: ReadonlyMap<number, string>, path: string): number | undefined {
  return [...versions].find(([, file]) => file === path)?.[0];
}

/** Returns the files with a usable checkpoint of a replica, by step. */
function usable(
  { path, fingerprint }: Expected,
  total: number,
  announce: (line: string) => void,
): Map<number, string> {
  const found = new Map<number, string>();
  const files = numberedFiles(path).map(({ file }) => file);
  for (const file of [...files, ...(isFile(path) ? [path] : [])]) {
    const refuse = (reason: string) => announce(`checkpoint  ${reason}; it is not used`);
    let checkpoint: Checkpoint;
    try {
      checkpoint = readCheckpoint(file);
      assertFingerprint(file, checkpoint.file, fingerprint);
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      refuse(error.message);
      continue;
    }
    const { step } = checkpoint;
    if (step === null || step > total) {
      refuse(`${file}: metadata "step" needs a number up to ${total}, found ${step}`);
    } else found.set(step, file);
  }
  return found;
}

/**
 * Keeps a file under a second name. Afterwards, replace `path` by a rename: writing to it would
 * change both names.
 */
function keepAs(path: string, name: string): void {
  if (!isFile(path)) return;
  removeIfAny(name);
  try {
    Deno.linkSync(path, name);
  } catch {
    Deno.copyFileSync(path, name); // The file system has no hard links.
  }
}

function numbered(path: string, step: number): string {
  return path.replace(/\.safetensors$/, `-${step}.safetensors`);
}

/** Returns the files named {@linkcode numbered} and their steps. */
function numberedFiles(path: string): { file: string; step: number }[] {
  const prefix = `${basename(path, ".safetensors")}-`;
  return entries(dirname(path)).flatMap((name) => {
    const step = name.startsWith(prefix) && /^(\d+)\.safetensors$/.exec(name.slice(prefix.length));
    return step ? [{ file: join(dirname(path), name), step: Number(step[1]) }] : [];
  });
}

/** Removes the files named {@linkcode numbered}, except the newest one before `step`. */
function removeOthers(path: string, step: number): void {
  const files = numberedFiles(path);
  const kept = Math.max(...files.map((each) => each.step).filter((each) => each < step));
  for (const { file, step } of files) if (step !== kept) removeIfAny(file);
}

function entries(folder: string): string[] {
  try {
    return [...Deno.readDirSync(folder)].map(({ name }) => name);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

function removeIfAny(path: string): void {
  try {
    Deno.removeSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
