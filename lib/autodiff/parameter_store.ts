/**
 * The parameter store: GPU memory that outlives a program, namely the networks of a run with their
 * target networks, averages and optimizer moments. The graphs of a store share it: for example, one
 * program trains the critic, another the actor, and a third samples from the actor.
 *
 * @module
 */
import type { Gpu } from "../gpu/device.ts";
import { type ArenaMemory, layOut, sliceName } from "./memory.ts";
import type { Storage } from "./tensor.ts";

/** Shape of a stored storage: floats per replica, and number of replicas. */
export type StoredShape = Pick<Storage, "replicaSize" | "replicas">;

interface Allocation {
  readonly gpu: Gpu;
  readonly slices: readonly GPUBuffer[];
}

/**
 * Memory that several programs share. It is allocated, zero-filled, when the first of its graphs is
 * compiled, so every graph that adds networks or optimizers must be described before that. Graphs
 * that only use existing networks may be described and compiled later.
 */
export class ParameterStore implements ArenaMemory {
  /**
   * Number of replicas of the run, equal to the number of seeds of every graph that uses the store.
   */
  readonly replicas: number;
  readonly #storages: Storage[] = [];
  #allocation: Allocation | null = null;

  /** Creates an empty store for a run with this number of replicas. */
  constructor(replicas: number) {
    this.replicas = replicas;
  }

  /** Creates a zero-filled storage that lives as long as the store. */
  persist({ replicaSize, replicas }: StoredShape): Storage {
    if (this.#allocation) {
      throw new Error(
        "ParameterStore: the memory is already allocated; describe every graph that adds networks or " +
          "optimizers before compiling the first one",
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

  /** Whether a storage belongs to this store. */
  has(storage: Storage): boolean {
    return this.#storages.includes(storage);
  }

  /** Whether the store has GPU memory. */
  get allocated(): boolean {
    return this.#allocation !== null;
  }

  /**
   * Allocates the memory. Compiling the first graph calls this.
   *
   * @param bindable Maximum size of a buffer in bytes. A larger store is split into slices of
   * replicas.
   * @throws {UserError} A single replica does not fit.
   */
  allocate(gpu: Gpu, bindable: number = gpu.limits.maxStorageBufferBindingSize): void {
    if (this.#allocation) {
      throw new Error("ParameterStore.allocate: the memory is already allocated");
    }
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

  /** The buffers by slice name. */
  get buffers(): Record<string, GPUBuffer> {
    return Object.fromEntries(
      this.#allocated().slices.map((buffer, slice) => [sliceName("parameters", slice), buffer]),
    );
  }

  /** Number of slices that the replicas are divided among. */
  get slices(): number {
    return this.#allocated().slices.length;
  }

  /** GPU memory in use, in bytes. */
  get bytes(): number {
    return (this.#allocation?.slices ?? []).reduce((total, { size }) => total + size, 0);
  }

  /** Writes floats to a slice, starting at float `offset`. */
  write(slice: string, offset: number, values: Float32Array): void {
    this.#allocated().gpu.writeFloats(this.#buffer(slice), offset, values);
  }

  /** Reads `length` floats of a slice, starting at float `offset`. It waits for the queue. */
  read(slice: string, offset: number, length: number): Promise<Float32Array> {
    return this.#allocated().gpu.readFloats(this.#buffer(slice), offset, length);
  }

  /** Frees the memory. Programs that use it can no longer run. */
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
        "ParameterStore: no memory yet; compiling the first of its graphs allocates it",
      );
    }
    return this.#allocation;
  }

  #buffer(slice: string): GPUBuffer {
    const buffer = this.buffers[slice];
    if (!buffer) throw new Error(`ParameterStore: unknown slice "${slice}"`);
    return buffer;
  }
}
