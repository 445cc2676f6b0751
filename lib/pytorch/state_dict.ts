/**
 * State dicts in the files of `torch.save`: zip archives of a pickle, `data.pkl`, and one file per
 * storage of a tensor (`torch/serialization.py`). Only tensors are built.
 *
 * @module
 */
import {
  configure,
  Uint8ArrayReader,
  Uint8ArrayWriter,
  ZipReader,
  ZipWriter,
} from "@zip.js/zip.js";
import { UserError } from "../errors.ts";
import { isCall, isName, isReference, type Pickled, readPickle, writePickle } from "./pickle.ts";

/** A tensor of a state dict, row-major. */
export interface StateTensor {
  /** Sizes; `[]` for a scalar. */
  readonly shape: readonly number[];
  /** The elements. */
  readonly data: Float32Array<ArrayBuffer> | Float64Array<ArrayBuffer> | BigInt64Array<ArrayBuffer>;
}

/** Array types by the name of the storage. */
const storageTypes = {
  "torch FloatStorage": Float32Array,
  "torch DoubleStorage": Float64Array,
  "torch LongStorage": BigInt64Array,
} as const;
type StorageName = keyof typeof storageTypes;

/** Whether a file may be one of `torch.save`: a zip archive. */
export function isZip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x50 && bytes[1] === 0x4b;
}

/**
 * Reads a state dict.
 *
 * @param source Name of the file for messages.
 * @throws {UserError} If the file is damaged, is no state dict, or has other tensors than float32,
 * float64 and int64.
 */
export async function readStateDict(
  bytes: Uint8Array,
  source: string,
): Promise<Map<string, StateTensor>> {
  const refuse = (what: string): never => {
    throw new UserError(`${source}: ${what}; expected a state dict written by torch.save`);
  };
  const members = await readMembers(bytes).catch((error: Error) =>
    refuse(`not a whole zip archive (${error.message})`)
  );
  const pickles = [...members.keys()].filter((name) => /^[^/]+\/data\.pkl$/.test(name));
  if (pickles.length !== 1) refuse(`has ${pickles.length} files data.pkl`);
  const root = pickles[0]!.slice(0, -"data.pkl".length);
  const order = members.get(`${root}byteorder`);
  if (order && new TextDecoder().decode(order) !== "little") refuse("not little-endian");
  let state: Pickled;
  try {
    state = readPickle(members.get(pickles[0]!)!);
  } catch (error) {
    return refuse(`cannot read its pickle: ${(error as Error).message}`);
  }
  const items = state instanceof Map
    ? state
    : isCall(state) && state.of === "collections OrderedDict"
    ? state.items
    : refuse("not a dictionary of tensors");
  const tensors = new Map<string, StateTensor>();
  for (const [name, value] of items) {
    if (typeof name !== "string") return refuse("has a name that is no text");
    const tensor = tensorOf(value, (key) => members.get(`${root}data/${key}`));
    if (typeof tensor === "string") return refuse(`${name} ${tensor}`);
    tensors.set(name, tensor);
  }
  return tensors;
}

async function readMembers(bytes: Uint8Array): Promise<Map<string, Uint8Array>> {
  // Workers would have to be loaded from a URL.
  configure({ useWebWorkers: false });
  const members = new Map<string, Uint8Array>();
  for (const entry of await new ZipReader(new Uint8ArrayReader(bytes)).getEntries()) {
    if (entry.directory) continue;
    // torch.save compresses nothing, so no member can be larger than the file.
    if (entry.compressionMethod !== 0) throw new Error(`${entry.filename} is compressed`);
    members.set(
      entry.filename,
      await entry.getData(new Uint8ArrayWriter(), { checkSignature: true }),
    );
  }
  return members;
}

/**
 * Returns the tensor that a pickled call of `_rebuild_tensor_v2` describes, or why there is none.
 */
function tensorOf(
  value: Pickled,
  storage: (key: string) => Uint8Array | undefined,
): StateTensor | string {
  if (!isCall(value) || value.of !== "torch._utils _rebuild_tensor_v2") return "is not a tensor";
  const [reference, offset, shape, strides] = value.arguments;
  const places = isReference(reference) ? reference.reference : null;
  if (!Array.isArray(places)) return "has no storage";
  const [, type, key] = places as readonly Pickled[];
  if (!isName(type) || !Object.hasOwn(storageTypes, type.name)) {
    return `is not of type float32, float64 or int64`;
  }
  const bytes = typeof key === "string" ? storage(key) : undefined;
  if (bytes === undefined) return "has no storage";
  if (
    !isSizes(shape) || !isSizes(strides) || !isSizes([offset]) || shape.length !== strides.length
  ) {
    return "has an invalid shape";
  }
  const Type = storageTypes[type.name as StorageName];
  const values = new Type(
    bytes.slice(0, bytes.length - bytes.length % Type.BYTES_PER_ELEMENT).buffer,
  );
  const count = shape.reduce((product, size) => product * size, 1);
  const last = shape.reduce(
    (sum, size, axis) => sum + (size - 1) * strides[axis]!,
    offset as number,
  );
  if (count > 0 && (last >= values.length || count > values.length)) return "exceeds its storage";
  const data = new Type(count);
  for (let i = 0; i < count; i++) {
    let place = offset as number;
    let rest = i;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      place += rest % shape[axis]! * strides[axis]!;
      rest = Math.floor(rest / shape[axis]!);
    }
    data[i] = values[place]!;
  }
  return { shape, data };
}

function isSizes(value: Pickled | readonly (Pickled | undefined)[] | undefined): value is number[] {
  return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0);
}

/** Returns a file that `torch.load` reads as a state dict of contiguous tensors on the CPU. */
export async function writeStateDict(
  tensors: ReadonlyMap<string, StateTensor>,
): Promise<Uint8Array> {
  configure({ useWebWorkers: false });
  const root = "archive";
  const zip = new ZipWriter(new Uint8ArrayWriter(), { level: 0, extendedTimestamp: false });
  const items = new Map<Pickled, Pickled>();
  const storages: Uint8Array[] = [];
  for (const [name, { shape, data }] of tensors) {
    const [type] = Object.entries(storageTypes).find(([, Type]) => data instanceof Type)!;
    const reference = {
      reference: ["storage", { name: type }, `${storages.length}`, "cpu", data.length],
    };
    const strides = shape.map((_, axis) =>
      shape.slice(axis + 1).reduce((product, size) => product * size, 1)
    );
    items.set(name, {
      of: "torch._utils _rebuild_tensor_v2",
      arguments: [reference, 0, shape, strides, false, {
        of: "collections OrderedDict",
        arguments: [],
        items: new Map(),
      }],
      items: new Map(),
    });
    storages.push(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  const add = (name: string, bytes: Uint8Array) =>
    zip.add(`${root}/${name}`, new Uint8ArrayReader(bytes));
  await add("data.pkl", writePickle({ of: "collections OrderedDict", arguments: [], items }));
  await add("byteorder", new TextEncoder().encode("little"));
  for (const [key, bytes] of storages.entries()) await add(`data/${key}`, bytes);
  await add("version", new TextEncoder().encode("3\n"));
  return await zip.close();
}
