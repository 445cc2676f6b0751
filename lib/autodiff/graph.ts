/**
 * The graph: a training step, described once. Operations are recorded in the order they are meant to
 * happen, like statements; what is independent may later run side by side. Differentiating records
 * further operations.
 *
 * @module
 */
import type { Job, KernelSpec } from "../gpu/kernel.ts";
import type { Target } from "../gpu/target.ts";
import type { OperationName } from "./operations.ts";
import { ParameterStore } from "./parameter_store.ts";
import { padded, type Storage, strideOf, Tensor } from "./tensor.ts";

/** One recorded operation. Its kernel and jobs are asked for when the graph is compiled. */
export interface Operation {
  /** What it computes. */
  readonly name: OperationName;
  /** Tensors the gradient may flow to. */
  readonly inputs: readonly Tensor[];
  /** All it reads and writes, its inputs and outputs included. */
  readonly reads: Tensor[];
  /** All it writes, its output first. */
  readonly writes: readonly Tensor[];
  /** Additions and multiplications of its matrix product, if it is one. */
  readonly flops?: number;
  /** Null for an operation that only names memory (a concatenation in place). */
  kernel(target: Target): KernelSpec | null;
  /** One piece of work or more for each replica; asked for when every tensor has its place. */
  jobs(target: Target): Job[];
  /**
   * Records the gradient: given the gradient of the (only) output, returns those of the inputs that
   * are `wanted`. Absent where nothing can be differentiated.
   */
  gradient?(upstream: Tensor, wanted: readonly boolean[]): (Tensor | null)[];
  /** Takes over the addition of a tensor to the output; false when it cannot. */
  absorbAddend?(addend: Tensor): boolean;
  /** Takes over the multiplication of the output with an activation's derivative. */
  absorbDerivative?(activation: "relu" | "tanh" | "mish" | "softplus", saved: Tensor): boolean;
  /** Takes over the step of an optimizer by the gradients it computes. */
  absorbUpdate?(update: ParameterUpdate): void;
}

/** A step of an optimizer, for the kernel that computes a gradient to take at once. */
export interface ParameterUpdate {
  /** WGSL with a function `update(job, i, gradient)`, and what it needs. */
  readonly source: string;
  /** Fields that the function reads of the job. */
  readonly fields: (job: number, jobs: number) => Record<string, number>;
  /** What it reads and writes. */
  readonly touched: readonly Tensor[];
}

/** A number reported every step, one for each replica. */
export interface Metric {
  /** Name under which it is reported. */
  readonly name: string;
  /** How many numbers: one for each replica. */
  readonly replicas: number;
  /** Place of the first replica in a row of the metrics ring. */
  readonly index: number;
}

/** A scalar to minimise: its operation computed the gradients along with the value. */
export interface Loss {
  /** Its value. */
  readonly metric: Metric;
  /** Gradient of the loss for each tensor it can be differentiated by. */
  readonly gradients: ReadonlyMap<Tensor, Tensor>;
}

/** What a graph is made for. */
export interface GraphOptions {
  /** Seed of each replica of the run. */
  readonly seeds: readonly number[];
  /** Where its networks lie. By default a store of its own, which is freed with the program. */
  readonly store?: ParameterStore;
  /** Steps from one in which the graph is computed to the next; 1 by default. */
  readonly every?: number;
  /** The first step in which it is computed, counted from 0; `every - 1` by default. */
  readonly first?: number;
}

/** A step, or a part of one, under construction. */
export class Graph {
  /** Seed of each replica of the run: its random numbers depend on it alone. */
  readonly seeds: readonly number[];
  /** Where its networks lie. */
  readonly store: ParameterStore;
  /** Whether the store is the graph's own, made by it and freed with its program. */
  readonly ownsStore: boolean;
  /** Steps from one in which the graph is computed to the next. */
  readonly every: number;
  /** The first step in which it is computed, counted from 0. */
  readonly first: number;
  /** What has been recorded, in order. */
  readonly operations: Operation[] = [];
  /** What each step reports. */
  readonly metrics: Metric[] = [];
  /** What the host computes for each update. */
  readonly scalars: ((update: number) => number)[] = [];
  /** Buffers that outlive the program, by the name shaders bind them under. */
  readonly shared: Record<string, GPUBuffer> = {};
  /** Storages that keep their contents between steps, in the order they were made. */
  readonly persistent: Storage[] = [];
  /** Inputs that are filled once, when the graph is compiled. */
  readonly constants: { readonly tensor: Tensor; readonly values: Float32Array }[] = [];
  /** Losses whose gradients have been recorded. */
  readonly differentiated: Set<Loss> = new Set();
  readonly #producer = new Map<Tensor, Operation>();
  readonly #final = new Set<Tensor>();

