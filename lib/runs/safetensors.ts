/**
 * The safetensors format: an 8-byte little-endian header length, a JSON header, and raw
 * little-endian data. Checkpoints and policies use it because PyTorch can load it in one line, and
 * because reading it runs no code.
 *
 * Files of this program carry a checksum, the metadata entry `checksum`: the SHA-256 of the
 * header's JSON without that entry, followed by the data.
 *
 * This module works on bytes only. Callers read and write the files.
 *
 * @module
 */
import { UserError } from "../errors.ts";
import { sha256 } from "./checksum.ts";

/** Array types by safetensors dtype. Only the types in the project's files are supported. */
const arrayTypes = {
  F64: Float64Array,
  I64: BigInt64Array,
  F32: Float32Array,
  I32: Int32Array,
  U32: Uint32Array,
  U8: Uint8Array,
} as const satisfies Record<Dtype, unknown>;

/** Element type of a tensor. */
export type Dtype = "F64" | "I64" | "F32" | "I32" | "U32" | "U8";

/** Elements of a tensor. The array type follows from the dtype. */
export type TensorData =
  | Float32Array
  | Float64Array
  | BigInt64Array
  | Int32Array
  | Uint32Array
  | Uint8Array;

/** A tensor, row-major. A scalar has shape `[]`. */
export interface SafeTensor {
  /** Element type. */
  readonly dtype: Dtype;
  /** Sizes, outermost first. */
  readonly shape: readonly number[];
  /** The elements; their number is the product of the sizes. */
  readonly data: TensorData;
}

/** The contents of a file. */
export interface SafeTensors {
  /** Tensors by name, in file order. */
  readonly tensors: ReadonlyMap<string, SafeTensor>;
  /** The header's `__metadata__`. */
  readonly metadata: Readonly<Record<string, string>>;
}

/** Maximum header size, as in the format's reference implementation. */
const maxHeaderBytes = 100_000_000;

/**
 * Decodes the bytes of a safetensors file. Tensors are copies, so `bytes` may change afterwards.
 *
 * @param source Name of the file for messages, usually its path.
 * @throws {UserError} If the file is truncated, its header is invalid, tensors overlap, leave gaps
 * or extend past the end, or its checksum differs. The message names `source` and the tensor.
 */
export function decode(bytes: Uint8Array, source: string): SafeTensors {
  const { header, data } = splitHeader(bytes, source);
  const tensors = new Map<string, SafeTensor>();
  const spans: { name: string; begin: number; end: number }[] = [];
  for (const [name, entry] of Object.entries(header)) {
    if (name === "__metadata__") continue;
    const { dtype, shape, begin, end } = readEntry(entry, name, data.length, source);
    spans.push({ name, begin, end });
    tensors.set(name, {
      dtype,
      shape,
      // slice() copies to a new buffer, which is aligned whatever the offset in the file.
      data: new arrayTypes[dtype](data.slice(begin, end).buffer),
    });
  }
  checkSpans(spans, data.length, source);
  const { checksum, ...metadata } = readMetadata(header["__metadata__"], source);
  if (checksum !== undefined) {
    const json = JSON.stringify({ ...header, __metadata__: metadata });
    if (sha256(json, data) !== checksum) {
      throw new UserError(
        `${source}: was changed after it was written (its checksum differs); restore it, or remove ` +
          '"checksum" from its metadata if the change is intended',
      );
    }
  }
  return { tensors, metadata };
}

/**
 * Encodes a safetensors file with a checksum. The header is padded with spaces to a multiple of 8
 * bytes. Tensors are ordered by descending item size, so that each is aligned, and otherwise keep
 * the given order.
 *
 * @throws {Error} If a tensor's data does not match its dtype or shape, which is a bug in the
 * caller.
 */
export function encode(
  tensors: ReadonlyMap<string, SafeTensor>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array<ArrayBuffer> {
  const ordered = [...tensors].sort(([, a], [, b]) =>
    b.data.BYTES_PER_ELEMENT - a.data.BYTES_PER_ELEMENT
  );
  const header: Record<string, unknown> = { __metadata__: metadata };
  let end = 0;
  for (const [name, { dtype, shape, data }] of ordered) {
    if (!(data instanceof arrayTypes[dtype]) || data.length !== elements(shape)) {
      throw new Error(
        `encode: tensor ${name} is ${dtype} [${shape}], ` +
          `got a ${data.constructor.name} of ${data.length}`,
      );
    }
    header[name] = { dtype, shape, data_offsets: [end, end + data.byteLength] };
    end += data.byteLength;
  }
  const data = new Uint8Array(end);
  let offset = 0;
  for (const [, { data: own }] of ordered) {
    data.set(new Uint8Array(own.buffer, own.byteOffset, own.byteLength), offset);
    offset += own.byteLength;
  }
  const checksum = sha256(JSON.stringify(header), data);
  header["__metadata__"] = { ...metadata, checksum };
  const json = new TextEncoder().encode(JSON.stringify(header));
  const start = 8 + Math.ceil(json.length / 8) * 8;
  const bytes = new Uint8Array(start + end).fill(0x20, 8, start);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(start - 8), true);
  bytes.set(json, 8);
  bytes.set(data, start);
  return bytes;
}

