/**
 * A program: a flat list of dispatches that forms a step, or a part of one, and is replayed many
 * times per command buffer. No step allocates, uploads or waits. Each chunk of steps has one upload
 * (the steps' scalars) and one readback (the steps' metrics).
 *
 * @module
 */
import type { Gpu } from "./device.ts";
import {
  directivesOf,
  type Job,
  type Kernel,
  type KernelCache,
  type KernelSpec,
  packJobs,
} from "./kernel.ts";
import { StepScalars } from "./step_scalars.ts";
import { worklistOf } from "./worklist.ts";

/** A dispatch: independent jobs of one kernel. */
export interface DispatchPlan {
  /** The kernel. */
  readonly kernel: KernelSpec;
  /** Its jobs. */
  readonly jobs: readonly Job[];
  /** The work it does, if known. */
  readonly work?: Work;
  /** Arena to bind, by the name in the shader. Names not listed are bound as they are. */
  readonly arenas?: Readonly<Record<string, string>>;
}

/** The work of a dispatch, independent of the kernel. */
export interface Work {
  /** Names of its operations. */
  readonly operations: readonly string[];
  /** Floating-point operations of its matrix products. */
  readonly flops: number;
  /** Bytes of the tensors that it reads and writes, each counted once. */
  readonly bytes: number;
}

/** The parts of a program. */
export interface ProgramPlan {
  /** The dispatches of a step, in order. */
  readonly dispatches: readonly DispatchPlan[];
  /** Sizes of the program's own arenas in bytes, by name. */
  readonly arenas: Readonly<Record<string, number>>;
  /**
   * Read-only buffers that outlive the program (the data set), by the name under which shaders bind
   * them.
   */
  readonly shared: Readonly<Record<string, GPUBuffer>>;
  /** Buffers that outlive the program and that it modifies (parameters), by name. */
  readonly state?: Readonly<Record<string, GPUBuffer>>;
  /** An owner of buffers that only this program uses. It is destroyed with the program. */
  readonly owned?: { readonly bytes: number; destroy(): void };
  /** Number of floats that each step writes to the metrics ring. */
  readonly metrics: number;
  /** Functions that compute the scalars of update k = 0, 1, … on the host in double precision. */
  readonly scalars: readonly ((update: number) => number)[];
  /** The program runs every `every` steps. Defaults to 1. */
  readonly every?: number;
  /** First step in which it runs, counted from 0. Defaults to 0. */
  readonly first?: number;
}

interface Dispatch {
  readonly kernel: Kernel;
  readonly bindings: GPUBindGroup;
  readonly x: number;
  readonly y: number;
}

/** A dispatch of a step and its time on the GPU. */
export interface DispatchTime {
  /** Name of its kernel. */
  readonly kernel: string;
  /** Directives the kernel was rendered with. */
  readonly directives: readonly string[];
  /** Number of jobs. */
  readonly jobs: number;
  /** Number of workgroups. */
  readonly workgroups: number;
  /** The work it does, if the plan specifies it. */
  readonly work: Work | undefined;
  /** Time in seconds from the start of the step to the start of the dispatch. */
  readonly start: number;
  /** Duration in seconds. */
  readonly seconds: number;
}

/** Maximum number of steps per chunk: rows of the scalars table and of the metrics ring. */
export const maxChunk = 512;
const warmUpMilliseconds = 1000;

