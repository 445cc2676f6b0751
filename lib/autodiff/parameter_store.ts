/**
 * The parameter store: memory of everything that outlives a program, which is the networks of a run
 * with their targets, averages and an optimizer's moments. The graphs of a store share it: one program
 * trains a critic, another the actor, a third samples from it, all with the same weights.
 *
 * @module
 */
import type { Gpu } from "../gpu/device.ts";
import { type ArenaMemory, layOut, sliceName } from "./memory.ts";
import type { Storage } from "./tensor.ts";

/** Shape of what is stored: floats of one replica, and replicas. */
export type StoredShape = Pick<Storage, "replicaSize" | "replicas">;

interface Allocation {
  readonly gpu: Gpu;
  readonly slices: readonly GPUBuffer[];
}

/**
 * Memory that several programs share. It is allocated, zero-filled, when the first of its graphs is
 * compiled: describe every graph that adds networks or optimizers before that. Graphs that only use the
 * networks there are may be described and compiled at any later time.
 */
export class ParameterStore implements ArenaMemory {
  /** Replicas of the run: the number of seeds of every graph that uses the store. */
  readonly replicas: number;
  readonly #storages: Storage[] = [];
  #allocation: Allocation | null = null;

  /** An empty store for a run of so many replicas. */
  constructor(replicas: number) {
    this.replicas = replicas;
  }

  /** A storage whose contents last as long as the store, zero-filled. */
  persist({ replicaSize, replicas }: StoredShape): Storage {
    if (this.#allocation) {
      throw new Error(
        "ParameterStore: its memory is allocated; describe every graph that adds networks or " +
          "optimizers before the first of them is compiled",
      );
    }
    const storage: Storage = {
      arena: "parameters",
      replicaSize,
      replicas,
      sharing: "sequence",
      persistent: true,
      offset: undefined,
      slices: 1,
    };
    this.#storages.push(storage);
    return storage;
  }

  /** Whether a storage lies in this store. */
  has(storage: Storage): boolean {
    return this.#storages.includes(storage);
  }

  /** Whether the store has memory on a GPU. */
  get allocated(): boolean {
    return this.#allocation !== null;
  }

  /**
   * Allocates the memory; compiling the first graph does it.
   *
   * @param bindable Bytes that a buffer may have: what is larger is cut into slices of replicas.
   * @throws {UserError} When one replica does not fit.
   */
  allocate(gpu: Gpu, bindable: number = gpu.limits.maxStorageBufferBindingSize): void {
    if (this.#allocation) throw new Error("ParameterStore.allocate: it has its memory already");
    const { slices, size } = layOut(this.#storages, {
      replicas: this.replicas,
      limit: bindable / 4,
    });
    const buffers: GPUBuffer[] = [];
    try {
      for (let slice = 0; slice < slices; slice++) {
        buffers.push(gpu.buffer(sliceName("parameters", slice), size * 4));
      }
    } catch (error) {
      for (const buffer of buffers) buffer.destroy();
      throw error;
    }
    this.#allocation = { gpu, slices: buffers };
  }

  /** Its buffers by the name of their slice. */
  get buffers(): Record<string, GPUBuffer> {
    return Object.fromEntries(
      this.#allocated().slices.map((buffer, slice) => [sliceName("parameters", slice), buffer]),
    );
  }

  /** Slices that the replicas are divided among. */
  get slices(): number {
    return this.#allocated().slices.length;
  }

  /** Bytes of GPU memory it holds. */
  get bytes(): number {
    return (this.#allocation?.slices ?? []).reduce((total, { size }) => total + size, 0);
  }

  /** Writes floats into a slice, `offset` floats from its start. */
  write(slice: string, offset: number, values: Float32Array): void {
    this.#allocated().gpu.writeFloats(this.#buffer(slice), offset, values);
  }

  /** Reads `length` floats of a slice. Waits for the queue. */
  read(slice: string, offset: number, length: number): Promise<Float32Array> {
    return this.#allocated().gpu.readFloats(this.#buffer(slice), offset, length);
  }

  /** Frees the memory. Programs that use it cannot be run any more. */
  destroy(): void {
    for (const buffer of this.#allocation?.slices ?? []) buffer.destroy();
    this.#allocation = null;
  }

  /** Frees the memory at the end of a `using` block. */
  [Symbol.dispose](): void {
    this.destroy();
  }

  #allocated(): Allocation {
    if (!this.#allocation) {
      throw new Error(
        "ParameterStore: it has no memory; compiling the first of its graphs allocates it",
      );
    }
    return this.#allocation;
  }

  #buffer(slice: string): GPUBuffer {
    const buffer = this.buffers[slice];
    if (!buffer) throw new Error(`ParameterStore: there is no "${slice}" in it`);
    return buffer;
  }
}
