/**
 * Memory: where storages lie in their arenas. Activations share memory when their lifetimes do not
 * meet. Where the arenas of all replicas would be larger than the adapter binds in one piece, they are
 * cut into slices of some replicas each: buffers of one layout, for each of which the step's dispatches
 * are repeated.
 *
 * @module
 */
import type { Program } from "../gpu/program.ts";
import type { Graph } from "./graph.ts";
import type { Stage } from "./schedule.ts";
import type { Arena, Storage, Tensor } from "./tensor.ts";

// The strictest alignment of a buffer range, in floats: readbacks and uploads of a storage stay legal.
const alignment = 64;

/** A layout of the arenas. */
export interface MemoryPlan {
  /** Slices of each arena. */
  readonly slices: number;
  /** Floats of a slice of each arena. */
  readonly sizes: Readonly<Record<Arena, number>>;
}

/**
 * Gives every storage of a graph its place, in as few slices as the limit allows.
 *
 * @param kept Tensors whose memory is not used again.
 * @param limit Floats that a slice may have; where even single replicas need more, they get it, for the
 * allocation to refuse.
 */
export function planMemory(
  graph: Graph,
  stages: readonly Stage[],
  kept: readonly Tensor[],
  limit: number,
): MemoryPlan {
  const lifetimes = lifetimesOf(stages);
  for (const { storage } of kept) lifetimes.set(storage, { first: 0, last: stages.length });
  const storages = new Set([...graph.persistent, ...lifetimes.keys()]);
  const inArena = (arena: Arena) => [...storages].filter((storage) => storage.arena === arena);
  // A slice holds whole seeds, with all their networks and variants.
  const axes = [graph.replicas, ...[...storages].map(({ replicas }) => replicas)];
  const counts = Array.from({ length: graph.replicas }, (_, i) => i + 1)
    .filter((count) => axes.every((replicas) => replicas % count === 0));
  const plan = (slices: number): MemoryPlan => {
    for (const storage of storages) storage.slices = slices;
    const sizes = {
      parameters: place(inArena("parameters"), lifetimes, stages.length),
      activations: place(inArena("activations"), lifetimes, stages.length),
    };
    return { slices, sizes };
  };
  const fits = ({ sizes }: MemoryPlan) => Math.max(...Object.values(sizes)) <= limit;
  // Storages keep the places of the last plan that was made.
  let best = plan(1);
  for (const slices of counts.slice(1)) {
    if (fits(best)) break;
    best = plan(slices);
  }
  return best;
}

interface Lifetime {
  first: number;
  last: number;
}

/** First and last stage that touches each storage. */
function lifetimesOf(stages: readonly Stage[]): Map<Storage, Lifetime> {
  const lifetimes = new Map<Storage, Lifetime>();
  stages.forEach(({ operations }, stage) => {
    for (const { reads, writes } of operations) {
      for (const { storage } of [...reads, ...writes]) {
        const lifetime = lifetimes.get(storage);
        if (lifetime) lifetime.last = stage;
        else lifetimes.set(storage, { first: stage, last: stage });
      }
    }
  });
  return lifetimes;
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

/** Name under which a program holds a slice of an arena. */
export function sliceName(arena: Arena, slice: number): string {
  return slice === 0 ? arena : `${arena}, slice ${slice}`;
}

/** Writes the floats of one replica of a storage, or the first of them. */
export function writeReplica(
  program: Program,
  storage: Storage,
  replica: number,
  values: Float32Array,
): void {
  const { slice, offset } = placeOf(storage, replica);
  program.write(sliceName(storage.arena, slice), offset, values);
}

/** Reads a storage, one replica after another. Waits for the queue. */
export async function readStorage(program: Program, storage: Storage): Promise<Float32Array> {
  const { replicaSize, replicas, slices } = storage;
  const each = replicas / slices;
  const parts = await Promise.all(Array.from({ length: slices }, (_, s) => {
    const { slice, offset } = placeOf(storage, s * each);
    return program.read(sliceName(storage.arena, slice), offset, replicaSize * each);
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
