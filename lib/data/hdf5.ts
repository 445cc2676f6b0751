/**
 * Reads HDF5 files in D4RL's format.
 *
 * D4RL's files vary: rewards and flags are `[N]` or `[N, 1]`, flags are bool, integer or float, and
 * numbers are float32 or float64. Fields are read block by block into the caller's float32 array
 * (or float64 array), so that a file may be larger than the reader's heap.
 *
 * @module
 */
import type { Dataset, File, Metadata } from "h5wasm";
import { UserError } from "../errors.ts";
import { type ActionBounds, areBounds, boundsText } from "../nn/host/action_bounds.ts";
import { checkLayout, type FieldLayout, type Layout } from "./layout.ts";

/** Bytes to read at a time. */
const blockBytes = 8 << 20;

/** Numbers of HDF5's type classes in h5wasm. */
const typeClasses = { integer: 0, float: 1, string: 3, enumeration: 8 } as const;

/** An open file and the module that opened it. */
interface OpenFile {
  readonly h5: typeof import("h5wasm").default;
  readonly file: File;
}

/** A file in D4RL's format, open for reading. */
export class D4rlFile implements Layout {
  /** Path as given. */
  readonly path: string;
  /** Number of rows, N. */
  readonly rows: number;
  /** Number of entries in an observation. */
  readonly observationSize: number;
  /** Number of entries in an action. */
  readonly actionSize: number;
  readonly #file: File;
  readonly #fields: ReadonlyMap<string, Dataset>;

  private constructor(path: string, { h5, file }: OpenFile) {
    this.path = path;
    this.#file = file;
    this.#fields = new Map(datasetsOf({ h5, file }));
    const layouts = [...this.#fields].map(([name, field]) => [name, layoutOf(field)] as const);
    const { rows, observationSize, actionSize } = checkLayout(path, new Map(layouts));
    this.rows = rows;
    this.observationSize = observationSize;
    this.actionSize = actionSize;
  }

  /**
   * Opens a file.
   *
   * @throws {UserError} If it is missing, truncated, not HDF5, or not in D4RL's format.
   */
  static async open(path: string): Promise<D4rlFile> {
    await checkReadable(path);
    const opened = await openHdf5(path);
    try {
      return new D4rlFile(path, opened);
    } catch (error) {
      opened.file.close();
      throw error;
    }
  }

  /**
   * Returns the observation and action sizes that all `files` share.
   *
   * @throws {UserError} If a file's observations or actions differ in size from the first file's.
   */
  static sameSizes(files: readonly D4rlFile[]): { observationSize: number; actionSize: number } {
    const first = files[0];
    if (first === undefined) {
      throw new UserError("no data: give the path of at least one HDF5 file");
    }
    const { observationSize, actionSize } = first;
    for (const file of files) {
      if (file.observationSize !== observationSize || file.actionSize !== actionSize) {
        throw new UserError(
          `${file.path}: observations of ${file.observationSize} and actions of ` +
            `${file.actionSize} entries cannot be combined with ${first.path}, which has ` +
            `${observationSize} and ${actionSize}`,
        );
      }
    }
    return { observationSize, actionSize };
  }

  /** Names of the fields. Fields in groups include the path: `infos/qpos`. */
  get fields(): string[] {
    return [...this.#fields.keys()];
  }

  /** Returns whether the file has a field of this name. */
  has(field: string): boolean {
    return this.#fields.has(field);
  }

  /**
   * Returns the type and shape of a field.
   *
   * @throws {UserError} If the file has no such field.
   */
  layout(field: string): FieldLayout {
    return layoutOf(this.#field(field));
  }

  /**
   * Reads a numeric field into `into`, row-major. `into` has as many elements as the field.
   *
   * @throws {UserError} If the file has no such field or a part of it is damaged.
   */
  read(field: string, into: Float32Array | Float64Array): void {
    const dataset = this.#field(field);
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
          `${this.path}: ${field} cannot be read from row ${row} to ${end - 1}: ` +
            `${reasonOf(error)}; get a fresh copy of the file`,
        );
      }
    }
  }

  /**
   * Returns the string or number in a scalar field, such as `metadata/env`.
   *
   * @throws {UserError} If the file has no such field.
   */
  scalar(field: string): string | number {
    const value = this.#field(field).value;
    if (typeof value === "bigint") return Number(value);
    return typeof value === "number" ? value : String(value);
  }

  /** The task that the file was collected for, `metadata/task`; null if there is none. */
  get task(): string | null {
    const value = this.has("metadata/task") ? this.scalar("metadata/task") : null;
    return typeof value === "string" ? value : null;
  }

  /** The server of the environment, `metadata/server`; null if there is none. */
  get server(): string | null {
    return this.has("metadata/server") ? String(this.scalar("metadata/server")) : null;
  }

  /**
   * The action range, `metadata/action_low` and `metadata/action_high`; null if there is none.
   *
   * @throws {UserError} If they do not have one number per action entry, or a low is not below its
   * high.
   */
  get actionBounds(): ActionBounds | null {
    const [low, high] = ["metadata/action_low", "metadata/action_high"].map((field) => {
      if (!this.has(field)) return [];
      const shape = this.layout(field).shape;
      const values = new Float64Array(shape.length === 1 ? shape[0]! : 0);
      if (values.length > 0) this.read(field, values);
      return [...values];
    }) as [number[], number[]];
    if (low.length === 0 && high.length === 0) return null;
    const bounds = { low, high };
    if (areBounds(bounds) && low.length === this.actionSize) return bounds;
    throw new UserError(
      `${this.path}: metadata/action_low and metadata/action_high should have ${this.actionSize} ` +
        `numbers each, low below high; found ${boundsText(bounds)}`,
    );
  }

  /** Closes the file. It cannot be read afterwards. */
  close(): void {
    this.#file.close();
  }

  #field(name: string): Dataset {
    const field = this.#fields.get(name);
    if (field !== undefined) return field;
    throw new UserError(
      `${this.path}: no field "${name}"; it has ${this.fields.join(", ")}`,
    );
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

async function openHdf5(path: string): Promise<OpenFile> {
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
    throw new UserError(`${path}: not an HDF5 file: it does not start with the HDF5 signature`);
  }
  throw new UserError(`${path}: cannot be opened as HDF5: ${reasonOf(new Error(reason))}`);
}

/** Returns the last, and so most specific, line of the error stack in HDF5's message. */
function reasonOf(error: unknown): string {
  const message = (error as Error).message;
  return message.match(/minor: .*/g)?.at(-1)?.slice("minor: ".length) ?? message.split("\n")[0]!;
}

/** Yields every data set of a file with its path, including those in groups (one level deep). */
function* datasetsOf({ h5, file }: OpenFile): Generator<[string, Dataset]> {
  for (const name of file.keys()) {
    const entity = file.get(name);
    if (entity instanceof h5.Dataset) yield [name, entity];
    if (!(entity instanceof h5.Group)) continue;
    for (const inner of entity.keys()) {
      const field = entity.get(inner);
      if (field instanceof h5.Dataset) yield [`${name}/${inner}`, field];
    }
  }
}

function layoutOf(dataset: Dataset): FieldLayout {
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
