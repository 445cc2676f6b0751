/**
 * Parameters of a family of networks. They lie one after another in a parameter store, so that an
 * optimizer updates all of them in one dispatch. Their names match PyTorch's.
 *
 * @module
 */
import type { Graph } from "./graph.ts";
import { type ArenaMemory, readStorage, writeReplica } from "./memory.ts";
import type { ParameterStore } from "./parameter_store.ts";
import { padded, type Storage, Tensor } from "./tensor.ts";

/** A parameter: a matrix `[rows, Σ segments]`, or a vector if it has one row. */
export interface ParameterShape {
  /** Name within the family, for example `main.fc.weight`. */
  readonly name: string;
  /** Rows of the matrix; 1 for a vector. */
  readonly rows: number;
  /** Widths of the column segments, each padded to whole vec4s on the GPU. */
  readonly segments: readonly number[];
  /** Whether files store it as a vector `[columns]` instead of a matrix. */
  readonly vector: boolean;
}

/** Values of one replica by parameter name, row-major without padding. */
export type ParameterValues = Map<string, Float32Array>;

function widthOf(shape: ParameterShape): number {
  return shape.segments.reduce((total, columns) => total + padded(columns), 0);
}

function columnsOf(shape: ParameterShape): number {
  return shape.segments.reduce((total, columns) => total + columns, 0);
}

/**
 * Returns the row stride of a parameter in floats. Row strides that are multiples of 256 bytes
 * would map the rows to few cache sets when a product walks down them, so such strides are one vec4
 * longer. The padding is never read.
 */
function parameterStride(shape: ParameterShape): number {
  const width = widthOf(shape);
  return shape.rows > 1 && width % 64 === 0 ? width + 4 : width;
}

function familySize(shapes: readonly ParameterShape[]): number {
  return shapes.reduce((total, shape) => total + shape.rows * parameterStride(shape), 0);
}

/** The parameters of a family of `replicas` identically shaped networks. */
export class ParameterSet {
  /** Shapes of the parameters of one network. */
  readonly shapes: readonly ParameterShape[];
  /** Number of networks in the family. */
  readonly replicas: number;
  /** The store that holds them. */
  readonly store: ParameterStore;
  /** Their storage in the store. */
  readonly storage: Storage;
  readonly #tensors = new Map<string, Tensor>();

  /**
   * Creates the parameters of `replicas` identically shaped networks, a multiple of the run's
   * replicas.
   *
   * @param home A store, or a graph whose store is used.
   */
  constructor(home: ParameterStore | Graph, shapes: readonly ParameterShape[], replicas: number) {
    this.store = "store" in home ? home.store : home;
    this.shapes = shapes;
    this.replicas = replicas;
    this.storage = this.store.persist({ replicaSize: familySize(shapes), replicas });
    for (const [shape, start] of this.#places()) {
      this.#tensors.set(shape.name, this.#tensorIn(this.storage, shape, start));
    }
  }

  /** Returns the parameter with this name. */
  get(name: string): Tensor {
    const tensor = this.#tensors.get(name);
    if (!tensor) throw new Error(`ParameterSet.get: no parameter "${name}"`);
    return tensor;
  }

  /** All parameters, in order. */
  get tensors(): Tensor[] {
    return [...this.#tensors.values()];
  }

  /** Returns the counterparts of all parameters in a storage of this layout, in order. */
  tensorsIn(storage: Storage): Tensor[] {
    return this.#places().map(([shape, start]) => this.#tensorIn(storage, shape, start));
  }

  /** The whole family as one tensor, for operations on all parameters at once. */
  get whole(): Tensor {
    return wholeOf(this.storage);
  }

  /** Creates another storage of this layout in the same store, for example for moments. */
  like(): Storage {
    return this.store.persist(this.storage);
  }

  /**
   * Places the gradients of all parameters (in order) in one storage with the layout of the
   * parameters, and returns them as one tensor.
   */
  gather(gradients: readonly (Tensor | null)[]): Tensor {
    const storage: Storage = {
      arena: "activations",
      replicaSize: this.storage.replicaSize,
      replicas: this.replicas,
      sharing: "sequence",
      persistent: false,
      offset: undefined,
      slices: 1,
    };
    this.#places().forEach(([shape, start], i) => {
      const gradient = gradients[i];
      if (!gradient?.movable || gradient.replicas !== this.replicas) {
        throw new Error(
          `ParameterSet.gather: "${shape.name}" needs a gradient with its own storage`,
        );
      }
      gradient.moveTo(storage, start, parameterStride(shape));
    });
    return wholeOf(storage);
  }

  /**
   * Writes the values of one replica to a storage of this layout (by default the parameters).
   *
   * @param memory The store, or a program that uses it.
   */
  write(
    memory: ArenaMemory,
    replica: number,
    values: ParameterValues,
    storage: Storage = this.storage,
  ): void {
    const floats = new Float32Array(storage.replicaSize);
    for (const [shape, start] of this.#places()) {
      const given = values.get(shape.name);
      const expected = shape.rows * columnsOf(shape);
      if (given?.length !== expected) {
        throw new Error(
          `ParameterSet.write: "${shape.name}" needs ${expected} numbers, got ${given?.length}`,
        );
      }
      eachSegment(
        shape,
        start,
        (packed, plain, columns) => floats.set(given.subarray(plain, plain + columns), packed),
      );
    }
    writeReplica(memory, storage, replica, floats);
  }

  /**
   * Reads the values of every replica from a storage of this layout (by default the parameters).
   *
   * @param memory The store, or a program that uses it.
   */
  async read(
    memory: ArenaMemory = this.store,
    storage: Storage = this.storage,
  ): Promise<ParameterValues[]> {
    const { replicaSize } = storage;
    const floats = await readStorage(memory, storage);
    return Array.from({ length: this.replicas }, (_, replica) => {
      const values: ParameterValues = new Map();
      for (const [shape, start] of this.#places()) {
        const plainValues = new Float32Array(shape.rows * columnsOf(shape));
        eachSegment(
          shape,
          replica * replicaSize + start,
          (packed, plain, columns) =>
            plainValues.set(floats.subarray(packed, packed + columns), plain),
        );
        values.set(shape.name, plainValues);
      }
      return values;
    });
  }

  #tensorIn(storage: Storage, shape: ParameterShape, start: number): Tensor {
    const tensor = new Tensor({
      replicas: this.replicas,
      rows: shape.rows,
      columns: columnsOf(shape),
      segments: shape.segments,
    }, storage);
    tensor.moveTo(storage, start, parameterStride(shape));
    return tensor;
  }

  #places(): [ParameterShape, number][] {
    let start = 0;
    return this.shapes.map((shape) => {
      const place: [ParameterShape, number] = [shape, start];
      start += shape.rows * parameterStride(shape);
      return place;
    });
  }
}

function wholeOf(storage: Storage): Tensor {
  return new Tensor({ replicas: storage.replicas, rows: 1, columns: storage.replicaSize }, storage);
}

/**
 * Calls `visit` with each row segment's start in the packed and the plain values, and its columns.
 */
function eachSegment(
  shape: ParameterShape,
  start: number,
  visit: (packed: number, plain: number, columns: number) => void,
): void {
  let plain = 0;
  for (let row = 0; row < shape.rows; row++) {
    let packed = start + row * parameterStride(shape);
    for (const columns of shape.segments) {
      visit(packed, plain, columns);
      packed += padded(columns);
      plain += columns;
    }
  }
}
