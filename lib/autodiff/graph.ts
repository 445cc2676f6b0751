/**
 * The graph: the description of a training step. Operations are recorded in execution order; the
 * scheduler may run independent ones in one dispatch. Differentiation records further operations.
 *
 * @module
 */
import type { Job, KernelSpec } from "../gpu/kernel.ts";
import type { Target } from "../gpu/target.ts";
import type { OperationName } from "./operations.ts";
import { ParameterStore } from "./parameter_store.ts";
import { activationStride, padded, type Storage, Tensor } from "./tensor.ts";

/** A recorded operation. Its kernel and jobs are requested when the graph is compiled. */
export interface Operation {
  /** Name of the operation. */
  readonly name: OperationName;
  /** Tensors that a gradient can flow to. */
  readonly inputs: readonly Tensor[];
  /** All tensors that it reads. A tensor that it updates is in `reads` and in `writes`. */
  readonly reads: Tensor[];
  /**
   * Those of `reads` that its kernel reads from the parameters. All others must be activations.
   * Defaults to none.
   */
  readonly parameters?: readonly Tensor[];
  /** All tensors that it writes, its output first. */
  readonly writes: readonly Tensor[];
  /** Floating-point operations of its matrix product, if it is one. */
  readonly flops?: number;
  /**
   * Returns the kernel, or null for an operation that only names memory (a concatenation in place).
   */
  kernel(target: Target): KernelSpec | null;
  /** Returns one or more jobs per replica. Called once every tensor has its place. */
  jobs(kernel: KernelSpec): Job[];
  /**
   * Records the gradient. Given the gradient of the output, returns those of the `wanted` inputs.
   * Absent if the operation is not differentiable.
   */
  gradient?(upstream: Tensor, wanted: readonly boolean[]): (Tensor | null)[];
  /** Merges the addition of a tensor to the output into this operation; false if it cannot. */
  absorbAddend?(addend: Tensor): boolean;
  /**
   * Merges the multiplication of the output by an activation's derivative into this operation;
   * false if it cannot.
   */
  absorbDerivative?(activation: "relu" | "tanh" | "mish" | "softplus", saved: Tensor): boolean;
  /** Merges an optimizer step with the computed gradients into this operation. */
  absorbUpdate?(update: ParameterUpdate): void;
}

/** An optimizer step that a kernel applies as soon as it has computed a gradient. */
export interface ParameterUpdate {
  /** WGSL with a function `update(job, i, gradient)` and the declarations it needs. */
  readonly source: string;
  /** Job fields that the function reads. */
  readonly fields: (job: number, jobs: number) => Record<string, number>;
  /** Tensors that it reads and writes. */
  readonly touched: readonly Tensor[];
}

/** A number reported every step, one per replica. */
export interface Metric {
  /** Name in the report. */
  readonly name: string;
  /** Number of replicas, each with one value. */
  readonly replicas: number;
  /** Index of the first replica in a row of the metrics ring. */
  readonly index: number;
}

/** A scalar to minimize. Its operation computes the gradients together with the value. */
export interface Loss {
  /** The reported value. */
  readonly metric: Metric;
  /** Gradients of the loss, by the tensor they are with respect to. */
  readonly gradients: ReadonlyMap<Tensor, Tensor>;
}

/** Options of a graph. */
export interface GraphOptions {
  /** Seed of each replica of the run. */
  readonly seeds: readonly number[];
  /** Store of its networks. Defaults to a store of its own, which is freed with the program. */
  readonly store?: ParameterStore;
  /** The graph runs every `every` steps. Defaults to 1. */
  readonly every?: number;
  /** First step in which it runs, counted from 0. Defaults to `every - 1`. */
  readonly first?: number;
}

/** A training step, or a part of one, under construction. */
export class Graph {
  /** Seed of each replica of the run. A replica's random numbers depend only on its seed. */
  readonly seeds: readonly number[];
  /** Store of its networks. */
  readonly store: ParameterStore;
  /** Whether the graph created the store. It is then freed with the graph's program. */
  readonly ownsStore: boolean;
  /** The graph runs every `every` steps. */
  readonly every: number;
  /** First step in which it runs, counted from 0. */
  readonly first: number;
  /** Recorded operations, in order. */
  readonly operations: Operation[] = [];
  /** Metrics that each step reports. */
  readonly metrics: Metric[] = [];
  /** Scalars that the host computes for each update. */
  readonly scalars: ((update: number) => number)[] = [];
  /** Buffers that outlive the program, by the name under which shaders bind them. */
  readonly shared: Record<string, GPUBuffer> = {};
  /** Storages that keep their contents between steps, in order of creation. */
  readonly persistent: Storage[] = [];
  /** Inputs that are written once, when the graph is compiled. */
  readonly constants: { readonly tensor: Tensor; readonly values: Float32Array }[] = [];
  /** Losses whose gradients have been recorded. */
  readonly differentiated: Set<Loss> = new Set();
  readonly #producer = new Map<Tensor, Operation>();
  readonly #final = new Set<Tensor>();

