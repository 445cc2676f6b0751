/**
 * Tensors: shapes `[replicas, rows, columns]` and their memory layout. A tensor names a value, not
 * when it is computed. Its memory is assigned when the graph is compiled.
 *
 * @module
 */

/**
 * Arena of a storage: `activations` for values computed in a step, `parameters` for values that
 * outlive the program.
 */
export type Arena = "activations" | "parameters";

/** A range of an arena that holds one or more tensors. */
export interface Storage {
  /** The arena of the range. */
  readonly arena: Arena;
  /** Size of one replica in floats. */
  readonly replicaSize: number;
  /** Number of replicas, stored consecutively. */
  readonly replicas: number;
  /**
   * How tensors share the storage: as columns of common rows (`columns`), or consecutively within
   * each replica (`sequence`).
   */
  readonly sharing: "columns" | "sequence";
  /** Whether its contents outlive a step (inputs, parameters). Its memory is then never reused. */
  readonly persistent: boolean;
  /**
   * Offset in floats from the start of the arena or of each of its slices. Assigned at compilation.
   */
  offset: number | undefined;
  /** Number of slices that its replicas are divided among. Assigned at compilation. */
  slices: number;
}

/** Rounds up to whole vec4s, the unit of row widths. */
export function padded(columns: number): number {
  return Math.ceil(columns / 4) * 4;
}

/** Shape of a tensor. */
export interface TensorShape {
  /** Number of matrices. */
  readonly replicas: number;
  /** Rows per replica. */
  readonly rows: number;
  /** Columns, without padding. */
  readonly columns: number;
  /** Columns of each part of a concatenation. Defaults to one segment of all columns. */
  readonly segments?: readonly number[];
}

/**
 * Returns the row stride of an activation in floats. Row strides that are multiples of 1 KiB would
 * map the rows to few cache sets when a product walks down them, so such strides are one cache line
 * longer. The padding is never read.
 */
export function activationStride(rows: number, width: number): number {
  return rows > 1 && width > 0 && width % 256 === 0 ? width + 16 : width;
}

/** Joins segments that no padding separates, and leaves out those without columns. */
function joined(segments: readonly number[]): readonly number[] {
  const all: number[] = [];
  for (const columns of segments) {
    const last = all.at(-1);
    if (last !== undefined && last % 4 === 0) all[all.length - 1] = last + columns;
    else if (columns > 0) all.push(columns);
  }
  return all;
}

/**
 * A tensor `[replicas, rows, columns]`. Rows are padded with zeros to `width` floats (whole vec4s).
 * A concatenation keeps the padding of each part, so its `width` may exceed `padded(columns)`.
 */
export class Tensor {
  /** Number of matrices: one per network or seed. */
  readonly replicas: number;
  /** Rows per replica. */
  readonly rows: number;
  /** Columns, without padding. */
  readonly columns: number;
  /** Width of a row in floats, with padding. */
  readonly width: number;
  /** Columns between which there is padding, as in a concatenation; otherwise one segment. */
  readonly segments: readonly number[];
  /** Its storage. A concatenation moves its parts into its own storage before compilation. */
  storage: Storage;
  /** Offset in floats of the first replica's first row in the storage. */
  start = 0;
  /** Row stride in floats. */
  rowStride: number;
  readonly #own: Storage | null;

  /** Creates a tensor in the given storage, or in a storage of its own. */
  constructor({ replicas, rows, columns, segments = [columns] }: TensorShape, storage?: Storage) {
    this.replicas = replicas;
    this.rows = rows;
    this.columns = columns;
    const total = segments.reduce((sum, each) => sum + each, 0);
    if (total !== columns) {
      throw new Error(`Tensor: the segments ${segments.join(" + ")} are not ${columns} columns`);
    }
    this.segments = joined(segments);
    this.width = this.segments.reduce((total, each) => total + padded(each), 0);
    this.rowStride = storage ? this.width : activationStride(rows, this.width);
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

  /** Whether there is padding between its columns, as in a concatenation. */
  get gaps(): boolean {
    return this.segments.length > 1;
  }

  /** Whether its columns and padding are those of `other`. */
  alignedWith(other: Tensor): boolean {
    return this.segments.join() === other.segments.join();
  }

  /** Whether its replicas, rows, columns and padding are those of `other`. */
  hasShapeOf(other: Tensor): boolean {
    return this.replicas === other.replicas && this.rows === other.rows && this.alignedWith(other);
  }

  /**
   * Returns a view of the columns that a part of a concatenation has, which shares this tensor's
   * storage.
   *
   * @param start Offset of the part's row in this tensor's row, in floats with padding.
   */
  viewOf({ columns, segments }: Tensor, start: number): Tensor {
    const { replicas, rows } = this;
    const view = new Tensor({ replicas, rows, columns, segments }, this.storage);
    view.moveTo(this.storage, this.start + start, this.rowStride);
    return view;
  }

  /**
   * Moves the tensor to a place in another storage. The operation that computes it then writes
   * there.
   */
  moveTo(storage: Storage, start: number, rowStride: number): void {
    this.storage = storage;
    this.start = start;
    this.rowStride = rowStride;
  }

  /** Whether the tensor has its own storage, so that it may be moved. */
  get movable(): boolean {
    return this.storage === this.#own;
  }

  /** Whether writing one of the two tensors changes the contents of the other. */
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
   * Returns the offset of a replica's first row, in vec4s from the start of its arena slice, for
   * job `job` of an operation on `jobs` replicas. A tensor with fewer replicas is shared by
   * neighboring ones, as the Q-heads of a seed share its minibatch.
   */
  at(job: number, jobs: number): number {
    const { offset, replicaSize, replicas, slices } = this.storage;
    if (offset === undefined) {
      throw new Error("Tensor.at: the tensor has no offset yet; compile the graph first");
    }
    const replica = Math.floor((job * this.replicas) / jobs) % (replicas / slices);
    return (offset + replica * replicaSize + this.start) / 4;
  }

  /**
   * Like {@linkcode at}, for a tensor of one column that a kernel reads as one vec4 per row.
   *
   * @throws {Error} Other columns lie between its rows, as in a concatenation.
   */
  columnAt(job: number, jobs: number): number {
    if (this.stride !== 1) {
      throw new Error(`Tensor.columnAt: ${this} is part of a wider tensor; copy it first`);
    }
    return this.at(job, jobs);
  }

  /** Row stride in vec4s. */
  get stride(): number {
    return this.rowStride / 4;
  }

  /** Returns the shape as text. */
  toString(): string {
    return `[${this.replicas}, ${this.rows}, ${this.columns}]`;
  }
}
