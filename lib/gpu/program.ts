/**
 * A program: a flat list of dispatches that is one step, replayed many times in a command buffer.
 * Nothing is allocated, uploaded or awaited per step; per chunk of steps there is one upload (the
 * steps' scalars) and one readback (the steps' metrics).
 *
 * @module
 */
import type { Gpu } from "./device.ts";
import { type Job, type Kernel, type KernelCache, type KernelSpec, packJobs } from "./kernel.ts";

/** One dispatch: independent jobs of one kernel. */
export interface DispatchPlan {
  readonly kernel: KernelSpec;
  readonly jobs: readonly Job[];
}

/** Everything a program is made of. */
export interface ProgramPlan {
  readonly dispatches: readonly DispatchPlan[];
  /** Sizes of the program's own arenas in bytes, by the name shaders bind them under. */
  readonly arenas: Readonly<Record<string, number>>;
  /** Buffers that outlive the program (the data set), by the name shaders bind them under. */
  readonly shared: Readonly<Record<string, GPUBuffer>>;
  /** Floats each step writes into the metrics ring. */
  readonly metrics: number;
  /** Scalars of a step, computed by the host in double precision from the step's number. */
  readonly scalars: readonly ((step: number) => number)[];
}

interface Dispatch {
  readonly kernel: Kernel;
  readonly bindings: GPUBindGroup;
  readonly x: number;
  readonly y: number;
}

/** Most steps one chunk may hold: rows of the scalars table and of the metrics ring. */
export const maxChunk = 512;
const workgroupsPerRow = 65535;

// One row of the scalars table, as `struct Step` in shaders/step.wgsl declares it.
const scalarStride = 256;
const scalarStart = 16;
const maxScalars = (scalarStride - scalarStart) / 4;

/** A compiled step. */
export class Program {
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
    const buffers = new Map(Object.entries(plan.shared));
    const owned: GPUBuffer[] = [];
    for (
      const [name, size] of Object.entries({ ...plan.arenas, metrics: plan.metrics * 4 * maxChunk })
    ) {
      const buffer = gpu.buffer(name, size);
      buffers.set(name, buffer);
      owned.push(buffer);
    }
    const dispatches = plan.dispatches.map(({ jobs }, d) => {
      const kernel = compiled[d]!;
      const worklist = worklistOf(jobs);
      const tables = {
        worklist: upload(gpu, `${kernel.name} worklist`, worklist.buffer),
        jobs: upload(gpu, `${kernel.name} jobs`, packJobs(kernel, jobs)),
      };
      owned.push(...Object.values(tables));
      const entries = kernel.bindings.map(({ binding, name }) => {
        const buffer = name === "worklist" || name === "jobs" ? tables[name] : buffers.get(name);
        if (!buffer) {
          throw new Error(`kernel "${kernel.name}" binds "${name}", which nothing provides`);
        }
        return { binding, resource: { buffer } };
      });
      const workgroups = worklist.length / 2;
      return {
        kernel,
        bindings: gpu.device.createBindGroup({ layout: kernel.layout, entries }),
        x: Math.min(workgroups, workgroupsPerRow),
        y: Math.ceil(workgroups / workgroupsPerRow),
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

  /** Bytes of GPU memory this program holds (the shared buffers are not its own). */
  get bytes(): number {
    return this.#owned.reduce((total, buffer) => total + buffer.size, this.#scalars.size);
  }

  /**
   * Submits steps `first` … `first + count − 1` and resolves with their metrics,
   * `[count, plan.metrics]`, once they are computed. Awaiting blocks until the queue is empty: submit
   * the next chunk before awaiting this one.
   *
   * @param count At most {@link maxChunk}.
   */
  async submit(first: number, count: number): Promise<Float32Array> {
    if (count < 1 || count > maxChunk) {
      throw new RangeError(`Program.submit: 1 to ${maxChunk} steps at a time, got ${count}`);
    }
    const device = this.#gpu.device;
    this.#uploadScalars(first, count);
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    for (let i = 0; i < count; i++) {
      pass.setBindGroup(1, this.#stepGroup, [i * scalarStride]);
      for (const { kernel, bindings, x, y } of this.#dispatches) {
        pass.setPipeline(kernel.pipeline);
        pass.setBindGroup(0, bindings);
        pass.dispatchWorkgroups(x, y);
      }
    }
    pass.end();
    const size = Math.max(4, count * this.#plan.metrics * 4);
    const staging = this.#staging.pop() ?? device.createBuffer({
      label: "metrics staging",
      size: Math.max(4, maxChunk * this.#plan.metrics * 4),
      usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
    });
    encoder.copyBufferToBuffer(this.#buffers.get("metrics")!, 0, staging, 0, size);
    device.queue.submit([encoder.finish()]);
    await staging.mapAsync(GPUMapMode.READ, 0, size);
    const metrics = new Float32Array(staging.getMappedRange(0, size).slice(0));
    staging.unmap();
    this.#staging.push(staging);
    this.#gpu.check();
    return metrics.subarray(0, count * this.#plan.metrics);
  }

  /** Writes floats into an arena, `offset` floats from its start. */
  write(arena: string, offset: number, values: Float32Array): void {
    this.#gpu.device.queue.writeBuffer(
      this.#buffers.get(arena)!,
      offset * 4,
      values as Float32Array<ArrayBuffer>,
    );
  }

  /** Reads `length` floats of an arena. Waits for the queue. */
  async read(arena: string, offset: number, length: number): Promise<Float32Array> {
    return new Float32Array(
      await this.#gpu.read(this.#buffers.get(arena)!, offset * 4, length * 4),
    );
  }

  /** Frees the program's GPU memory. */
  destroy(): void {
    for (const buffer of [...this.#owned, ...this.#staging, this.#scalars]) buffer.destroy();
  }

  /** Row i: the step's number, its row in the metrics ring, then its scalars. */
  #uploadScalars(first: number, count: number): void {
    const bytes = new ArrayBuffer(count * scalarStride);
    for (let i = 0; i < count; i++) {
      const start = i * scalarStride;
      new Uint32Array(bytes, start, 2).set([first + i, i]);
      const row = new Float32Array(bytes, start + scalarStart, this.#plan.scalars.length);
      this.#plan.scalars.forEach((scalar, s) => row[s] = scalar(first + i));
    }
    this.#gpu.device.queue.writeBuffer(this.#scalars, 0, bytes);
  }
}

function worklistOf(jobs: readonly Job[]): Uint32Array<ArrayBuffer> {
  const worklist = new Uint32Array(2 * jobs.reduce((total, job) => total + job.tiles, 0));
  let entry = 0;
  jobs.forEach(({ tiles }, job) => {
    for (let tile = 0; tile < tiles; tile++) {
      worklist[entry++] = job;
      worklist[entry++] = tile;
    }
  });
  return worklist;
}

function upload(gpu: Gpu, label: string, bytes: ArrayBuffer): GPUBuffer {
  const buffer = gpu.buffer(label, bytes.byteLength);
  gpu.device.queue.writeBuffer(buffer, 0, bytes);
  return buffer;
}
