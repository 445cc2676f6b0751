/**
 * Networks in files of the official PyTorch code: state dicts, under the names of that code.
 *
 * @module
 */
import type { StageDefinition } from "../algorithms/algorithm.ts";
import { UserError } from "../errors.ts";
import { isZip, readStateDict, type StateTensor, writeStateDict } from "../pytorch/state_dict.ts";
import { checkpointBytes, decodeCheckpoint } from "./checkpoint.ts";
import { encode, type SafeTensor, type SafeTensors } from "./safetensors.ts";

/**
 * Reads the checkpoint of a stage from a file of this program or of the official code.
 *
 * @returns The bytes of a checkpoint of this program, without a step if the file states none.
 * @throws {UserError} If the file cannot be read, is damaged, is of another stage, or has no
 * network of the stage.
 */
export async function readGivenCheckpoint(
  path: string,
  { name, product, officialFiles = [] }: StageDefinition,
): Promise<Uint8Array> {
  const bytes = checkpointBytes(path);
  if (!isZip(bytes)) {
    const { stage = name } = decodeCheckpoint(bytes, path).file.metadata;
    if (stage === name) return bytes;
    throw new UserError(`${path}: is a checkpoint of the ${stage} stage, expected the ${product}`);
  }
  const tensors = new Map<string, SafeTensor>();
  const prefixes = officialFiles.flatMap((file) => file.prefixes);
  for (const [theirs, { shape, data }] of await readStateDict(bytes, path)) {
    const prefix = prefixes.find(([, official]) => theirs.startsWith(official));
    if (prefix === undefined) continue;
    const [ours, official] = prefix;
    const dtype = data instanceof Float32Array
      ? "F32"
      : data instanceof Float64Array
      ? "F64"
      : "I64";
    tensors.set(ours + theirs.slice(official.length), { dtype, shape, data });
  }
  if (tensors.size === 0) {
    throw new UserError(
      `${path}: has no tensor of the ${product}; expected names that begin with ` +
        prefixes.map(([, official]) => official).join(", "),
    );
  }
  return encode(tensors, { format: "pt", stage: name });
}

/**
 * Returns the official files of a stage with the networks of a checkpoint.
 *
 * @returns The bytes by the file's usual name, without `.pth`.
 */
export async function officialFiles(
  { officialFiles = [] }: StageDefinition,
  { tensors }: SafeTensors,
): Promise<Map<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>();
  for (const { name, prefixes } of officialFiles) {
    const renamed = new Map<string, StateTensor>();
    for (const [ours, official] of prefixes) {
      for (const [tensor, { shape, data }] of tensors) {
        if (!tensor.startsWith(ours)) continue;
        renamed.set(official + tensor.slice(ours.length), { shape, data } as StateTensor);
      }
    }
    files.set(name, await writeStateDict(renamed));
  }
  return files;
}
