/**
 * A program: a flat list of dispatches that is one step or a part of one, replayed many times in a
 * command buffer. Nothing is allocated, uploaded or awaited per step; per chunk of steps there is one
 * upload (the steps' scalars) and one readback (the steps' metrics).
 *
 * @module
 */
import type { Gpu } from "./device.ts";
import { type Job, type Kernel, type KernelCache, type KernelSpec, packJobs } from "./kernel.ts";

/** One dispatch: independent jobs of one kernel. */
export interface DispatchPlan {
  /** The kernel. */
  readonly kernel: KernelSpec;
  /** Its pieces of work. */
  readonly jobs: readonly Job[];
  /** What it is to compute; absent where nobody asks. */
  readonly work?: Work;
  /** Which of the arenas stands behind a name that the shader binds; others are bound as named. */
  readonly arenas?: Readonly<Record<string, string>>;
}

/** What a dispatch has to do, whatever kernel does it. */
export interface Work {
  /** Names of its operations. */
  readonly operations: readonly string[];
  /** Additions and multiplications of its matrix products. */
  readonly flops: number;
  /** Bytes of the tensors it reads and writes, each counted once. */
  readonly bytes: number;
}

/** Everything a program is made of. */
export interface ProgramPlan {
  /** The dispatches of a step, in order. */
  readonly dispatches: readonly DispatchPlan[];
  /** Sizes of the program's own arenas in bytes, by name. */
  readonly arenas: Readonly<Record<string, number>>;
  /** Buffers that outlive the program (the data set), by the name shaders bind them under. */
  readonly shared: Readonly<Record<string, GPUBuffer>>;
  /** Buffers that outlive the program and that it changes (parameters), by name. */
  readonly state?: Readonly<Record<string, GPUBuffer>>;
  /** What holds buffers for this program alone, and is freed with it. */
  readonly owned?: { readonly bytes: number; destroy(): void };
  /** Floats each step writes into the metrics ring. */
  readonly metrics: number;
  /** Scalars of update k = 0, 1, …, computed by the host in double precision. */
  readonly scalars: readonly ((update: number) => number)[];
  /** Steps from one that the program takes part in to the next: 1 by default. */
  readonly every?: number;
  /** The first step that it takes part in, counted from 0: 0 by default. */
  readonly first?: number;
}

interface Dispatch {
  readonly kernel: Kernel;
  readonly bindings: GPUBindGroup;
  readonly x: number;
  readonly y: number;
}

/** One dispatch of a step, and the time it took on the GPU. */
export interface DispatchTime {
  /** Name of its kernel. */
  readonly kernel: string;
  /** Directives the kernel was rendered with. */
  readonly directives: readonly string[];
  /** Pieces of work in it. */
  readonly jobs: number;
  /** Workgroups it takes. */
  readonly workgroups: number;
  /** What it has to do, where the plan says so. */
  readonly work: Work | undefined;
  /** Seconds from the beginning of the step, and how long it took. */
  readonly start: number;
  /** How long it took, in seconds. */
  readonly seconds: number;
}

/** Most steps one chunk may hold: rows of the scalars table and of the metrics ring. */
export const maxChunk = 512;
const workgroupsPerRow = 65535;

// One row of the scalars table, as `struct Step` in shaders/step.wgsl declares it.
const scalarStride = 256;
const scalarStart = 16;
const maxScalars = (scalarStride - scalarStart) / 4;

/** A compiled step, or a part of one. Its updates are the steps that it takes part in. */
export class Program {
  /** Steps from one that the program takes part in to the next. */
  readonly every: number;
  /** The first step that it takes part in, counted from 0. */
  readonly first: number;
  readonly #gpu: Gpu;
  readonly #plan: ProgramPlan;
  readonly #buffers: Map<string, GPUBuffer>;
  readonly #owned: GPUBuffer[];
  readonly #dispatches: Dispatch[];
  readonly #scalars: GPUBuffer;
  readonly #stepGroup: GPUBindGroup;
  readonly #staging: GPUBuffer[];

