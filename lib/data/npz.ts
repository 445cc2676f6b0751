/**
 * Reads arrays from NumPy's `.npz` files: zip archives of `.npy` files.
 *
 * The format of `.npy` is described in NumPy's `numpy/lib/format.py`: the magic string `\x93NUMPY`,
 * the version, the length of a header, the header (a Python dictionary), and the elements.
 *
 * @module
 */
import { configure, type Entry, Reader, ZipReader } from "@zip.js/zip.js";
import { UserError } from "../errors.ts";
import { maxRatio } from "./open_hdf5.ts";

/** A numeric array of a file. */
export interface NpyArray {
  /** Sizes. */
  readonly shape: readonly number[];
  /** NumPy's type without the byte order, for example `f4` or `b1`. */
  readonly dtype: keyof typeof arrayTypes;
  /** All elements, row-major. Booleans are 0 and 1. */
  readonly values: Float32Array | Float64Array | Uint8Array | Int8Array | Int32Array;
}

const arrayTypes = {
  f4: Float32Array,
  f8: Float64Array,
  b1: Uint8Array,
  u1: Uint8Array,
  i1: Int8Array,
  i4: Int32Array,
} as const;

/** Random access to a file, for zip.js. */
class FileReader extends Reader<string> {
  readonly #path: string;
  #file: Deno.FsFile | null = null;

  constructor(path: string) {
    super(path);
    this.#path = path;
  }

  override async init(): Promise<void> {
    this.#file = await Deno.open(this.#path);
    this.size = (await this.#file.stat()).size;
    super.init?.();
  }

  override async readUint8Array(index: number, length: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(Math.max(0, Math.min(length, this.size - index)));
    await this.#file!.seek(index, Deno.SeekMode.Start);
    for (let done = 0; done < bytes.length;) {
      const read = await this.#file!.read(bytes.subarray(done));
      if (read === null) break;
      done += read;
    }
    return bytes;
  }

  close(): void {
    this.#file?.close();
  }
}

/** An open `.npz` file. */
export class NpzFile implements AsyncDisposable {
  /** Path as given. */
  readonly path: string;
  readonly #reader: FileReader;
  readonly #entries: ReadonlyMap<string, Entry>;

  private constructor(path: string, reader: FileReader, entries: readonly Entry[]) {
    this.path = path;
    this.#reader = reader;
    this.#entries = new Map(
      entries.map((entry) => [entry.filename.replace(/\.npy$/, ""), entry]),
    );
  }

  /**
   * Opens a file.
   *
   * @throws {UserError} If it does not exist or is not a whole zip archive.
   */
  static async open(path: string): Promise<NpzFile> {
    // Workers would have to be loaded from a URL.
    configure({ useWebWorkers: false });
    const reader = new FileReader(path);
    try {
      const entries = await new ZipReader(reader).getEntries();
      return new NpzFile(path, reader, entries);
    } catch (error) {
      reader.close();
      if (error instanceof UserError || !(error instanceof Error)) throw error;
      throw new UserError(
        error instanceof Deno.errors.NotFound
          ? `${path}: no such file`
          : `${path}: not a whole zip archive (${error.message}); get a fresh copy`,
      );
    }
  }

