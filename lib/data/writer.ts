/**
 * Writes data sets in D4RL's format.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { inflateSync } from "node:zlib";
import type { Dataset, File, Group } from "h5wasm";
import { UserError } from "../errors.ts";
import { replaceFile } from "../files.ts";
import { loadH5wasm } from "./deno_hdf5.ts";
import type { H5wasm } from "./hdf5_host.ts";

/** The contents of a file in D4RL's format. Every array has N rows, row-major. */
export interface DatasetContents {
  /** Number of entries in an observation. */
  readonly observationSize: number;
  /** Number of entries in an action. */
  readonly actionSize: number;
  /** `[N, observationSize]`. */
  readonly observations: Float32Array;
  /** `[N, actionSize]`. */
  readonly actions: Float32Array;
  /** `[N]`. */
  readonly rewards: Float32Array;
  /** `[N]`, 0 or 1. */
  readonly terminals: ArrayLike<number>;
  /** `[N]`, 0 or 1. */
  readonly timeouts: ArrayLike<number>;
  /** `[N, observationSize]`: observations after the step, also at the end of an episode. */
  readonly nextObservations?: Float32Array;
  /** Fields under `infos/`, for example `qpos` and `qvel`: the state before each step. */
  readonly infos?: Readonly<Record<string, Float32Array | Float64Array>>;
  /**
   * Fields under `metadata/`: the origin of the data. A number is written as float64 and a bigint
   * as int64, whatever its value, so that a key has the same type in every file. A list is written
   * as float64.
   */
  readonly metadata?: Readonly<Record<string, string | number | bigint | readonly number[]>>;
}

/** Uncompressed bytes per compressed block. */
const chunkBytes = 1 << 18;
/** Bytes of a field that are written at once. h5wasm copies them to its memory of 2 GiB. */
const partBytes = 1 << 26;

/**
 * An HDF5 file with two empty data sets, `terminals` and `timeouts`. Their type is the one that
 * h5py reads as bool: an enumeration of FALSE and TRUE over int8. h5wasm can fill data sets of that
 * type but cannot create them, so every file starts as a copy of this one. It is zlib-compressed
 * and encoded in base64, and was made by h5py 3.16:
 *
 * ```python
 * with h5py.File("flags.hdf5", "w") as file:
 *     for name in ("terminals", "timeouts"):
 *         file.create_dataset(name, (0,), bool, maxshape=(None,), chunks=(65536,), compression="gzip")
 * ```
 */
const flagsTemplate =
  "eNrr9HBx4+WS4mIAAQ4OBhYGAQZk8B8KOthQ+TD5BCjNCKU7oPQKJpg4I1hOAiouCDUfXV1IkKsrSPV/NACzx4AFQksw" +
  "jIKRCDxcHQNAdASUrwGlTzChqitJLcrNzEvMKYbxM3NT80tLYFx4OjUg0l5GBjaIHkYYH5ICGRkZseYTZqDLwOmdCaJF" +
  "gAOmlYPBzdEn2BWc1kNdYY5hBYqD5JmYmcDKuBkUwHxGuH0c4ByUkpqWk1iSygDNBkBRiDuYmZgQWYWRAclRATSJh2A/" +
  "fxdGBiag/RCgwIxfPSy/VrCOpuHRdIUbAABD8mAU";

/**
 * Writes `contents` to `path` atomically, with gzip-compressed fields. h5py reads the flags as
 * bools.
 *
 * @throws {UserError} If the folder does not exist or is not writable, or the disk is full.
 * @throws {Error} If an array has the wrong length, which is a bug in the caller.
 */
export async function writeDataset(path: string, contents: DatasetContents): Promise<void> {
  const h5 = await loadH5wasm();
  const module = await h5.ready;
  module.activate_throwing_error_handler();
  await replaceFile(path, async (temporary) => {
    await Deno.writeFile(temporary, inflateSync(Buffer.from(flagsTemplate, "base64")));
    try {
      fill(module, new h5.File(temporary, "a"), contents);
    } catch (error) {
      throw asDiskError(path, error);
    }
  });
}

