/**
 * Checkpoints: the state of a stage, in one safetensors file per seed. Tensors have the names of
 * the official state dicts, so that checkpoints can be exchanged with PyTorch. Adam's moments are
 * stored next to the parameters as `adam.mean.<name>` and `adam.square.<name>`.
 *
 * @module
 */
import { UserError } from "../errors.ts";
import type { Network } from "../algorithms/algorithm.ts";
import { writeAtomic } from "./files.ts";
import { type Checkpoint, readNetworks } from "./networks.ts";
import { decode, encode, type SafeTensors } from "./safetensors.ts";

/** Metadata key in checkpoints for the fingerprint of what they were trained from. */
export const fingerprintKey = "fingerprint";

/**
 * Reads a checkpoint file.
 *
 * @throws {UserError} If the file cannot be read, is damaged or not in the safetensors format, or
 * its step is not a whole number.
 */
export function readCheckpoint(path: string): Checkpoint {
  return decodeCheckpoint(checkpointBytes(path), path);
}

/**
 * Reads the bytes of a checkpoint file.
 *
 * @throws {UserError} If the file cannot be read.
 */
export function checkpointBytes(path: string): Uint8Array {
  try {
    return Deno.readFileSync(path);
  } catch (error) {
    throw new UserError(`cannot read checkpoint ${path}: ${(error as Error).message}`);
  }
}

/**
 * Decodes the bytes of a checkpoint file.
 *
 * @param path Path of the file, for messages.
 * @throws {UserError} If they are damaged or not in the safetensors format, or the step is not a
 * whole number.
 */
export function decodeCheckpoint(bytes: Uint8Array, path: string): Checkpoint {
  const file = decode(bytes, path);
  const step = file.metadata["step"];
  if (step !== undefined && !(/^\d+$/.test(step) && Number.isSafeInteger(Number(step)))) {
    throw new UserError(`${path}: metadata "step" needs a whole number, found ${step}`);
  }
  return { path, file, step: step === undefined ? null : Number(step) };
}

/**
 * Checks that a checkpoint was trained from what it should be. Official checkpoints and those of
 * versions before 0.4 have no fingerprint and are accepted.
 *
 * @param fingerprint As `stageFingerprint` returns it.
 * @throws {UserError} If it was trained from something else.
 */
export function assertFingerprint(
  path: string,
  { metadata }: Pick<SafeTensors, "metadata">,
  fingerprint: string,
): void {
  const own = metadata[fingerprintKey];
  if (own === undefined || own === fingerprint) return;
  throw new UserError(
    `${path} belongs to another run: its data, settings, seed or earlier stages differ`,
  );
}

/**
 * Encodes the networks that a stage trains, one file per replica.
 *
 * @param more Returns additional metadata of a replica's file.
 * @returns The bytes of each replica's file.
 * @throws {UserError} If a tensor has a value that is not finite, which must not replace an earlier
 * checkpoint.
 */
export async function encodeCheckpoints(
  stage: string,
  networks: readonly Network[],
  replicas: number,
  step: number,
  more: (replica: number) => Readonly<Record<string, string>> = () => ({}),
): Promise<Uint8Array[]> {
  const tensors = await readNetworks(`${stage} stage, step ${step}`, networks, replicas, true);
  const metadata = { format: "pt", stage, step: String(step) };
  return tensors.map((each, replica) => encode(each, { ...metadata, ...more(replica) }));
}

/**
 * Writes an actor file: the tensors with one prefix, without that prefix in their names, for
 * example `net.0.weight`, `net.0.bias`, … It records the checkpoint's step.
 *
 * @param metadata Metadata that describe the network and its origin.
 */
export async function writePolicy(
  path: string,
  checkpoint: Uint8Array,
  prefix: string,
  metadata: Readonly<Record<string, string>>,
): Promise<void> {
  const { tensors, metadata: { step } } = decode(checkpoint, path);
  const origin = { format: "pt", ...(step !== undefined && { step }) };
  await writeAtomic(path, encode(withoutPrefix(tensors, prefix), { ...origin, ...metadata }));
}

/** Returns the tensors whose names begin with `prefix`, without the prefix. */
export function withoutPrefix<T>(tensors: ReadonlyMap<string, T>, prefix: string): Map<string, T> {
  return new Map(
    [...tensors].filter(([name]) => name.startsWith(prefix))
      .map(([name, tensor]) => [name.slice(prefix.length), tensor]),
  );
}