  /** Names of the arrays. */
  get names(): string[] {
    return [...this.#entries.keys()];
  }

  /**
   * Reads an array.
   *
   * @throws {UserError} If there is no such array, it is damaged, or it is not numeric in row-major
   * order.
   */
  async read(name: string): Promise<NpyArray> {
    const entry = this.#entries.get(name);
    if (entry === undefined || entry.directory) {
      throw new UserError(`${this.path}: no array "${name}"; it has ${this.names.join(", ")}`);
    }
    const source = `${this.path}, ${name}`;
    const stored = Math.min(entry.compressedSize, this.#reader.size);
    if (entry.uncompressedSize > maxRatio * stored) {
      throw new UserError(
        `${source}: would have ${entry.uncompressedSize} bytes, more than ${stored} compressed bytes ` +
          "can hold; get a fresh copy of the file",
      );
    }
    const parser = new NpyParser(source, entry.uncompressedSize);
    try {
      const sink = new WritableStream<Uint8Array>({ write: (chunk) => parser.write(chunk) });
      await entry.getData(sink, { checkSignature: true });
    } catch (error) {
      if (error instanceof UserError || !(error instanceof Error)) throw error;
      throw new UserError(`${source}: damaged (${error.message}); get a fresh copy of the file`);
    }
    return parser.finish();
  }

  /** Closes the file. */
  // deno-lint-ignore require-await
  async [Symbol.asyncDispose](): Promise<void> {
    this.#reader.close();
  }
}

/** Largest header in bytes. NumPy itself refuses headers above 10,000. */
const maxHeader = 10_000;

/** Parses an `.npy` file that arrives in pieces. */
class NpyParser {
  readonly #source: string;
  readonly #size: number;
  #head = new Uint8Array();
  #array: NpyArray | null = null;
  #bytes = new Uint8Array();
  #done = 0;

  /** @param size Size of the whole file in bytes. */
  constructor(source: string, size: number) {
    this.#source = source;
    this.#size = size;
  }

  write(chunk: Uint8Array): void {
    let rest = chunk;
    if (this.#array === null) {
      const head = new Uint8Array(this.#head.length + chunk.length);
      head.set(this.#head);
      head.set(chunk, this.#head.length);
      this.#head = head;
      const start = headerEnd(this.#source, head);
      if (start === null || head.length < start) return;
      this.#array = this.#begin(head, start);
      rest = head.subarray(start);
    }
    if (this.#done + rest.length > this.#bytes.length) {
      throw new UserError(`${this.#source}: more elements than its header says`);
    }
    this.#bytes.set(rest, this.#done);
    this.#done += rest.length;
  }

  finish(): NpyArray {
    if (this.#array !== null && this.#done === this.#bytes.length) return this.#array;
    throw new UserError(`${this.#source}: ends early; get a fresh copy of the file`);
  }

  #begin(head: Uint8Array, start: number): NpyArray {
    const text = new TextDecoder("latin1").decode(head.subarray(head[6] === 1 ? 10 : 12, start));
    const descr = /'descr': *'([<|=>])([a-z]\d+)'/.exec(text);
    const order = /'fortran_order': *(True|False)/.exec(text)?.[1];
    const sizes = /'shape': *\(([\d, ]*)\)/.exec(text)?.[1];
    if (order === undefined || sizes === undefined) {
      throw new UserError(`${this.#source}: not a numeric array: ${text.trim().slice(0, 100)}`);
    }
    const dtype = descr?.[2] as NpyArray["dtype"] | undefined;
    const Type = dtype === undefined || descr![1] === ">" ? undefined : arrayTypes[dtype];
    if (Type === undefined || order === "True") {
      throw new UserError(
        `${this.#source}: ${text.trim().slice(0, 100)}: expected little-endian numbers of type ` +
          `${Object.keys(arrayTypes).join(", ")} in row-major order`,
      );
    }
    const shape = sizes.split(",").filter((size) => size.trim() !== "").map(Number);
    const count = shape.reduce((product, size) => product * size, 1);
    if (count * Type.BYTES_PER_ELEMENT !== this.#size - start) {
      throw new UserError(
        `${this.#source}: ${this.#size - start} bytes, but shape (${sizes}) of ${dtype} needs ` +
          `${count * Type.BYTES_PER_ELEMENT}`,
      );
    }
    const values = new Type(count);
    this.#bytes = new Uint8Array(values.buffer);
    return { shape, dtype: dtype!, values };
  }
}

/** Returns where the elements begin; null if too little of the file is there to tell. */
function headerEnd(source: string, head: Uint8Array): number | null {
  if (head.length < 12) return null;
  if (String.fromCharCode(...head.subarray(1, 6)) !== "NUMPY" || head[0] !== 0x93) {
    throw new UserError(`${source}: not an array: it does not start with NumPy's signature`);
  }
  const view = new DataView(head.buffer, head.byteOffset);
  const end = head[6] === 1 ? 10 + view.getUint16(8, true) : 12 + view.getUint32(8, true);
  if (end > maxHeader) throw new UserError(`${source}: its header has ${end} bytes`);
  return end;
}
