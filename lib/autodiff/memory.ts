/**
 * Memory layout of the arenas. Storages with disjoint lifetimes share memory. An arena larger than
 * the adapter's binding limit is split into slices of one or more replicas: buffers of the same
 * layout, with each dispatch repeated per slice.
 *
 * @module
 */
import type { Arena, Storage } from "./tensor.ts";

// In floats: the strictest alignment (256 bytes) that WebGPU requires of a buffer range, so that
// any storage can be bound, read back and written.
const alignment = 64;

/** An object that holds arenas: a program or a parameter store. */
export interface ArenaMemory {
  /** Writes floats to a slice of an arena, starting at float `offset`. */
  write(arena: string, offset: number, values: Float32Array): void;
  /**
   * Reads `length` floats of a slice of an arena, starting at float `offset`. It waits for the
   * queue.
   */
  read(arena: string, offset: number, length: number): Promise<Float32Array>;
}

/** First and last stage of a step that read or write a storage. */
export interface Lifetime {
  /** First stage. */
  first: number;
  /** Last stage. */
  last: number;
}

/** The layout of an arena. */
export interface Layout {
  /** Number of slices of the arena. */
  readonly slices: number;
  /** Size of a slice in floats. */
  readonly size: number;
}

/** Options of {@linkcode layOut}. */
export interface LayoutOptions {
  /** Replicas of the run. A slice holds whole replicas with all their networks. */
  readonly replicas: number;
  /**
   * Maximum size of a slice in floats. If a single replica needs more, the slice exceeds the limit
   * and the allocation rejects it.
   */
  readonly limit: number;
  /** The number of slices is a multiple of this number. */
  readonly multipleOf?: number;
  /** Lifetimes of the storages that are not persistent. */
  readonly lifetimes?: ReadonlyMap<Storage, Lifetime>;
  /** Number of stages of a step. */
  readonly stages?: number;
}

/** Assigns the storages of an arena their offsets, with as few slices as the limit allows. */
export function layOut(
  storages: readonly Storage[],
  { replicas, limit, multipleOf = 1, lifetimes = new Map(), stages = 0 }: LayoutOptions,
): Layout {
  const axes = [replicas, ...storages.map((storage) => storage.replicas)];
  const counts = Array.from({ length: replicas }, (_, i) => i + 1)
    .filter((count) => count % multipleOf === 0 && axes.every((axis) => axis % count === 0));
  const plan = (slices: number): Layout => {
    for (const storage of storages) storage.slices = slices;
    return { slices, size: place(storages, lifetimes, stages) };
  };
  // The last call of plan() determines the offsets of the storages.
  if (counts.length === 0) {
    throw new Error(
      `layOut: tensors of ${axes} replicas cannot be split into ${multipleOf} slices`,
    );
  }
  let best = plan(counts[0]!);
  for (const slices of counts.slice(1)) {
    if (best.size <= limit) break;
    best = plan(slices);
  }
  return best;
}

/**
 * Assigns each storage an offset in its slice, largest storage first, at the lowest place that no
 * storage with an overlapping lifetime occupies. Returns the size of a slice in floats.
 */
export function place(
  storages: readonly Storage[],
  lifetimes: ReadonlyMap<Storage, Lifetime>,
  stages: number,
): number {
  const placed: { start: number; end: number; lifetime: Lifetime }[] = [];
  let size = 0;
  const bySize = storages.toSorted((a, b) => sizeOf(b) - sizeOf(a));
  for (const storage of bySize) {
    const lifetime = storage.persistent
      ? { first: 0, last: stages }
      : lifetimes.get(storage) ?? { first: 0, last: stages };
    const neighbors = placed
      .filter((other) =>
        other.lifetime.first <= lifetime.last && lifetime.first <= other.lifetime.last
      )
      .sort((a, b) => a.start - b.start);
    let start = 0;
    for (const other of neighbors) {
      if (start + sizeOf(storage) <= other.start) break;
      start = Math.max(start, other.end);
    }
    storage.offset = start;
    const end = start + sizeOf(storage);
    placed.push({ start, end, lifetime });
    size = Math.max(size, end);
  }
  return size;
}

function sizeOf(storage: Storage): number {
  const floats = storage.replicaSize * (storage.replicas / storage.slices);
  return Math.ceil(floats / alignment) * alignment;
}

/** Returns the name of a slice of an arena. */
export function sliceName(arena: Arena, slice: number): string {
  return slice === 0 ? arena : `${arena}, slice ${slice}`;
}

/** Writes the floats of one replica of a storage, or a prefix of them. */
export function writeReplica(
  memory: ArenaMemory,
  storage: Storage,
  replica: number,
  values: Float32Array,
): void {
  const { slice, offset } = placeOf(storage, replica);
  memory.write(sliceName(storage.arena, slice), offset, values);
}

/** Reads a storage, one replica after another. It waits for the queue. */
export async function readStorage(memory: ArenaMemory, storage: Storage): Promise<Float32Array> {
  const { replicaSize, replicas, slices } = storage;
  const each = replicas / slices;
  const parts = await Promise.all(Array.from({ length: slices }, (_, s) => {
    const { slice, offset } = placeOf(storage, s * each);
    return memory.read(sliceName(storage.arena, slice), offset, replicaSize * each);
  }));
  const values = new Float32Array(replicaSize * replicas);
  parts.forEach((part, s) => values.set(part, s * replicaSize * each));
  return values;
}

/**
 * Returns the slice that holds a replica of a storage, and the replica's offset in it in floats.
 */
export function placeOf(storage: Storage, replica: number): { slice: number; offset: number } {
  const { offset, replicas, slices, replicaSize } = storage;
  if (offset === undefined) {
    throw new Error("placeOf: the storage has no offset yet; compile the graph first");
  }
  const each = replicas / slices;
  return { slice: Math.floor(replica / each), offset: offset + (replica % each) * replicaSize };
}
