/**
 * Opening HDF5 files with h5wasm, and reading their numbers.
 *
 * @module
 */
import type { Dataset, File, Metadata } from "h5wasm";
import { UserError } from "../errors.ts";
import type { FieldLayout } from "./layout.ts";

/** Bytes to read at a time. */
const blockBytes = 8 << 20;

/** Numbers of HDF5's type classes in h5wasm. */
const typeClasses = { integer: 0, float: 1, string: 3, enumeration: 8 } as const;

/** An open file and the module that opened it. */
export interface Hdf5 {
  /** The module. */
  readonly h5: typeof import("h5wasm").default;
  /** The file, which the caller closes. */
  readonly file: File;
}

/** Returns those of the names in a file that are Minari's names of episodes. */
export function episodeNames(names: readonly string[]): string[] {
  return names.filter((name) => /^episode_\d+$/.test(name));
}

/** Returns whether a file starts like a zip archive. */
export async function isZip(path: string): Promise<boolean> {
  using file = await Deno.open(path);
  const head = new Uint8Array(4);
  return await file.read(head) === 4 && String.fromCharCode(...head) === "PK\x03\x04";
}

/**
 * Reads a numeric field into `into`, row-major, block by block, so that a file may be larger than
 * the reader's heap. `into` has as many elements as the field.
 *
 * @param path Path of the file, for messages.
 * @param field Name of the field, for messages.
 * @throws {UserError} If a part of the field is damaged.
 */
export function readNumbers(
  path: string,
  field: string,
  dataset: Dataset,
  into: Float32Array | Float64Array,
): void {
  const { shape, size, chunks } = dataset.metadata;
  const [rows, ...rest] = shape!;
  const columns = rest.reduce((product, n) => product * n, 1);
  // Read whole chunks, so that each is decompressed only once.
  const chunkRows = chunks?.[0] ?? 1;
  const wanted = Math.max(1, blockBytes / (size * columns));
  const blockRows = Math.max(1, Math.floor(wanted / chunkRows)) * chunkRows;
  for (let row = 0; row < rows!; row += blockRows) {
    const end = Math.min(rows!, row + blockRows);
    try {
      const block = dataset.slice([[row, end], ...rest.map(() => [] as [])]);
      into.set(numbersOf(block), row * columns);
    } catch (error) {
      throw new UserError(
        `${path}: ${field} cannot be read from row ${row} to ${end - 1}: ` +
          `${reasonOf(error)}; get a fresh copy of the file`,
      );
    }
  }
}

async function checkReadable(path: string): Promise<void> {
  try {
    const { isFile } = await Deno.stat(path);
    if (!isFile) throw new UserError(`${path}: expected an HDF5 file, found a folder`);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) throw new UserError(`${path}: no such file`);
    if (error instanceof Deno.errors.PermissionDenied) {
      throw new UserError(`${path}: no permission to read: ${error.message}`);
    }
    throw error;
  }
}

/**
 * Opens an HDF5 file for reading.
 *
 * @throws {UserError} If it is missing, a folder, not readable, truncated or not HDF5.
 */
export async function openHdf5(path: string): Promise<Hdf5> {
  await checkReadable(path);
  // h5wasm asks for permissions when it is imported, and programs that read no file need none.
  const { default: h5 } = await import("h5wasm");
  const module = await h5.ready;
  // Otherwise errors are only printed, and a damaged field reads as uninitialized memory.
  module.activate_throwing_error_handler();
  let reason = "";
  try {
    const file = new h5.File(path, "r");
    if (file.file_id >= 0n) return { h5, file };
  } catch (error) {
    reason = (error as Error).message;
  }
  const truncated = /truncated file: eof = (\d+),.* stored_eof = (\d+)/.exec(reason);
  if (truncated !== null) {
    throw new UserError(
      `${path}: truncated: it has only ${truncated[1]} of ${truncated[2]} bytes; ` +
        "get a fresh copy of the file",
    );
  }
  if (/not an HDF5 file|signature not found/i.test(reason)) {
    if (await isZip(path)) {
      throw new UserError(
        `${path}: a zip file, as OGBench's data sets are; convert it: data convert ${path} ` +
          "--out FILE.hdf5",
      );
    }
    throw new UserError(`${path}: not an HDF5 file: it does not start with the HDF5 signature`);
  }
  throw new UserError(`${path}: cannot be opened as HDF5: ${reasonOf(new Error(reason))}`);
}

/** Returns the last, and so most specific, line of the error stack in HDF5's message. */
function reasonOf(error: unknown): string {
  const message = (error as Error).message;
  return message.match(/minor: .*/g)?.at(-1)?.slice("minor: ".length) ?? message.split("\n")[0]!;
}

/** Returns the type and shape of a field. */
export function layoutOf(dataset: Dataset): FieldLayout {
  return { dtype: typeName(dataset.metadata), shape: dataset.shape ?? [] };
}

function typeName({ type, size, signed }: Metadata): string {
  if (type === typeClasses.integer) return `${signed ? "int" : "uint"}${8 * size}`;
  if (type === typeClasses.float) return `float${8 * size}`;
  if (type === typeClasses.enumeration && size === 1) return "bool";
  return type === typeClasses.string ? "string" : `of HDF5's type class ${type}`;
}

/** Converts elements to numbers. h5wasm returns 64-bit integers as BigInt. */
function numbersOf(block: unknown): ArrayLike<number> {
  if (block instanceof BigInt64Array || block instanceof BigUint64Array) {
    return Array.from<bigint, number>(block, Number);
  }
  return block as ArrayLike<number>;
}