/** A compiled step, or a part of one. It performs one update in each step in which it runs. */
export class Program {
  /** The program runs every `every` steps. */
  readonly every: number;
  /** First step in which it runs, counted from 0. */
  readonly first: number;
  readonly #gpu: Gpu;
  readonly #plan: ProgramPlan;
  readonly #buffers: Map<string, GPUBuffer>;
  readonly #owned: GPUBuffer[];
  readonly #dispatches: Dispatch[];
  readonly #scalars: StepScalars;
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
    this.#scalars = new StepScalars(gpu, kernels.stepLayout, plan.scalars, maxChunk);
    this.#staging = [];
  }

  /** Compiles the kernels of `plan` and allocates its arenas, zero-filled. */
  static async create(gpu: Gpu, kernels: KernelCache, plan: ProgramPlan): Promise<Program> {
    const compiled = await Promise.all(plan.dispatches.map(({ kernel }) => kernels.get(kernel)));
    const owned: GPUBuffer[] = [];
    try {
      return Program.#assemble(gpu, kernels, plan, compiled, owned);
    } catch (error) {
      for (const buffer of owned) buffer.destroy();
      throw error;
    }
  }

  /** Allocates the buffers of a plan, which it adds to `owned`, and binds them. */
  static #assemble(
    gpu: Gpu,
    kernels: KernelCache,
    plan: ProgramPlan,
    compiled: readonly Kernel[],
    owned: GPUBuffer[],
  ): Program {
    const buffers = new Map(Object.entries({ ...plan.shared, ...plan.state }));
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
      const table = (name: string, bytes: ArrayBuffer) => {
        const buffer = upload(gpu, `${kernel.name} ${name}`, bytes);
        owned.push(buffer);
        return buffer;
      };
      const tables = {
        worklist: table("worklist", worklist.buffer),
        jobs: table("jobs", packJobs(kernel, jobs)),
      };
      const entries = kernel.bindings.map(({ binding, name }) => {
        const buffer = name === "worklist" || name === "jobs"
          ? tables[name]
          : buffers.get(arenas?.[name] ?? name);
        if (!buffer) {
          throw new Error(`kernel "${kernel.name}" binds "${name}", but no buffer has that name`);
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

  /** Number of dispatches per step. */
  get dispatchesPerStep(): number {
    return this.#dispatches.length;
  }

  /** Names of the kernels of a step, in order. */
  get kernelNames(): string[] {
    return this.#dispatches.map(({ kernel }) => kernel.name);
  }

  /** GPU memory of this program in bytes, without the data set and a shared store. */
  get bytes(): number {
    return [...this.#owned, ...this.#staging].reduce(
      (total, buffer) => total + buffer.size,
      this.#scalars.bytes + (this.#plan.owned?.bytes ?? 0),
    );
  }

  /**
   * Planned GPU memory in bytes: the arenas and the metrics of a chunk. {@link bytes} also includes
   * the job tables, the steps' scalars and the readback buffers.
   */
  get plannedBytes(): number {
    const arenas = Object.values(this.#plan.arenas).reduce((total, size) => total + size, 0);
    return arenas + this.#plan.metrics * 4 * maxChunk + (this.#plan.owned?.bytes ?? 0);
  }

  /** Returns the number of updates in steps 0 … `step` − 1. */
  updatesBefore(step: number): number {
    return Math.max(0, Math.ceil((step - this.first) / this.every));
  }

  /** Whether the program runs in step `step`, counted from 0. */
  takesPartIn(step: number): boolean {
    return step >= this.first && (step - this.first) % this.every === 0;
  }

  /** Returns the size of an arena's buffer in bytes. */
  arenaBytes(arena: string): number {
    return this.#buffers.get(arena)!.size;
  }

  /**
   * Submits steps `first` … `first + count − 1`. Resolves with the metrics of the program's updates
   * in them, `[updates, plan.metrics]`, once they are computed. Awaiting the result blocks until
   * the queue is empty, so submit the next chunk first.
   *
   * @param count At most {@link maxChunk}.
   */
  async submit(first: number, count: number): Promise<Float32Array> {
    const [metrics] = await Program.submitTogether([this], first, count);
    return metrics!;
  }

  /**
   * Like {@linkcode submit}, for programs that together form a step. In every step, the programs
   * that are due run in the given order. All steps are one command buffer.
   *
   * @returns The metrics of each program.
   */
  static async submitTogether(
    programs: readonly Program[],
    first: number,
    count: number,
  ): Promise<Float32Array[]> {
    if (count < 1 || count > maxChunk) {
      throw new RangeError(
        `Program.submit: the number of steps must be from 1 to ${maxChunk}, got ${count}`,
      );
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
    gpu.submit(encoder.finish());
    const metrics = await Promise.all(readbacks.map((arrive) => arrive()));
    gpu.check();
    return metrics;
  }

  /** Encodes the dispatches of update `row` of the chunk. */
  #encode(pass: GPUComputePassEncoder, row: number): void {
    pass.setBindGroup(1, this.#scalars.group(row));
    for (const { kernel, bindings, x, y } of this.#dispatches) {
      pass.setPipeline(kernel.pipeline);
      pass.setBindGroup(0, bindings);
      pass.dispatchWorkgroups(x, y);
    }
  }

  /**
   * Encodes the readback of a chunk's metrics. Returns a function that waits for them; call it
   * once.
   */
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
   * Keeps the GPU busy for a second with replays, which change all state. An idle graphics card
   * runs at a fraction of its clock rate, and reaches the full rate only after it has been busy for
   * a while.
   */
  async warmUp(): Promise<void> {
    const { device } = this.#gpu;
    const end = performance.now() + warmUpMilliseconds;
    for (let replays = 1; performance.now() < end; replays = Math.min(2 * replays, maxChunk)) {
      const encoder = device.createCommandEncoder();
      const pass = encoder.beginComputePass();
      for (let replay = 0; replay < replays; replay++) this.#encode(pass, 0);
      pass.end();
      this.#gpu.submit(encoder.finish());
      await device.queue.onSubmittedWorkDone();
    }
  }

  /**
   * Times every dispatch on the GPU: the fastest of `rounds` replays of the first update in or
   * after step `step`, with one pass per dispatch. Restores all state afterwards.
   *
   * @param warm Whether to warm up the GPU first ({@linkcode warmUp}).
   *
   * @throws {Error} The adapter has no timestamp queries ({@link timed}).
   */
  async profile(step: number, rounds: number, warm = false): Promise<DispatchTime[]> {
    const device = this.#gpu.device;
    if (!this.timed) throw new Error(`${this.#gpu.adapter.name} has no timestamp queries`);
    const count = 2 * this.#dispatches.length;
    const querySet = device.createQuerySet({ type: "timestamp", count });
    // Each round's times start at a multiple of 256 bytes, as required of resolve offsets.
    const stride = Math.ceil((count * 8) / 256) * 256;
    const resolved = device.createBuffer({
      size: stride * rounds,
      usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC,
    });
    this.#uploadScalars(this.updatesBefore(step), 1);
    const arenas = Object.keys({ ...this.#plan.arenas, ...this.#plan.state })
      .map((name) => this.#buffers.get(name)!);
    const copies = arenas.map(({ label, size }) => this.#gpu.buffer(`copy of ${label}`, size));
    const copying = device.createCommandEncoder();
    arenas.forEach((arena, i) => copying.copyBufferToBuffer(arena, 0, copies[i]!, 0, arena.size));
    this.#gpu.submit(copying.finish());
    if (warm) await this.warmUp();
    const encoder = device.createCommandEncoder();
    for (let round = 0; round < rounds; round++) {
      this.#dispatches.forEach(({ kernel, bindings, x, y }, d) => {
        const pass = encoder.beginComputePass({
          timestampWrites: {
            querySet,
            beginningOfPassWriteIndex: 2 * d,
            endOfPassWriteIndex: 2 * d + 1,
          },
        });
        pass.setBindGroup(1, this.#scalars.group(0));
        pass.setPipeline(kernel.pipeline);
        pass.setBindGroup(0, bindings);
        pass.dispatchWorkgroups(x, y);
        pass.end();
      });
      encoder.resolveQuerySet(querySet, 0, count, resolved, round * stride);
    }
    arenas.forEach((arena, i) => encoder.copyBufferToBuffer(copies[i]!, 0, arena, 0, arena.size));
    this.#gpu.submit(encoder.finish());
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

  /** The dispatches of a step, in order, without their times. */
  get dispatches(): Omit<DispatchTime, "start" | "seconds">[] {
    return this.#plan.dispatches.map(({ kernel, jobs, work }) => ({
      kernel: kernel.name,
      directives: directivesOf(kernel),
      jobs: jobs.length,
      workgroups: jobs.reduce((total, job) => total + job.tiles, 0),
      work,
    }));
  }

  /** Writes floats to an arena, starting at float `offset`. */
  write(arena: string, offset: number, values: Float32Array): void {
    this.#gpu.writeFloats(this.#buffers.get(arena)!, offset, values);
  }

  /** Reads `length` floats of an arena, starting at float `offset`. It waits for the queue. */
  read(arena: string, offset: number, length: number): Promise<Float32Array> {
    return this.#gpu.readFloats(this.#buffers.get(arena)!, offset, length);
  }

  /** Frees the program's GPU memory, but not that of a shared store. */
  destroy(): void {
    this.#plan.owned?.destroy();
    for (const buffer of [...this.#owned, ...this.#staging, this.#scalars]) buffer.destroy();
  }

  /** Uploads the scalars of `count` updates. */
  #uploadScalars(before: number, count: number): void {
    this.#scalars.upload(before, count, (update) => this.first + update * this.every);
  }
}

function upload(gpu: Gpu, label: string, bytes: ArrayBuffer): GPUBuffer {
  const buffer = gpu.buffer(label, bytes.byteLength);
  gpu.device.queue.writeBuffer(buffer, 0, bytes);
  return buffer;
}
