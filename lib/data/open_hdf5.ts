/**
 * Opening HDF5 files with h5wasm, and reading their numbers.
 *
 * A file may refer to others: by links, by virtual data sets and by data sets whose elements lie in
 * other files. None of these is followed: while a file is read, HDF5 can open no other one. A file
 * may also claim sizes that it cannot hold, which are refused before memory for them is allocated.
 *
 * @module
 */
import type { Dataset, File, Group, Metadata } from "h5wasm";
import { UserError } from "../errors.ts";
import type { H5wasm, Hdf5Host } from "./hdf5_host.ts";
import type { FieldLayout } from "./layout.ts";

/** Bytes to read at a time. */
const blockBytes = 8 << 20;

/** Numbers of HDF5's type classes in h5wasm. */
const typeClasses = { integer: 0, float: 1, string: 3, enumeration: 8 } as const;

/** An open file and the module that opened it. */
export interface Hdf5 {
  /** The module. */
  readonly h5: H5wasm;
  /** The file, which the caller closes. */
  readonly file: File;
  /** Path as given. */
  readonly path: string;
  /** Size of the file in bytes. */
  readonly bytes: number;
}

/** Largest compression ratio of deflate. HDF5's other filters compress less. */
export const maxRatio = 1032;

/**
 * Returns the data set or group of a name in a group; null for anything else.
 *
 * @param prefix Path of the group, for messages.
 * @throws {UserError} If it is a link or refers to other files, its type cannot be read, or it
 * claims more elements than the file can hold.
 */
export function entityOf(
  { h5, path, bytes }: Hdf5,
  group: Group,
  name: string,
  prefix = "",
): Dataset | Group | null {
  const label = prefix + name;
  if (label.split("/").length > maxDepth) {
    throw new UserError(`${path}: ${label.slice(0, 80)}…: groups are nested too deeply`);
  }
  return contained(path, label, () => {
    const target = group.get_link(`/${label}`) ?? group.get_external_link(`/${label}`).filename;
    if (typeof target === "string" && target !== "") {
      throw new UserError(`${path}: ${label} is a link to ${target}; links are not followed`);
    }
    const entity = group.get(name);
    if (entity instanceof h5.Group) return entity;
    if (!(entity instanceof h5.Dataset)) return null;
    const { shape, chunks, size, virtual_sources: sources } = entity.metadata;
    if (sources !== undefined) {
      throw new UserError(
        `${path}: ${label} is a virtual data set of ${sources[0]?.file_name ?? "other files"}; ` +
          "other files are not read",
      );
    }
    const ratio = entity.filters.length > 0 ? maxRatio : 1;
    for (const sizes of [shape ?? [], chunks ?? []]) {
      const claimed = sizes.reduce((product, each) => product * each, size);
      // An uncompressed file that was never filled up ends before its last chunks.
      if (claimed > ratio * Math.max(bytes, smallFile)) {
        throw new UserError(
          `${path}: ${label} would have ${claimed} bytes (shape [${shape}], in chunks of ` +
            `[${chunks}]), more than a file of ${bytes} bytes can hold; get a fresh copy of the file`,
        );
      }
    }
    return entity;
  });
}

/** Greatest number of groups within each other. Groups can contain themselves. */
const maxDepth = 16;
/** Size up to which a file's claims do not matter, in bytes. */
const smallFile = 1 << 16;

/** The only file that HDF5 may open for reading at the moment; null if any. */
let only: string | null = null;
type Module = Awaited<H5wasm["ready"]>;
const guarded = new WeakSet<Module>();

/**
 * Calls `read`, during which HDF5 can open no other file than `path`.
 *
 * @param what What is read, for the message.
 * @throws {UserError} If HDF5 reports an error.
 */
export function contained<T>(path: string, what: string, read: () => T): T {
  const before = only;
  only = absolute(path);
  try {
    return read();
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError(
      `${path}: ${what} cannot be read: ${reasonOf(error)}; get a fresh copy of the file`,
    );
  } finally {
    only = before;
  }
}

/** Returns the names in a file or group. */
export function namesIn({ path }: Hdf5, group: Group): string[] {
  return contained(path, "the list of fields", () => group.keys());
}

function guard(module: Module): void {
  if (guarded.has(module)) return;
  guarded.add(module);
  // The declared type lacks the parts of Emscripten's file system that are used here.
  const fs = module.FS as unknown as {
    open(path: string, flags?: number | string, mode?: number): unknown;
    ErrnoError: new (code: number) => Error;
  };
  const { open } = fs;
  fs.open = (path, flags, mode) => {
    // HDF5 opens a temporary file of its own for writing when it reports an error.
    const reads = (Number(flags) & accessMode) === 0;
    if (reads && only !== null && absolute(path) !== only) throw new fs.ErrnoError(notFound);
    return open.call(fs, path, flags, mode);
  };
}

/** Emscripten's O_ACCMODE; 0 is O_RDONLY. */
const accessMode = 3;
/** Emscripten's ENOENT. */
const notFound = 44;

/** Returns the names of Minari's episodes among the names in a file. */
export function episodeNames(names: readonly string[]): string[] {
  return names.filter((name) => /^episode_\d+$/.test(name));
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
    const block = contained(
      path,
      `${field} from row ${row} to ${end - 1}`,
      () => dataset.slice([[row, end], ...rest.map(() => [] as [])]),
    );
    into.set(numbersOf(block), row * columns);
  }
}

let given: Hdf5Host | undefined;

/** Sets where HDF5 files come from. By default they are those of Deno's file system. */
export function takeFilesFrom(host: Hdf5Host): void {
  given = host;
}

async function currentHost(): Promise<Hdf5Host> {
  return given ??= (await import("./deno_hdf5.ts")).denoFiles;
}

function absolute(path: string): string {
  return given?.absolute(path) ?? path;
}

/**
 * Opens an HDF5 file for reading.
 *
 * @throws {UserError} If it is missing, a folder, not readable, truncated or not HDF5.
 */
export async function openHdf5(path: string): Promise<Hdf5> {
  const host = await currentHost();
  const bytes = await host.sizeOf(path);
  const h5 = await host.library();
  const module = await h5.ready;
  guard(module);
  let reason = "";
  try {
    // Otherwise errors are only printed, and a damaged field reads as uninitialized memory.
    module.activate_throwing_error_handler();
    only = absolute(path);
    const file = new h5.File(path, "r");
    if (file.file_id >= 0n) return { h5, file, path, bytes };
  } catch (error) {
    reason = (error as Error).message;
  } finally {
    only = null;
  }
  const truncated = /truncated file: eof = (\d+),.* stored_eof = (\d+)/.exec(reason);
  if (truncated !== null) {
    throw new UserError(
      `${path}: truncated: it has only ${truncated[1]} of ${truncated[2]} bytes; ` +
        "get a fresh copy of the file",
    );
  }
  if (/not an HDF5 file|signature not found/i.test(reason)) {
    if (await host.isZip(path)) {
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
