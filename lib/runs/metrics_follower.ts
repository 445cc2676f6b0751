/**
 * Follows `metrics.jsonl` while another part of the program, or another process, appends to it.
 *
 * @module
 */

/** What was added to the file since the last call. */
export interface Appended {
  /**
   * Whether the file was replaced, for example because a resumed stage removed rows. All rows read
   * earlier are then invalid.
   */
  readonly restarted: boolean;
  /** The complete new lines, without line breaks. */
  readonly lines: readonly string[];
}

/** A reading position in a metrics file. */
export class MetricsFollower {
  readonly #path: string;
  #file = "";
  #offset = 0;

  /** Begins at the start of the file, which need not exist yet. */
  constructor(path: string) {
    this.#path = path;
  }

  /** Returns the lines since the last call. Without any, this costs one system call. */
  read(): Appended {
    let info: Deno.FileInfo;
    try {
      info = Deno.statSync(this.#path);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return { restarted: false, lines: [] };
      throw error;
    }
    // A file system may give a new file the number of one that was removed.
    const identity = `${info.ino} ${info.birthtime?.getTime()}`;
    const restarted = this.#offset > 0 && (identity !== this.#file || info.size < this.#offset);
    if (restarted) this.#offset = 0;
    this.#file = identity;
    if (info.size === this.#offset) return { restarted, lines: [] };
    using file = Deno.openSync(this.#path);
    file.seekSync(this.#offset, Deno.SeekMode.Start);
    const bytes = new Uint8Array(info.size - this.#offset);
    let read = 0;
    while (read < bytes.length) {
      const count = file.readSync(bytes.subarray(read));
      if (count === null) break;
      read += count;
    }
    const end = bytes.lastIndexOf(0x0a, read - 1) + 1;
    this.#offset += end;
    const text = new TextDecoder().decode(bytes.subarray(0, end));
    return { restarted, lines: text.split("\n").slice(0, -1) };
  }
}