  /** An empty step for the given seeds, one replica each. */
  constructor({ seeds, store, every = 1, first = every - 1 }: GraphOptions) {
    if (seeds.length === 0) throw new Error("Graph: at least one seed is needed");
    if (store && store.replicas !== seeds.length) {
      throw new Error(`Graph: ${seeds.length} seeds, but a store of ${store.replicas} replicas`);
    }
    if (!Number.isInteger(every) || every < 1 || !Number.isInteger(first) || first < 0) {
      throw new Error(`Graph: computed every ${every} steps from step ${first} on`);
    }
    this.seeds = seeds;
    this.store = store ?? new ParameterStore(seeds.length);
    this.ownsStore = store === undefined;
    this.every = every;
    this.first = first;
  }

  /** Replicas of the run (seeds). A network family may have a multiple of it. */
  get replicas(): number {
    return this.seeds.length;
  }

  /** Seed for job `job` of an operation on `jobs` replicas. */
  seed(job: number, jobs: number): number {
    return this.seeds[Math.floor((job * this.seeds.length) / jobs)]!;
  }

  /** A tensor the host writes, `[replicas, rows, columns]`; keeps its contents between steps. */
  input(rows: number, columns: number, replicas: number = this.replicas): Tensor {
    const rowStride = strideOf(rows, padded(columns));
    const storage = this.persist({
      arena: "activations",
      replicaSize: rows * rowStride,
      replicas,
      sharing: "columns",
    });
    const tensor = new Tensor({ replicas, rows, columns }, storage);
    tensor.moveTo(storage, 0, rowStride);
    return tensor;
  }

  /** A tensor filled with one number, or with one of each replica's own. */
  constant(
    rows: number,
    columns: number,
    value: number | ((replica: number) => number),
    replicas: number = this.replicas,
  ): Tensor {
    const of = typeof value === "number" ? () => value : value;
    const size = rows * columns;
    const values = new Float32Array(replicas * size);
    for (let r = 0; r < replicas; r++) values.fill(of(r), r * size, (r + 1) * size);
    return this.#constant(rows, columns, replicas, values);
  }

  /** A tensor of the same given entries `[rows, columns]`, row-major, in every replica. */
  table(rows: number, columns: number, entries: ArrayLike<number>): Tensor {
    const size = rows * columns;
    if (entries.length !== size) {
      throw new Error(`Graph.table: [${rows}, ${columns}] of ${entries.length} entries`);
    }
    const values = new Float32Array(this.replicas * size);
    for (let r = 0; r < this.replicas; r++) values.set(entries, r * size);
    return this.#constant(rows, columns, this.replicas, values);
  }

  #constant(rows: number, columns: number, replicas: number, values: Float32Array): Tensor {
    const tensor = this.input(rows, columns, replicas);
    this.constants.push({ tensor, values });
    return tensor;
  }

  /** A storage of the program whose contents outlive the step. */
  persist(
    shape: Pick<Storage, "replicaSize" | "replicas" | "sharing"> & { arena: "activations" },
  ): Storage {
    const storage: Storage = { ...shape, persistent: true, offset: undefined, slices: 1 };
    this.persistent.push(storage);
    return storage;
  }

  /** A number to report each step, for each of `replicas` replicas. */
  metric(name: string, replicas: number = this.replicas): Metric {
    const metric = { name, replicas, index: this.metricsWidth };
    this.metrics.push(metric);
    return metric;
  }

  /**
   * A scalar the host computes for update k = 0, 1, … of this graph, which is step `first + k every`
   * of the run; returns its index for the shader.
   */
  scalar(value: (update: number) => number): number {
    return this.scalars.push(value) - 1;
  }

  /** Records an operation. */
  record<T extends Operation>(operation: T): T {
    this.operations.push(operation);
    for (const tensor of operation.writes) this.#producer.set(tensor, operation);
    return operation;
  }

  /** The operation that computes `tensor`, if one does. */
  producer(tensor: Tensor): Operation | undefined {
    return this.#producer.get(tensor);
  }

  /**
   * The operation that computes `tensor` if it may still take over what happens to the tensor next:
   * nothing reads it yet, and nobody relies on its present value ({@link finalize}).
   */
  extensible(tensor: Tensor): Operation | undefined {
    return this.#final.has(tensor) || this.isRead(tensor) ? undefined : this.producer(tensor);
  }

  /** From here on `tensor` means what it means now: no operation takes anything over into it. */
  finalize(tensor: Tensor): void {
    this.#final.add(tensor);
  }

  /** Floats in one step's row of the metrics ring. */
  get metricsWidth(): number {
    return this.metrics.reduce((total, metric) => total + metric.replicas, 0);
  }

  /** Whether any recorded operation reads `tensor` (or memory it shares). */
  isRead(tensor: Tensor): boolean {
    return this.operations.some(({ reads }) => reads.some((read) => read.overlaps(tensor)));
  }
}