/**
 * Returns the float32 tensor `name` of `file`, which must have the given shape.
 *
 * @param source Name of the file for messages.
 * @throws {UserError} If the tensor is missing or has another dtype or shape.
 */
export function floatTensor(
  file: SafeTensors,
  name: string,
  shape: readonly number[],
  source: string,
): Float32Array {
  const tensor = file.tensors.get(name);
  if (tensor === undefined) {
    throw new UserError(`${source}: tensor ${name} is missing`);
  }
  if (!(tensor.data instanceof Float32Array)) {
    throw new UserError(`${source}: tensor ${name} should be F32, but is ${tensor.dtype}`);
  }
  if (tensor.shape.length !== shape.length || shape.some((size, i) => size !== tensor.shape[i])) {
    throw new UserError(
      `${source}: tensor ${name} should have shape [${shape}], but has [${tensor.shape}]`,
    );
  }
  return tensor.data;
}

function splitHeader(
  bytes: Uint8Array,
  source: string,
): { header: Record<string, unknown>; data: Uint8Array } {
  if (bytes.length < 8) {
    throw new UserError(
      `${source}: not a safetensors file: it has only ${bytes.length} bytes, fewer than 8`,
    );
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = view.getBigUint64(0, true);
  if (length > BigInt(maxHeaderBytes)) {
    throw new UserError(
      `${source}: not a safetensors file: its header would have ${length} bytes`,
    );
  }
  const start = 8 + Number(length);
  if (start > bytes.length) {
    throw new UserError(
      `${source}: truncated: the header ends at byte ${start}, but the file at ${bytes.length}`,
    );
  }
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(8, start)));
  } catch (error) {
    throw new UserError(
      `${source}: not a safetensors file: its header is not JSON (${(error as Error).message})`,
    );
  }
  if (!isRecord(header)) {
    throw new UserError(`${source}: not a safetensors file: its header is not a JSON object`);
  }
  return { header, data: bytes.subarray(start) };
}

function readEntry(
  entry: unknown,
  name: string,
  dataBytes: number,
  source: string,
): { dtype: Dtype; shape: number[]; begin: number; end: number } {
  const refuse = (what: string): never => {
    throw new UserError(`${source}: tensor ${name}: ${what}`);
  };
  if (!isRecord(entry)) return refuse("its header entry is not a JSON object");
  const { dtype, shape, data_offsets: offsets } = entry;
  if (typeof dtype !== "string" || !Object.hasOwn(arrayTypes, dtype)) {
    return refuse(
      `dtype ${JSON.stringify(dtype)}, expected one of ${Object.keys(arrayTypes).join(", ")}`,
    );
  }
  if (!isSizes(shape)) return refuse(`shape ${JSON.stringify(shape)}, expected sizes`);
  if (!isSizes(offsets) || offsets.length !== 2) {
    return refuse(`data_offsets ${JSON.stringify(offsets)}, expected a begin and an end`);
  }
  const [begin, end] = offsets as [number, number];
  if (begin > end || end > dataBytes) {
    return refuse(
      `data_offsets [${begin}, ${end}], but the file holds ${dataBytes} bytes of data; ` +
        "it is truncated or damaged",
    );
  }
  const bytes = elements(shape) * arrayTypes[dtype as Dtype].BYTES_PER_ELEMENT;
  if (bytes !== end - begin) {
    return refuse(
      `${dtype} of shape [${shape}] takes ${bytes} bytes, but data_offsets span ${end - begin}`,
    );
  }
  return { dtype: dtype as Dtype, shape, begin, end };
}

/** Checks the format's rule that tensors fill the data without overlaps or gaps. */
function checkSpans(
  spans: { name: string; begin: number; end: number }[],
  dataBytes: number,
  source: string,
): void {
  let expected = 0;
  let before = "the header";
  for (const { name, begin, end } of spans.sort((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (begin !== expected) {
      throw new UserError(
        `${source}: tensor ${name} begins at byte ${begin} of the data, ` +
          (begin < expected ? "overlapping " : "leaving a gap after ") +
          `${before}, which ends at ${expected}`,
      );
    }
    expected = end;
    before = `tensor ${name}`;
  }
  if (expected !== dataBytes) {
    throw new UserError(
      `${source}: ${dataBytes - expected} bytes follow ${before}, which should end the file`,
    );
  }
}

function readMetadata(metadata: unknown, source: string): Record<string, string> {
  if (metadata === undefined) return {};
  if (!isRecord(metadata) || Object.values(metadata).some((value) => typeof value !== "string")) {
    throw new UserError(`${source}: __metadata__ should be an object of strings`);
  }
  return metadata as Record<string, string>;
}

function elements(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0);
}
