/**
 * The engine: an open GPU, its compiled kernels and the kernel variants chosen for it.
 *
 * @module
 */
import { Gpu } from "../gpu/device.ts";
import { KernelCache, kernelKey } from "../gpu/kernel.ts";
import type { Program } from "../gpu/program.ts";
import { measureRoofline, type Roofline } from "../gpu/roofline.ts";
import type { Target } from "../gpu/target.ts";
import { compile } from "./compile.ts";
import { fuse } from "./fusion.ts";
import type { Graph } from "./graph.ts";
import { schedule } from "./schedule.ts";
import type { Tensor } from "./tensor.ts";
import { assertTogether, TrainingStep } from "./training_step.ts";
import {
  chooseVariant,
  ProcessMemory,
  type VariantChoice,
  type VariantMemory,
} from "./variants.ts";

export { portableTarget } from "../gpu/target.ts";

const processMemory = new ProcessMemory();

/** Compiles graphs for one GPU. */
export class Engine {
  /** The open GPU. */
  readonly gpu: Gpu;
  /** The kernel variants and the reason for the choice. */
  readonly choice: VariantChoice;
  readonly #kernels: KernelCache;
  #roofline: Promise<Roofline | null> | undefined;

  private constructor(gpu: Gpu, kernels: KernelCache, choice: VariantChoice) {
    this.gpu = gpu;
    this.#kernels = kernels;
    this.choice = choice;
  }

  /**
   * Opens the GPU and selects the kernel variants: `target`, or by default the fastest.
   *
   * @param memory Where the measured rates of the variants are kept. Defaults to the memory of this
   * process.
   * @throws {UserError} There is no adapter, or it computes wrong results with `target`.
   */
  static async open(target?: Target, memory: VariantMemory = processMemory): Promise<Engine> {
    const gpu = await Gpu.open();
    const kernels = new KernelCache(gpu);
    try {
      return new Engine(gpu, kernels, await chooseVariant(gpu, kernels, memory, target));
    } catch (error) {
      gpu.close();
      throw error;
    }
  }

  /** The kernel variants. */
  get target(): Target {
    return this.choice.target;
  }

  /**
   * Compiles a graph. The first compilation of a store's graphs allocates the store's memory.
   *
   * @param kept Tensors to read after a step. Their memory is not reused.
   * @param bindable Maximum size of a buffer in bytes. Defaults to the adapter's binding limit.
   * Larger arenas are split into slices of one or more seeds, which run one after another.
   */
  compile(graph: Graph, kept: readonly Tensor[] = [], bindable?: number): Promise<Program> {
    return compile(this.gpu, this.#kernels, this.target, graph, kept, bindable);
  }

  /**
   * Compiles the graphs of a training step. Each step runs, in order, the graphs that are due in it
   * ({@linkcode GraphOptions}). Several graphs must share a store.
   *
   * @param bindable As in {@linkcode compile}.
   */
  async compileStep(graphs: readonly Graph[], bindable?: number): Promise<TrainingStep> {
    assertTogether(graphs);
    const programs: Program[] = [];
    try {
      for (const graph of graphs) programs.push(await this.compile(graph, [], bindable));
    } catch (error) {
      for (const program of programs) program.destroy();
      throw error;
    }
    return new TrainingStep(graphs, programs);
  }

  /** Returns the WGSL of each kernel of a graph, with its name, directives and constants. */
  kernelTexts(graph: Graph): string[] {
    const kernels = schedule(fuse(graph.operations), this.target).map(({ kernel }) => kernel);
    return [...new Set(kernels.map(kernelKey))].toSorted();
  }

  /** Returns the roofline of the GPU, measured once, or null if it has no timestamp queries. */
  roofline(): Promise<Roofline | null> {
    return this.#roofline ??= measureRoofline(this.gpu, this.#kernels);
  }

  /** Closes the GPU device. */
  close(): void {
    this.gpu.close();
  }

  /** Closes the GPU device at the end of a `using` block. */
  [Symbol.dispose](): void {
    this.close();
  }
}
