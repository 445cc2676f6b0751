/**
 * Compiles graphs to programs: schedules the operations, assigns each storage an offset in its
 * arena and packs the jobs.
 *
 * @module
 */
import type { Gpu } from "../gpu/device.ts";
import type { KernelCache } from "../gpu/kernel.ts";
import { type DispatchPlan, Program, type Work } from "../gpu/program.ts";
import type { Target } from "../gpu/target.ts";
import { fuse } from "./fusion.ts";
import type { Graph, Operation } from "./graph.ts";
import { layOut, readStorage, sliceName, writeReplica } from "./memory.ts";
import { lifetimesOf, schedule, type Stage } from "./schedule.ts";
import type { Tensor } from "./tensor.ts";

/**
 * Compiles a graph. Allocates its parameter store if it has no memory yet. Afterwards the places of
 * the graph's tensors are fixed.
 *
 * @param kept Tensors to read after a step. Their memory is not reused.
 * @param bindable Maximum size of a buffer in bytes. Larger arenas are split into slices of
 * replicas.
 */
export async function compile(
  gpu: Gpu,
  kernels: KernelCache,
  target: Target,
  graph: Graph,
  kept: readonly Tensor[] = [],
  bindable: number = gpu.limits.maxStorageBufferBindingSize,
): Promise<Program> {
  const { store } = graph;
  if (!store.allocated) store.allocate(gpu, bindable);
  else if (graph.ownsStore) {
    throw new Error(
      "compile: the graph is already compiled; several programs must share an explicit store",
    );
  }
  try {
    return await compileOn(gpu, kernels, target, graph, kept, bindable);
  } catch (error) {
    if (graph.ownsStore) store.destroy();
    throw error;
  }
}

/** Compiles a graph whose store is allocated. */
async function compileOn(
  gpu: Gpu,
  kernels: KernelCache,
  target: Target,
  graph: Graph,
  kept: readonly Tensor[],
  bindable: number,
): Promise<Program> {
  const { store } = graph;
  const stages = schedule(fuse(graph.operations, kept), target);
  const lifetimes = lifetimesOf(stages);
  for (const { storage } of kept) lifetimes.set(storage, { first: 0, last: stages.length });
  const storages = new Set([...graph.persistent, ...lifetimes.keys()]);
  const activations = [...storages].filter(({ arena }) => arena === "activations");
  if ([...storages].some((s) => s.arena === "parameters" && !store.has(s))) {
    throw new Error("compile: the graph uses a network that is not in its store");
  }
  const { slices, size } = layOut(activations, {
    replicas: graph.replicas,
    limit: bindable / 4,
    // All parameters that a dispatch reads must lie in one slice of the store.
    multipleOf: store.slices,
    lifetimes,
    stages: stages.length,
  });
  const arenas = Array.from(
    { length: slices },
    (_, slice) => [sliceName("activations", slice), size * 4] as const,
  );
  const program = await Program.create(gpu, kernels, {
    dispatches: stages.flatMap((stage) => dispatchesOf(stage, slices, store.slices)),
    arenas: Object.fromEntries(arenas),
    shared: graph.shared,
    state: store.buffers,
    ...(graph.ownsStore && { owned: store }),
    metrics: graph.metricsWidth,
    scalars: graph.scalars,
    every: graph.every,
    first: graph.first,
  });
  writeConstants(program, graph);
  return program;
}

/** Writes the values of a compiled graph's constants. */
export function writeConstants(program: Program, { constants }: Graph): void {
  for (const { tensor, values } of constants) writeInput(program, tensor, values);
}

/**
 * Writes an input of a compiled graph.
 *
 * @param values `[replicas, rows, columns]`, row-major without padding.
 */
export function writeInput(program: Program, tensor: Tensor, values: Float32Array): void {
  const { columns, rowStride, replicas, rows, storage } = tensor;
  if (values.length !== replicas * rows * columns) {
    throw new Error(
      `writeInput: ${tensor} needs ${replicas * rows * columns} numbers, got ${values.length}`,
    );
  }
  for (let replica = 0; replica < replicas; replica++) {
    const packed = new Float32Array(storage.replicaSize);
    for (let row = 0; row < rows; row++) {
      const from = (replica * rows + row) * columns;
      packed.set(values.subarray(from, from + columns), row * rowStride);
    }
    writeReplica(program, storage, replica, packed);
  }
}

/**
 * Reads a tensor of a compiled graph after a step: `[replicas, rows, columns]` without padding. It
 * waits for the queue. The memory of an activation may have been reused and overwritten; pass a
 * tensor to {@link compile} as `kept` to prevent that.
 */
export async function readTensor(program: Program, tensor: Tensor): Promise<Float32Array> {
  const { columns, replicas, rows, rowStride, storage, start } = tensor;
  const floats = await readStorage(program, storage);
  const values = new Float32Array(replicas * rows * columns);
  for (let replica = 0; replica < replicas; replica++) {
    for (let row = 0; row < rows; row++) {
      const from = replica * storage.replicaSize + start + row * rowStride;
      values.set(floats.subarray(from, from + columns), (replica * rows + row) * columns);
    }
  }
  return values;
}

/** Returns the dispatches of a stage, one per slice of the activations. */
function dispatchesOf(
  { kernel, operations }: Stage,
  slices: number,
  storeSlices: number,
): DispatchPlan[] {
  const jobs = operations.map((operation) => operation.jobs(kernel));
  const uneven = operations.find((_, i) => jobs[i]!.length % slices > 0);
  if (uneven) {
    throw new Error(`compile: the jobs of "${uneven.name}" do not divide into ${slices} slices`);
  }
  const { operations: names, flops, bytes } = workOf(operations);
  return Array.from({ length: slices }, (_, slice) => ({
    kernel,
    jobs: jobs.flatMap((all) => {
      const each = all.length / slices;
      return all.slice(slice * each, (slice + 1) * each);
    }),
    work: { operations: names, flops: flops / slices, bytes: bytes / slices },
    arenas: {
      activations: sliceName("activations", slice),
      parameters: sliceName("parameters", Math.floor((slice * storeSlices) / slices)),
    },
  }));
}

/** Returns the work of a stage. A tensor that several of its operations read counts once. */
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
