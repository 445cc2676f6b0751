/**
 * Checkpoints: the state of a stage, in one safetensors file per seed. Tensors have the names of
 * the official state dicts, so that checkpoints can be exchanged with PyTorch. Adam's moments are
 * stored next to the parameters as `adam.mean.<name>` and `adam.square.<name>`.
 *
 * @module
 */
import type { ParameterShape, ParameterValues } from "../autodiff/parameters.ts";
import { UserError } from "../errors.ts";
import type { Network } from "../algorithms/algorithm.ts";
import { writeAtomic } from "./files.ts";
import { decode, encode, floatTensor, type SafeTensor, type SafeTensors } from "./safetensors.ts";

/** Metadata key in checkpoints for the fingerprint of what they were trained from. */
export const fingerprintKey = "fingerprint";

const moments = { mean: "adam.mean.", square: "adam.square." } as const;

/** A checkpoint read from a file. */
export interface Checkpoint {
  /** The file it was read from. */
  readonly path: string;
  /** Its tensors, matrices `[rows, columns]` and vectors `[columns]`, and its metadata. */
  readonly file: SafeTensors;
  /** Completed steps; null if the file does not state them (an official checkpoint). */
  readonly step: number | null;
}

/**
 * Reads a checkpoint file.
 *
 * @throws {UserError} If the file cannot be read, is damaged or not in the safetensors format, or
 * its step is not a whole number.
 */
export function readCheckpoint(path: string): Checkpoint {
  let bytes: Uint8Array;
  try {
    bytes = Deno.readFileSync(path);
  } catch (error) {
    throw new UserError(`cannot read checkpoint ${path}: ${(error as Error).message}`);
  }
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
 * Loads the networks of one replica.
 *
 * @param stage Name of the stage, for messages.
 * @param replica Index on the replica axis.
 * @param checkpoints Files to search. A network is loaded from the first file with its tensors.
 * @param withMoments Whether to load Adam's moments too, to continue a stage.
 * @throws {UserError} If a tensor is missing, has the wrong type or shape, or has a value that is
 * not finite.
 */
export function loadNetworks(
  stage: string,
  networks: readonly Network[],
  replica: number,
  checkpoints: readonly Checkpoint[],
  withMoments: boolean,
): void {
  for (const { prefixes, parameters, optimizer } of networks) {
    const { store } = parameters;
    prefixes.forEach((prefix, member) => {
      const place = replica * prefixes.length + member;
      const probe = prefix + parameters.shapes[0]!.name;
      const checkpoint = checkpoints.find(({ file }) => file.tensors.has(probe));
      if (!checkpoint) {
        throw new UserError(
          `no tensor "${probe}" in ${checkpoints.map(({ path }) => path).join(", ")}: ` +
            `the ${stage} stage needs the networks ${prefix}*`,
        );
      }
      const values = (before: string): ParameterValues =>
        new Map(parameters.shapes.map((shape) => {
          const name = before + prefix + shape.name;
          const values = floatTensor(checkpoint.file, name, shapeOf(shape), checkpoint.path);
          assertFiniteTensor(checkpoint.path, name, values);
          return [shape.name, values];
        }));
      parameters.write(store, place, values(""));
      if (withMoments && optimizer) {
        parameters.write(store, place, values(moments.mean), optimizer.mean);
        parameters.write(store, place, values(moments.square), optimizer.square);
      }
    });
  }
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
  const tensors = Array.from({ length: replicas }, () => new Map<string, SafeTensor>());
  for (const { prefixes, parameters, optimizer, initial } of networks) {
    if (initial === undefined) continue;
    const parts: [string, ParameterValues[]][] = [["", await parameters.read()]];
    if (optimizer) {
      parts.push(
        [moments.mean, await parameters.read(parameters.store, optimizer.mean)],
        [moments.square, await parameters.read(parameters.store, optimizer.square)],
      );
    }
    for (const [before, values] of parts) {
      values.forEach((network, place) => {
        const replica = Math.floor(place / prefixes.length);
        const prefix = before + prefixes[place % prefixes.length];
        for (const shape of parameters.shapes) {
          const data = network.get(shape.name)!;
          assertFiniteTensor(`${stage} stage, step ${step}`, prefix + shape.name, data);
          tensors[replica]!.set(prefix + shape.name, {
            dtype: "F32",
            shape: shapeOf(shape),
            data,
          });
        }
      });
    }
  }
  const metadata = { format: "pt", stage, step: String(step) };
  return tensors.map((each, replica) => encode(each, { ...metadata, ...more(replica) }));
}

/**
 * Writes an actor file: the tensors with one prefix, without that prefix in their names, for
 * example `net.0.weight`, `net.0.bias`, …
 *
 * @param metadata Metadata that describe the network and its origin.
 */
export async function writePolicy(
  path: string,
  checkpoint: Uint8Array,
  prefix: string,
  metadata: Readonly<Record<string, string>>,
): Promise<void> {
  const own = withoutPrefix(decode(checkpoint, path).tensors, prefix);
  await writeAtomic(path, encode(own, { format: "pt", ...metadata }));
}

/** Returns the tensors whose names begin with `prefix`, without the prefix. */
export function withoutPrefix<T>(tensors: ReadonlyMap<string, T>, prefix: string): Map<string, T> {
  return new Map(
    [...tensors].filter(([name]) => name.startsWith(prefix))
      .map(([name, tensor]) => [name.slice(prefix.length), tensor]),
  );
}

function assertFiniteTensor(source: string, name: string, values: Float32Array): void {
  const at = values.findIndex((value) => !Number.isFinite(value));
  if (at < 0) return;
  throw new UserError(`${source}: tensor ${name} has the value ${values[at]} at entry ${at}`);
}

/** Returns the shape in files: one axis for vectors, two for matrices. */
export function shapeOf({ rows, segments, vector }: ParameterShape): number[] {
  const columns = segments.reduce((total, width) => total + width, 0);
  return vector ? [columns] : [rows, columns];
}
