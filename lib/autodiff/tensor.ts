/**
 * Tensors: shapes `[replicas, rows, columns]` and where their numbers lie. A tensor says what is
 * computed, not when; memory is assigned when the graph is compiled.
 *
 * @module
 */

/** Which arena a storage lies in: what a step computes, or what outlives it. */
export type Arena = "activations" | "parameters";

/** A stretch of an arena that one or more tensors lie in. */
export interface Storage {
  /** The arena it is a stretch of. */
  readonly arena: Arena;
  /** Floats of one replica. */
  readonly replicaSize: number;
  /** How many replicas lie one after another. */
  readonly replicas: number;
  /**
   * How tensors share it: as columns of common rows (`columns`), or one after another within each
   * replica (`sequence`).
   */
  readonly sharing: "columns" | "sequence";
  /** Whether its contents outlive a step (inputs, parameters), so its memory is never reused. */
  readonly persistent: boolean;
  /** Floats from the start of the arena, or of each of its slices; assigned at compilation. */
  offset: number | undefined;
  /** Slices that its replicas are divided among; assigned at compilation. */
  slices: number;
}

/** Rounds up to whole vec4s, the unit of every row. */
export function padded(columns: number): number {
  return Math.ceil(columns / 4) * 4;
}

/** Whether padding lies between parts that are laid side by side. */
export function gapsIn(
  parts: readonly { columns: number; width: number; gaps?: boolean }[],
): boolean {
  return parts.some(({ columns, width, gaps = false }, i) =>
    gaps || (i < parts.length - 1 && columns !== width)
  );
}

/**
 * Floats from one row of a matrix to the next. Rows a whole number of KiB apart would fall into few sets
 * of a cache when a product walks down them, so they are set apart by one cache line more; what lies
 * between is never read.
 */
export function strideOf(rows: number, width: number): number {
  return rows > 1 && width > 0 && width % 256 === 0 ? width + 16 : width;
}

/**
 * A tensor `[replicas, rows, columns]`. Rows are padded with zeros to `width` floats (whole vec4s);
 * the concatenation of several tensors keeps each one's padding, so its `width` may exceed
 * `padded(columns)`.
 */
export class Tensor {
  /** Networks or seeds it has one matrix for. */
  readonly replicas: number;
  /** Rows of a replica. */
  readonly rows: number;
  /** Columns without padding. */
  readonly columns: number;
  /** Floats of a row with its padding. */
  readonly width: number;
  /** Whether padding lies between its columns, as in a concatenation. */
  readonly gaps: boolean;
  /** Where it lies; a concatenation moves its parts into its own storage before compilation. */
  storage: Storage;
  /** Floats from the storage's start to the first row of the first replica. */
  start = 0;
  /** Floats from one row to the next. */
  rowStride: number;
  readonly #own: Storage | null;

  /** A tensor in the given storage, or in one of its own. */
  constructor(
    shape: { replicas: number; rows: number; columns: number; width?: number; gaps?: boolean },
    storage?: Storage,
  ) {
    this.replicas = shape.replicas;
    this.rows = shape.rows;
    this.columns = shape.columns;
    this.width = shape.width ?? padded(shape.columns);
    this.gaps = shape.gaps ?? false;
    this.rowStride = storage ? this.width : strideOf(this.rows, this.width);
    this.#own = storage ? null : {
      arena: "activations",
      replicaSize: this.rows * this.rowStride,
      replicas: this.replicas,
      sharing: "columns",
      persistent: false,
      offset: undefined,
      slices: 1,
    };
    this.storage = storage ?? this.#own!;
  }

  /** A column range of this tensor; shares its storage. */
  slice(start: number, columns: number): Tensor {
    const view = new Tensor({ replicas: this.replicas, rows: this.rows, columns }, this.storage);
    view.start = this.start + start;
    view.rowStride = this.rowStride;
    return view;
  }

  /** Moves the tensor, with what will be computed into it, to a place in another storage. */
  moveTo(storage: Storage, start: number, rowStride: number): void {
    this.storage = storage;
    this.start = start;
    this.rowStride = rowStride;
  }

  /** Whether the tensor is alone in its storage, so that it may be moved. */
  get movable(): boolean {
    return this.storage === this.#own;
  }

  /** Whether writing one of the two tensors changes what is read from the other. */
  overlaps(other: Tensor): boolean {
    if (this.storage !== other.storage) return false;
    const [a, b] = [this.#extent(), other.#extent()];
    return a.start < b.end && b.start < a.end;
  }

  #extent(): { start: number; end: number } {
    const length = this.storage.sharing === "columns"
      ? this.width
      : (this.rows - 1) * this.rowStride + this.width;
    return { start: this.start, end: this.start + length };
  }

  /**
   * Place of a replica's first row, in vec4s from the start of its slice of the arena, for job `job`
   * of an operation on `jobs` replicas: a tensor with fewer replicas serves neighbouring ones (Q-heads
   * share a seed's minibatch).
   */
  at(job: number, jobs: number): number {
    const { offset, replicaSize, replicas, slices } = this.storage;
    if (offset === undefined) throw new Error("Tensor.at: the tensor has no place yet");
    const replica = Math.floor((job * this.replicas) / jobs) % (replicas / slices);
    return (offset + replica * replicaSize + this.start) / 4;
  }

  /**
   * The same for a tensor of one column that a kernel reads as one vec4 a row.
   *
   * @throws {Error} When other columns lie between its rows, as in a concatenation.
   */
  columnAt(job: number, jobs: number): number {
    if (this.stride !== 1) {
      throw new Error(`Tensor.columnAt: ${this} is part of a wider tensor; use a copy of it`);
    }
    return this.at(job, jobs);
  }

  /** Distance between rows in vec4s. */
  get stride(): number {
    return this.rowStride / 4;
  }

  /** Shape as people read it. */
  toString(): string {
    return `[${this.replicas}, ${this.rows}, ${this.columns}]`;
  }
}