function fill(module: Awaited<H5wasm["ready"]>, file: File, contents: DatasetContents): void {
  try {
    const rows = contents.rewards.length;
    fillFlags(module, file, rows, "terminals", contents.terminals);
    fillFlags(module, file, rows, "timeouts", contents.timeouts);
    writeFields(file, contents);
  } finally {
    file.close();
  }
}

/** Returns a `UserError` for an error of the operating system in HDF5's report, or the error. */
function asDiskError(path: string, error: unknown): unknown {
  const [, reason] = /error message = '([^']+)'/.exec((error as Error).message) ?? [];
  return reason === undefined
    ? error
    : new UserError(`${path}: cannot be written: ${reason.toLowerCase()}`);
}

/** Fills one of the template's data sets. h5wasm's `write_slice` does not support enumerations. */
function fillFlags(
  module: Awaited<H5wasm["ready"]>,
  file: File,
  rows: number,
  name: "terminals" | "timeouts",
  flags: ArrayLike<number>,
): void {
  if (flags.length !== rows) {
    throw new Error(`writeDataset: ${name} has ${flags.length} entries, not ${rows}`);
  }
  (file.get(name) as Dataset).resize([rows]);
  const pointer = module._malloc(rows);
  if (pointer === 0) throw new Error(`writeDataset: no memory for ${rows} flags`);
  try {
    module.HEAPU8.set(flags, pointer);
    module.set_dataset_data(file.file_id, name, null, null, null, BigInt(pointer));
  } finally {
    module._free(pointer);
  }
}

function writeFields(file: File, contents: DatasetContents): void {
  const { observationSize, actionSize, observations, actions, rewards } = contents;
  const rows = rewards.length;
  /** Writes a field. `columns` is null for one value per row, and defaults to values per row. */
  const write = (
    group: Group,
    name: string,
    values: Float32Array | Float64Array,
    columns: number | null = values.length / rows,
  ) => {
    const width = columns ?? 1;
    if (values.length !== rows * width) {
      throw new Error(`writeDataset: ${name} has ${values.length} entries, not ${rows} x ${width}`);
    }
    const rest = columns === null ? [] : [columns];
    const rowBytes = width * values.BYTES_PER_ELEMENT;
    const chunkRows = Math.min(rows, Math.ceil(chunkBytes / rowBytes));
    // Whole chunks, so that none is compressed twice.
    const partRows = chunkRows * Math.max(1, Math.floor(partBytes / rowBytes / chunkRows));
    const part = (begin: number) => {
      const end = Math.min(rows, begin + partRows);
      return { end, data: values.subarray(begin * width, end * width) };
    };
    const first = part(0);
    const dataset = group.create_dataset({
      name,
      data: first.data,
      shape: [first.end, ...rest],
      maxshape: [rows, ...rest],
      chunks: [chunkRows, ...rest],
      compression: "gzip",
    });
    if (first.end === rows) return;
    dataset.resize([rows, ...rest]);
    for (let begin = first.end; begin < rows;) {
      const { end, data } = part(begin);
      dataset.write_slice([[begin, end], ...rest.map((size): [number, number] => [0, size])], data);
      begin = end;
    }
  };
  write(file, "observations", observations, observationSize);
  write(file, "actions", actions, actionSize);
  write(file, "rewards", rewards, null);
  if (contents.nextObservations !== undefined) {
    write(file, "next_observations", contents.nextObservations, observationSize);
  }
  if (contents.infos !== undefined) {
    const group = file.create_group("infos");
    for (const [name, values] of Object.entries(contents.infos)) write(group, name, values);
  }
  if (contents.metadata !== undefined) {
    const group = file.create_group("metadata");
    for (const [name, value] of Object.entries(contents.metadata)) {
      if (typeof value === "string") group.create_dataset({ name, data: value });
      else if (typeof value === "object") {
        group.create_dataset({ name, data: Float64Array.from(value) });
      } else {
        const data = typeof value === "bigint" ? BigInt64Array.of(value) : Float64Array.of(value);
        group.create_dataset({ name, data, shape: [] });
      }
    }
  }
}