  /** Creates an empty graph for the given seeds, one replica per seed. */
  constructor({ seeds, store, every = 1, first = every - 1 }: GraphOptions) {
    if (seeds.length === 0) throw new Error("Graph: at least one seed is required");
    const invalid = seeds.find((seed) => seed >>> 0 !== seed);
    if (invalid !== undefined) {
      throw new Error(`Graph: a seed must be an integer from 0 to 2^32 - 1, got ${invalid}`);
    }
    if (store && store.replicas !== seeds.length) {
      throw new Error(
        `Graph: got ${seeds.length} seeds, but the store has ${store.replicas} replicas`,
      );
    }
    if (!Number.isInteger(every) || every < 1 || !Number.isInteger(first) || first < 0) {
      throw new Error(
        `Graph: every must be an integer ≥ 1 and first an integer ≥ 0, got ${every} and ${first}`,
      );
    }
    this.seeds = seeds;
    this.store = store ?? new ParameterStore(seeds.length);
    this.ownsStore = store === undefined;
    this.every = every;
    this.first = first;
  }

  /** Number of replicas of the run (one per seed). A network family may have a multiple of it. */
  get replicas(): number {
    return this.seeds.length;
  }

  /** Returns the seed of job `job` of an operation on `jobs` replicas. */
  seed(job: number, jobs: number): number {
    return this.seeds[this.replicaOf(job, jobs)]!;
  }

  /** Returns the replica of the run that job `job` of an operation on `jobs` replicas serves. */
  replicaOf(job: number, jobs: number): number {
    return Math.floor((job * this.replicas) / jobs);
  }

  /**
   * Creates a tensor `[replicas, rows, columns]` that the host writes. It keeps its contents
   * between steps.
   */
  input(rows: number, columns: number, replicas: number = this.replicas): Tensor {
    const rowStride = activationStride(rows, padded(columns));
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

  /** Creates a tensor filled with one number, or with one number per replica. */
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

  /** Creates a tensor with the same entries `[rows, columns]`, row-major, in every replica. */
  table(rows: number, columns: number, entries: ArrayLike<number>): Tensor {
    const size = rows * columns;
    if (entries.length !== size) {
      throw new Error(
        `Graph.table: [${rows}, ${columns}] needs ${size} entries, got ${entries.length}`,
      );
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

  /** Creates a storage of the program whose contents outlive the step. */
  persist(
    shape: Pick<Storage, "replicaSize" | "replicas" | "sharing"> & { arena: "activations" },
  ): Storage {
    const storage: Storage = { ...shape, persistent: true, offset: undefined, slices: 1 };
    this.persistent.push(storage);
    return storage;
  }

  /** Adds a number that each step reports, one per replica. */
  metric(name: string, replicas: number = this.replicas): Metric {
    const metric = { name, replicas, index: this.metricsWidth };
    this.metrics.push(metric);
    return metric;
  }

  /**
   * Adds a scalar that the host computes for update k = 0, 1, … of this graph, which is step `first
   * + k every` of the run. Returns its index for the shader.
   */
  scalar(value: (update: number) => number): number {
    return this.scalars.push(value) - 1;
  }

  /**
   * Records an operation.
   *
   * @throws {Error} It reads a parameter where its kernel reads activations, or the reverse.
   */
  record<T extends Operation>(operation: T): T {
    const { name, reads, parameters = [] } = operation;
    // A tensor may be given twice, once where the kernel reads activations.
    const unseen = [...parameters];
    for (const tensor of reads) {
      const place = unseen.indexOf(tensor);
      if (place >= 0) unseen.splice(place, 1);
      const expected = place >= 0 ? "parameters" : "activations";
      if (tensor.storage.arena === expected) continue;
      throw new Error(
        expected === "parameters"
          ? `${name}: ${tensor} must be a parameter, but it is an input or computed`
          : `${name}: ${tensor} is a parameter; broadcast it first (an operation of your own that ` +
            "reads parameters lists them in `parameters`)",
      );
    }
    this.operations.push(operation);
    for (const tensor of operation.writes) this.#producer.set(tensor, operation);
    return operation;
  }

  /** Returns the operation that computes `tensor`, if any. */
  producer(tensor: Tensor): Operation | undefined {
    return this.#producer.get(tensor);
  }

  /**
   * Returns the operation that computes `tensor` if a following operation may still be merged into
   * it: nothing reads the tensor yet, and nothing relies on its present value ({@link finalize}).
   */
  extensible(tensor: Tensor): Operation | undefined {
    return this.#final.has(tensor) || this.isRead(tensor) ? undefined : this.producer(tensor);
  }

  /**
   * Fixes the value of `tensor`: no further operation may be merged into the one that computes it.
   */
  finalize(tensor: Tensor): void {
    this.#final.add(tensor);
  }

  /** Number of floats in a step's row of the metrics ring. */
  get metricsWidth(): number {
    return this.metrics.reduce((total, metric) => total + metric.replicas, 0);
  }

  /** Whether any recorded operation reads `tensor` or memory that overlaps it. */
  isRead(tensor: Tensor): boolean {
    return this.operations.some(({ reads }) => reads.some((read) => read.overlaps(tensor)));
  }
}
