/**
 * Memory: where storages lie in their arenas. Storages share memory when their lifetimes do not meet.
 * An arena that would be larger than the adapter binds in one piece is cut into slices of some replicas
 * each: buffers of one layout, for each of which a step's dispatches are repeated.
 *
 * @module
 */
import type { Arena, Storage } from "./tensor.ts";

// The strictest alignment of a buffer range, in floats: readbacks and uploads of a storage stay legal.
const alignment = 64;

/** What holds arenas: a program, or a parameter store. */
export interface ArenaMemory {
  /** Writes floats into an arena's slice, `offset` floats from its start. */
  write(arena: string, offset: number, values: Float32Array): void;
  /** Reads `length` floats of an arena's slice. Waits for the queue. */
  read(arena: string, offset: number, length: number): Promise<Float32Array>;
}

/** First and last stage of a step that touches a storage. */
export interface Lifetime {
  /** First stage. */
  first: number;
  /** Last stage. */
  last: number;
}

/** A layout of an arena. */
export interface Layout {
  /** Slices of the arena. */
  readonly slices: number;
  /** Floats of a slice. */
  readonly size: number;
}

/** How storages are laid out. */
export interface LayoutOptions {
  /** Replicas of the run. A slice holds whole replicas, with all their networks. */
  readonly replicas: number;
  /**
   * Floats that a slice may have; where even single replicas need more, they get it, for the allocation
   * to refuse.
   */
  readonly limit: number;
  /** The slices are a multiple of this number. */
  readonly multipleOf?: number;
  /** When storages that are not persistent are in use. */
  readonly lifetimes?: ReadonlyMap<Storage, Lifetime>;
  /** Stages of a step. */
  readonly stages?: number;
}

/** Gives the storages of an arena their places, in as few slices as the limit allows. */
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
  // Storages keep the places of the last plan that was made.
  if (counts.length === 0) {
    throw new Error(`layOut: tensors of ${axes} replicas cannot be cut into ${multipleOf} slices`);
  }
  let best = plan(counts[0]!);
  for (const slices of counts.slice(1)) {
    if (best.size <= limit) break;
    best = plan(slices);
  }
  return best;
}

/**
 * Gives each storage an offset in its slice, largest first, at the lowest place where nothing alive at
 * the same time lies. Returns the size of a slice in floats.
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
    const neighbours = placed
      .filter((other) =>
        other.lifetime.first <= lifetime.last && lifetime.first <= other.lifetime.last
      )
      .sort((a, b) => a.start - b.start);
    let start = 0;
    for (const other of neighbours) {
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

/** Name of a slice of an arena. */
export function sliceName(arena: Arena, slice: number): string {
  return slice === 0 ? arena : `${arena}, slice ${slice}`;
}

/** Writes the floats of one replica of a storage, or the first of them. */
export function writeReplica(
  memory: ArenaMemory,
  storage: Storage,
  replica: number,
  values: Float32Array,
): void {
  const { slice, offset } = placeOf(storage, replica);
  memory.write(sliceName(storage.arena, slice), offset, values);
}

/** Reads a storage, one replica after another. Waits for the queue. */
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

/** In which slice a replica of a storage lies, and floats from the slice's start to it. */
export function placeOf(storage: Storage, replica: number): { slice: number; offset: number } {
  const { offset, replicas, slices, replicaSize } = storage;
  if (offset === undefined) throw new Error("placeOf: the storage has no place yet");
  const each = replicas / slices;
  return { slice: Math.floor(replica / each), offset: offset + (replica % each) * replicaSize };
}
