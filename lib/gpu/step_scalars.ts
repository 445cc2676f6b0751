/**
 * The scalars of the steps of a chunk, such as learning rates and bias corrections. The host
 * computes them in double precision and uploads one row per step, which shaders bind as `step_`
 * (shaders/step.wgsl).
 *
 * @module
 */
import type { Gpu } from "./device.ts";

// Bytes of a row, and of what precedes its scalars; see `struct Step`.
const rowBytes = 256;
const headerBytes = 16;
const maxScalars = (rowBytes - headerBytes) / 4;

/** The table of a program's scalars. */
export class StepScalars {
  readonly #gpu: Gpu;
  readonly #layout: GPUBindGroupLayout;
  readonly #functions: readonly ((update: number) => number)[];
  readonly #buffer: GPUBuffer;
  /** Bind groups of the rows, made when a row is first used. */
  readonly #groups: GPUBindGroup[] = [];

  /**
   * @param layout Layout of group 1.
   * @param functions Functions that compute the scalars of update k = 0, 1, …
   * @param rows Maximum number of steps per chunk.
   */
  constructor(
    gpu: Gpu,
    layout: GPUBindGroupLayout,
    functions: readonly ((update: number) => number)[],
    rows: number,
  ) {
    if (functions.length > maxScalars) {
      throw new Error(
        `StepScalars: at most ${maxScalars} scalars per step, got ${functions.length}`,
      );
    }
    this.#gpu = gpu;
    this.#layout = layout;
    this.#functions = functions;
    this.#buffer = gpu.device.createBuffer({
      label: "step scalars",
      size: rowBytes * rows,
      usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST,
    });
  }

  /** Size in bytes. */
  get bytes(): number {
    return this.#buffer.size;
  }

  /**
   * Uploads one row per update `first + i`: its step, its row i in the metrics ring, then its
   * scalars.
   *
   * @param stepOf Returns the step of an update.
   */
  upload(first: number, count: number, stepOf: (update: number) => number): void {
    if (count === 0) return;
    const bytes = new ArrayBuffer(count * rowBytes);
    for (let i = 0; i < count; i++) {
      const start = i * rowBytes;
      const update = first + i;
      new Uint32Array(bytes, start, 2).set([stepOf(update), i]);
      const row = new Float32Array(bytes, start + headerBytes, this.#functions.length);
      this.#functions.forEach((scalar, s) => row[s] = scalar(update));
    }
    this.#gpu.device.queue.writeBuffer(this.#buffer, 0, bytes);
  }

  /**
   * Returns the bind group of a row. One group with a dynamic offset would do, but Mesa's software
   * driver (24 and later) then copies the group for every dispatch, into memory that it maps and
   * unmaps.
   */
  group(row: number): GPUBindGroup {
    return this.#groups[row] ??= this.#gpu.device.createBindGroup({
      layout: this.#layout,
      entries: [{
        binding: 0,
        resource: { buffer: this.#buffer, offset: row * rowBytes, size: rowBytes },
      }],
    });
  }

  /** Frees the GPU memory. */
  destroy(): void {
    this.#buffer.destroy();
  }
}