  private constructor(
    gpu: Gpu,
    plan: ProgramPlan,
    buffers: Map<string, GPUBuffer>,
    owned: GPUBuffer[],
    dispatches: Dispatch[],
    kernels: KernelCache,
  ) {
    this.#gpu = gpu;
    this.#plan = plan;
    this.every = plan.every ?? 1;
    this.first = plan.first ?? 0;
    this.#buffers = buffers;
    this.#owned = owned;
    this.#dispatches = dispatches;
    if (plan.scalars.length > maxScalars) {
      throw new Error(`Program: ${plan.scalars.length} scalars a step, at most ${maxScalars} fit`);
    }
    this.#scalars = gpu.device.createBuffer({
      label: "step scalars",
      size: scalarStride * maxChunk,
      usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST,
    });
    this.#stepGroup = gpu.device.createBindGroup({
      layout: kernels.stepLayout,
      entries: [{ binding: 0, resource: { buffer: this.#scalars, size: scalarStride } }],
    });
    this.#staging = [];
  }

  /** Compiles the kernels of `plan` and allocates its arenas, zero-filled. */
  static async create(gpu: Gpu, kernels: KernelCache, plan: ProgramPlan): Promise<Program> {
    const compiled = await Promise.all(plan.dispatches.map(({ kernel }) => kernels.get(kernel)));
    const buffers = new Map(Object.entries({ ...plan.shared, ...plan.state }));
    const owned: GPUBuffer[] = [];
    for (
      const [name, size] of Object.entries({ ...plan.arenas, metrics: plan.metrics * 4 * maxChunk })
    ) {
      const buffer = gpu.buffer(name, size);
      buffers.set(name, buffer);
      owned.push(buffer);
    }
    const dispatches = plan.dispatches.map(({ jobs, arenas }, d) => {
      const kernel = compiled[d]!;
      const { worklist, x, y } = worklistOf(jobs);
      const tables = {
        worklist: upload(gpu, `${kernel.name} worklist`, worklist.buffer),
        jobs: upload(gpu, `${kernel.name} jobs`, packJobs(kernel, jobs)),
      };
      owned.push(...Object.values(tables));
      const entries = kernel.bindings.map(({ binding, name }) => {
        const buffer = name === "worklist" || name === "jobs"
          ? tables[name]
          : buffers.get(arenas?.[name] ?? name);
        if (!buffer) {
          throw new Error(`kernel "${kernel.name}" binds "${name}", which nothing provides`);
        }
        return { binding, resource: { buffer } };
      });
      return {
        kernel,
        bindings: gpu.device.createBindGroup({ layout: kernel.layout, entries }),
        x,
        y,
      };
    });
    gpu.check();
    return new Program(gpu, plan, buffers, owned, dispatches, kernels);
  }

  /** Dispatches of one step. */
  get dispatchesPerStep(): number {
    return this.#dispatches.length;
  }

  /** Names of the kernels of one step, in order. */
  get kernelNames(): string[] {
    return this.#dispatches.map(({ kernel }) => kernel.name);
  }

  /** Bytes of GPU memory this program holds (the data set and a common store are not its own). */
  get bytes(): number {
    return [...this.#owned, ...this.#staging].reduce(
      (total, buffer) => total + buffer.size,
      this.#scalars.size + (this.#plan.owned?.bytes ?? 0),
    );
  }

  /**
   * Bytes of GPU memory the compiler planned: the arenas and the metrics of a chunk. What
   * {@link bytes} has beyond are the tables of the jobs, the steps' scalars and the readback.
   */
  get plannedBytes(): number {
    const arenas = Object.values(this.#plan.arenas).reduce((total, size) => total + size, 0);
    return arenas + this.#plan.metrics * 4 * maxChunk + (this.#plan.owned?.bytes ?? 0);
  }

  /** Updates that the program makes in steps 0 … `step` − 1. */
  updatesBefore(step: number): number {
    return Math.max(0, Math.ceil((step - this.first) / this.every));
  }

  /** Whether step `step`, counted from 0, is one that the program takes part in. */
  takesPartIn(step: number): boolean {
    return step >= this.first && (step - this.first) % this.every === 0;
  }

  /** Bytes of an arena's buffer. */
  arenaBytes(arena: string): number {
    return this.#buffers.get(arena)!.size;
  }

  /**
   * Submits steps `first` … `first + count − 1` and resolves with the metrics of the program's updates
   * among them, `[updates, plan.metrics]`, once they are computed. Awaiting blocks until the queue is
   * empty: submit the next chunk before awaiting this one.
   *
   * @param count At most {@link maxChunk}.
   */
  async submit(first: number, count: number): Promise<Float32Array> {
    const [metrics] = await Program.submitTogether([this], first, count);
    return metrics!;
  }

  /**
   * The same for programs that make up a step together: in every step, those that take part in it run
   * one after another, in the given order. All of it is one command buffer.
   *
   * @returns The metrics of each program.
   */
  static async submitTogether(
    programs: readonly Program[],
    first: number,
    count: number,
  ): Promise<Float32Array[]> {
    if (count < 1 || count > maxChunk) {
      throw new RangeError(`Program.submit: 1 to ${maxChunk} steps at a time, got ${count}`);
    }
    const gpu = programs[0]!.#gpu;
    const parts = programs.map((program) => {
      const before = program.updatesBefore(first);
      const updates = program.updatesBefore(first + count) - before;
      program.#uploadScalars(before, updates);
      return { program, before, updates };
    });
    const encoder = gpu.device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    for (let step = first; step < first + count; step++) {
      for (const { program, before } of parts) {
        if (program.takesPartIn(step)) program.#encode(pass, program.updatesBefore(step) - before);
      }
    }
    pass.end();
    const readbacks = parts.map(({ program, updates }) => program.#readback(encoder, updates));
    gpu.device.queue.submit([encoder.finish()]);
    const metrics = await Promise.all(readbacks.map((arrive) => arrive()));
    gpu.check();
    return metrics;
  }

  /** Encodes the dispatches of the chunk's update `row`. */
  #encode(pass: GPUComputePassEncoder, row: number): void {
    pass.setBindGroup(1, this.#stepGroup, [row * scalarStride]);
    for (const { kernel, bindings, x, y } of this.#dispatches) {
      pass.setPipeline(kernel.pipeline);
      pass.setBindGroup(0, bindings);
      pass.dispatchWorkgroups(x, y);
    }
  }

  /** Encodes the readback of a chunk's metrics; returns what waits for them, to be called once. */
  #readback(encoder: GPUCommandEncoder, updates: number): () => Promise<Float32Array> {
    const { metrics: width } = this.#plan;
    const size = Math.max(4, updates * width * 4);
    const staging = this.#staging.pop() ?? this.#gpu.device.createBuffer({
      label: "metrics staging",
      size: Math.max(4, maxChunk * width * 4),
      usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
    });
    encoder.copyBufferToBuffer(this.#buffers.get("metrics")!, 0, staging, 0, size);
    return async () => {
      await this.#gpu.map(staging, size);
      const metrics = new Float32Array(staging.getMappedRange(0, size).slice(0));
      staging.unmap();
      this.#staging.push(staging);
      return metrics.subarray(0, updates * width);
    };
  }

  /** Whether the adapter can time dispatches. */
  get timed(): boolean {
    return this.#gpu.device.features.has("timestamp-query");
  }

  /**
   * Times every dispatch on the GPU: the fastest of `rounds` replays of the program's first update in
   * or after step `step`, each dispatch in a pass of its own. Whatever it changes is put back afterwards.
   *
   * @throws {Error} Where the adapter has no timestamp queries ({@link timed}).
   */
  async profile(step: number, rounds: number): Promise<DispatchTime[]> {
    const device = this.#gpu.device;
    if (!this.timed) throw new Error(`${this.#gpu.adapter.name} has no timestamp queries`);
    const count = 2 * this.#dispatches.length;
    const querySet = device.createQuerySet({ type: "timestamp", count });
    // Each round's times start where an offset may lie.
    const stride = Math.ceil((count * 8) / 256) * 256;
    const resolved = device.createBuffer({
      size: stride * rounds,
      usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC,
    });
    this.#uploadScalars(this.updatesBefore(step), 1);
    const encoder = device.createCommandEncoder();
    const arenas = Object.keys({ ...this.#plan.arenas, ...this.#plan.state })
      .map((name) => this.#buffers.get(name)!);
    const copies = arenas.map(({ label, size }) => this.#gpu.buffer(`copy of ${label}`, size));
    arenas.forEach((arena, i) => encoder.copyBufferToBuffer(arena, 0, copies[i]!, 0, arena.size));
    for (let round = 0; round < rounds; round++) {
      this.#dispatches.forEach(({ kernel, bindings, x, y }, d) => {
        const pass = encoder.beginComputePass({
          timestampWrites: {
            querySet,
            beginningOfPassWriteIndex: 2 * d,
            endOfPassWriteIndex: 2 * d + 1,
          },
        });
        pass.setBindGroup(1, this.#stepGroup, [0]);
        pass.setPipeline(kernel.pipeline);
        pass.setBindGroup(0, bindings);
        pass.dispatchWorkgroups(x, y);
        pass.end();
      });
      encoder.resolveQuerySet(querySet, 0, count, resolved, round * stride);
    }
    arenas.forEach((arena, i) => encoder.copyBufferToBuffer(copies[i]!, 0, arena, 0, arena.size));
    device.queue.submit([encoder.finish()]);
    const bytes = await this.#gpu.read(resolved, 0, stride * rounds);
    querySet.destroy();
    for (const buffer of [resolved, ...copies]) buffer.destroy();
    const replays = Array.from(
      { length: rounds },
      (_, round) => new BigUint64Array(bytes, round * stride, count),
    );
    const total = (times: BigUint64Array) => times[count - 1]! - times[0]!;
    const fastest = replays.reduce((a, b) => total(b) < total(a) ? b : a);
    const seconds = (from: number, to: number) => Number(fastest[to]! - fastest[from]!) * 1e-9;
    return this.dispatches.map((dispatch, d) => ({
      ...dispatch,
      start: seconds(0, 2 * d),
      seconds: seconds(2 * d, 2 * d + 1),
    }));
  }

  /** The dispatches of one step, in order, without their times. */
  get dispatches(): Omit<DispatchTime, "start" | "seconds">[] {
    return this.#plan.dispatches.map(({ kernel, jobs, work }) => ({
      kernel: kernel.name,
      directives: kernel.directives ?? [],
      jobs: jobs.length,
      workgroups: jobs.reduce((total, job) => total + job.tiles, 0),
      work,
    }));
  }

  /** Writes floats into an arena, `offset` floats from its start. */
  write(arena: string, offset: number, values: Float32Array): void {
    this.#gpu.writeFloats(this.#buffers.get(arena)!, offset, values);
  }

  /** Reads `length` floats of an arena. Waits for the queue. */
  read(arena: string, offset: number, length: number): Promise<Float32Array> {
    return this.#gpu.readFloats(this.#buffers.get(arena)!, offset, length);
  }

  /** Frees the program's GPU memory. What lies in a common store stays. */
  destroy(): void {
    this.#plan.owned?.destroy();
    for (const buffer of [...this.#owned, ...this.#staging, this.#scalars]) buffer.destroy();
  }

  /** Row i, of update `before + i`: its step, its row in the metrics ring, then its scalars. */
  #uploadScalars(before: number, count: number): void {
    if (count === 0) return;
    const bytes = new ArrayBuffer(count * scalarStride);
    for (let i = 0; i < count; i++) {
      const start = i * scalarStride;
      const update = before + i;
      new Uint32Array(bytes, start, 2).set([this.first + update * this.every, i]);
      const row = new Float32Array(bytes, start + scalarStart, this.#plan.scalars.length);
      this.#plan.scalars.forEach((scalar, s) => row[s] = scalar(update));
    }
    this.#gpu.device.queue.writeBuffer(this.#scalars, 0, bytes);
  }
}

/**
 * The worklist of a dispatch, pairs (job, tile), and its workgroups along x and y. Where the entries
 * do not fill the rows of workgroups, the rest name a tile past the last job's end, which every kernel
 * leaves alone.
 */
export function worklistOf(
  jobs: readonly Job[],
): { worklist: Uint32Array<ArrayBuffer>; x: number; y: number } {
  const entries = jobs.reduce((total, job) => total + job.tiles, 0);
  const x = Math.min(entries, workgroupsPerRow);
  const y = Math.ceil(entries / workgroupsPerRow);
  const worklist = new Uint32Array(2 * x * y);
  let entry = 0;
  jobs.forEach(({ tiles }, job) => {
    for (let tile = 0; tile < tiles; tile++) {
      worklist[entry++] = job;
      worklist[entry++] = tile;
    }
  });
  while (entry < worklist.length) {
    worklist[entry++] = jobs.length - 1;
    worklist[entry++] = jobs.at(-1)!.tiles;
  }
  return { worklist, x, y };
}

function upload(gpu: Gpu, label: string, bytes: ArrayBuffer): GPUBuffer {
  const buffer = gpu.buffer(label, bytes.byteLength);
  gpu.device.queue.writeBuffer(buffer, 0, bytes);
  return buffer;
}
