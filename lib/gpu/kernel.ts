/**
 * Kernels: rendered, compiled and cached compute pipelines. A kernel runs many jobs in one
 * dispatch. Workgroup w reads entry w of the dispatch's worklist, a pair (job, tile), and then the
 * record of that job.
 *
 * @module
 */
import type { Gpu } from "./device.ts";
import {
  type Binding,
  bindingsOf,
  compilationError,
  type JobField,
  jobFieldsOf,
  render,
} from "./shader.ts";
import type { LargerTile, Tile } from "./target.ts";

/** A kernel: its WGSL, directives (structure) and constants (sizes). */
export interface KernelSpec {
  /** Name in error messages. */
  readonly name: string;
  /** WGSL with directives. */
  readonly source: string;
  /** Enabled directives. */
  readonly directives?: readonly string[];
  /** Values of override constants. */
  readonly constants?: Readonly<Record<string, number>>;
  /** The tile of a matrix product. */
  readonly tile?: Tile;
  /** Tiles of dispatches with many results. */
  readonly largerTiles?: readonly LargerTile[];
}

/** Returns the directives of a kernel, including those of its tile. */
export function directivesOf({ directives = [], tile }: KernelSpec): readonly string[] {
  if (!tile || tile.sharing === "none") return directives;
  if (tile.sharing === "workgroup") return [...directives, "WORKGROUP"];
  return [...directives, tile.down === 1 ? "SHARE_A" : "SHARE_B"];
}

/** A unit of work of a dispatch: a record for the shader's `Job` struct, and its workgroups. */
export interface Job {
  /** Values of the shader's `Job` struct, by name. */
  readonly fields: Readonly<Record<string, number>>;
  /** Number of workgroups. */
  readonly tiles: number;
}

/** A compiled kernel. */
export interface Kernel {
  /** Name in error messages. */
  readonly name: string;
  /** The compiled pipeline. */
  readonly pipeline: GPUComputePipeline;
  /** Layout of its storage bindings, group 0. */
  readonly layout: GPUBindGroupLayout;
  /** Its storage bindings. */
  readonly bindings: readonly Binding[];
  /** Fields of its `Job` struct, in order. */
  readonly fields: readonly JobField[];
}

/**
 * Returns the cache key of a kernel: kernels with the same key share a pipeline. The key includes
 * the WGSL, because kernels with the same name may have different WGSL (a matrix product merged
 * with different optimizer steps, or chains of entrywise functions).
 */
export function kernelKey(spec: KernelSpec): string {
  const sizes = { ...spec.constants, ...sizesOf(spec.tile) };
  const constants = Object.entries(sizes).map(([name, value]) => `${name}=${value}`);
  const settings = [spec.name, ...directivesOf(spec).toSorted(), ...constants.toSorted()];
  return `${settings.join(" ")}\n${spec.source}`;
}

/** Returns the key of a kernel without its tile: kernels with the same key can share a dispatch. */
export function groupKey({ tile: _, ...spec }: KernelSpec): string {
  return kernelKey(spec);
}

/** Returns the constants that a tile sets in the shader. */
function sizesOf(tile: Tile | undefined): Record<string, number> {
  if (!tile) return {};
  const { rows, columns, across, down, depth } = tile;
  return { ROWS: rows, COLUMNS: columns, ACROSS: across, DOWN: down, DEPTH: depth };
}

/** Cache of the compiled kernels of one device. */
export class KernelCache {
  readonly #gpu: Gpu;
  readonly #kernels = new Map<string, Promise<Kernel>>();
  /** Layout of group 1: the step's scalars, a uniform. */
  readonly stepLayout: GPUBindGroupLayout;

  /** Creates an empty cache for a GPU. */
  constructor(gpu: Gpu) {
    this.#gpu = gpu;
    this.stepLayout = gpu.device.createBindGroupLayout({
      entries: [{
        binding: 0,
        visibility: GPUShaderStage.COMPUTE,
        buffer: { type: "uniform" },
      }],
    });
  }

  /** Returns the kernel of `spec`, compiled on first use. */
  get(spec: KernelSpec): Promise<Kernel> {
    const key = kernelKey(spec);
    let kernel = this.#kernels.get(key);
    if (!kernel) {
      kernel = this.#compile(spec);
      this.#kernels.set(key, kernel);
    }
    return kernel;
  }

  /**
   * Returns `SOFTWARE` on a software GPU, if the kernel has the directive. At a barrier, such a
   * driver suspends and resumes the invocations of a workgroup one by one.
   */
  #directivesOfAdapter({ source }: KernelSpec): string[] {
    return this.#gpu.adapter.software && source.includes("//#if SOFTWARE") ? ["SOFTWARE"] : [];
  }

  async #compile(spec: KernelSpec): Promise<Kernel> {
    const device = this.#gpu.device;
    const directives = [...directivesOf(spec), ...this.#directivesOfAdapter(spec)];
    const code = render(spec.source, directives, sizesOf(spec.tile));
    // Each error scope is popped before the next await, because other kernels compile concurrently.
    device.pushErrorScope("validation");
    const module = device.createShaderModule({ label: spec.name, code });
    const moduleError = await device.popErrorScope();
    if (moduleError) {
      const { messages } = await module.getCompilationInfo();
      const errors = messages.filter((message) => message.type === "error");
      throw compilationError(
        spec.name,
        directives,
        code,
        errors.length > 0 ? errors : [{ lineNum: 0, message: moduleError.message }],
      );
    }
    const bindings = bindingsOf(code);
    device.pushErrorScope("validation");
    const layout = device.createBindGroupLayout({
      entries: bindings.map(({ binding, readOnly }) => ({
        binding,
        visibility: GPUShaderStage.COMPUTE,
        buffer: { type: readOnly ? "read-only-storage" : "storage" },
      })),
    });
    const pipeline = device.createComputePipeline({
      label: spec.name,
      layout: device.createPipelineLayout({ bindGroupLayouts: [layout, this.stepLayout] }),
      compute: { module, entryPoint: "main", constants: { ...spec.constants } },
    });
    const error = await device.popErrorScope();
    if (error) {
      throw compilationError(spec.name, directives, code, [{ lineNum: 0, message: error.message }]);
    }
    return { name: spec.name, pipeline, layout, bindings, fields: jobFieldsOf(code) };
  }
}

/** Packs job records in the shader's field order. */
export function packJobs(kernel: Kernel, jobs: readonly Job[]): ArrayBuffer {
  const width = kernel.fields.length;
  const bytes = new ArrayBuffer(jobs.length * width * 4);
  const integers = new Uint32Array(bytes);
  const floats = new Float32Array(bytes);
  jobs.forEach((job, j) => {
    const given = Object.keys(job.fields);
    const stray = given.filter((name) => !kernel.fields.some((field) => field.name === name));
    if (stray.length > 0) {
      throw new Error(`packJobs: kernel "${kernel.name}" has no job field ${stray.join(", ")}`);
    }
    kernel.fields.forEach(({ name, type }, f) => {
      const value = job.fields[name];
      if (value === undefined) {
        throw new Error(`packJobs: kernel "${kernel.name}" needs job field ${name}`);
      }
      (type === "u32" ? integers : floats)[j * width + f] = value;
    });
  });
  return bytes;
}
