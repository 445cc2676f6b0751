/**
 * Compilation: from a graph to a program. Schedules the operations, gives every storage a place in its
 * arena (activations share memory when their lifetimes do not meet) and packs the jobs.
 *
 * @module
 */
import type { Gpu } from "../gpu/device.ts";
import type { KernelCache } from "../gpu/kernel.ts";
import { Program, type Work } from "../gpu/program.ts";
import type { Target } from "../gpu/target.ts";
import type { Graph, Operation } from "./graph.ts";
import { schedule, type Stage } from "./schedule.ts";
import type { Arena, Storage, Tensor } from "./tensor.ts";

// The strictest alignment of a buffer range, in floats: readbacks and uploads of a storage stay legal.
const alignment = 64;

/**
 * Compiles a graph. The graph's tensors are then placed for good.
 *
 * @param kept Tensors to read after a step: their memory is not used again.
 */
export async function compile(
  gpu: Gpu,
  kernels: KernelCache,
  target: Target,
  graph: Graph,
  kept: readonly Tensor[] = [],
): Promise<Program> {
  const stages = schedule(graph.operations, target);
  const parameters = place(
    graph.persistent.filter(inArena("parameters")),
    new Map(),
    stages.length,
  );
  const lifetimes = lifetimesOf(stages);
  for (const { storage } of kept) lifetimes.set(storage, { first: 0, last: stages.length });
  const temporary = [...lifetimes.keys()].filter((storage) => !storage.persistent);
  const activations = place(
    [...graph.persistent.filter(inArena("activations")), ...temporary],
    lifetimes,
    stages.length,
  );
  const program = await Program.create(gpu, kernels, {
    dispatches: stages.map(({ kernel, operations }) => ({
      kernel,
      jobs: operations.flatMap((operation) => operation.jobs(target)),
      work: workOf(operations),
    })),
    arenas: { parameters: parameters * 4, activations: activations * 4 },
    shared: graph.shared,
    metrics: graph.metricsWidth,
    scalars: graph.scalars,
  });
  for (const { tensor, value } of graph.constants) {
    const values = new Float32Array(tensor.replicas * tensor.rows * tensor.columns).fill(value);
    writeInput(program, tensor, values);
  }
  return program;
}

/**
 * Writes an input of a compiled graph.
 *
 * @param values `[replicas, rows, columns]`, row-major and without padding.
 */
export function writeInput(program: Program, tensor: Tensor, values: Float32Array): void {
  const { columns, width, replicas, rows, storage } = tensor;
  if (values.length !== replicas * rows * columns) {
    throw new Error(
      `writeInput: ${tensor} needs ${replicas * rows * columns} numbers, got ${values.length}`,
    );
  }
  const packed = new Float32Array(replicas * rows * width);
  for (let row = 0; row < replicas * rows; row++) {
    packed.set(values.subarray(row * columns, (row + 1) * columns), row * width);
  }
  program.write(storage.arena, storage.offset!, packed);
}

/**
 * Reads a tensor of a compiled graph after a step, `[replicas, rows, columns]` without padding. Waits
 * for the queue. Activations whose memory was used again read as what was written last: keep a tensor
 * by passing it to {@link compile}.
 */
export async function readTensor(program: Program, tensor: Tensor): Promise<Float32Array> {
  const { columns, replicas, rows, rowStride, storage, start } = tensor;
  const floats = await program.read(storage.arena, storage.offset!, storage.replicaSize * replicas);
  const values = new Float32Array(replicas * rows * columns);
  for (let replica = 0; replica < replicas; replica++) {
    for (let row = 0; row < rows; row++) {
      const from = replica * storage.replicaSize + start + row * rowStride;
      values.set(floats.subarray(from, from + columns), (replica * rows + row) * columns);
    }
  }
  return values;
}

/** What the operations of one dispatch have to do; a tensor that several of them read counts once. */
function workOf(operations: readonly Operation[]): Work {
  const sum = (numbers: readonly number[]) => numbers.reduce((total, n) => total + n, 0);
  const bytes = (tensors: readonly Tensor[]) =>
    sum([...new Set(tensors)].map(({ replicas, rows, width }) => replicas * rows * width * 4));
  return {
    operations: [...new Set(operations.map(({ name }) => name))],
    flops: sum(operations.map(({ flops = 0 }) => flops)),
    bytes: bytes(operations.flatMap(({ reads }) => reads)) +
      bytes(operations.flatMap(({ writes }) => writes)),
  };
}

function inArena(arena: Arena): (storage: Storage) => boolean {
  return (storage) => storage.arena === arena;
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
 * Gives each storage an offset, largest first, at the lowest place where nothing alive at the same
 * time lies. Returns the arena's size in floats.
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
  return Math.ceil((storage.replicaSize * storage.replicas) / alignment) * alignment;
}
