/**
 * The engine: an open GPU, its kernels, and the kernel variants chosen for it.
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
  /** The kernel variants, and why these. */
  readonly choice: VariantChoice;
  readonly #kernels: KernelCache;
  #roofline: Promise<Roofline | null> | undefined;

  private constructor(gpu: Gpu, kernels: KernelCache, choice: VariantChoice) {
    this.gpu = gpu;
    this.#kernels = kernels;
    this.choice = choice;
  }

  /**
   * Opens the GPU and chooses the kernel variants: `target`, or the fastest.
   *
   * @param memory Where the variants' speed is kept; by default for as long as the process runs.
   * @throws {UserError} When there is no adapter, or it does not compute `target` right.
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
   * Compiles a graph. The first graph of a store to be compiled allocates the store's memory.
   *
   * @param kept Tensors to read after a step: their memory is not used again.
   * @param bindable Bytes that a buffer may have, by default what the adapter binds in one piece.
   * Arenas that would be larger are cut into slices of some seeds each, which run one after another.
   */
  compile(graph: Graph, kept: readonly Tensor[] = [], bindable?: number): Promise<Program> {
    return compile(this.gpu, this.#kernels, this.target, graph, kept, bindable);
  }

  /**
   * Compiles the graphs that make up a training step: in each step, those whose turn it is
   * ({@linkcode GraphOptions}) are computed one after another. Several graphs need a common store.
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

  /** WGSL of the kernels that compute a graph, each with what it is rendered with. */
  kernelTexts(graph: Graph): string[] {
    const kernels = schedule(fuse(graph.operations), this.target).map(({ kernel }) => kernel);
    return [...new Set(kernels.map(kernelKey))].toSorted();
  }

  /** What the GPU can do at most, measured once; null where it has no timestamp queries. */
  roofline(): Promise<Roofline | null> {
    return this.#roofline ??= measureRoofline(this.gpu, this.#kernels);
  }

  /** Gives the GPU back. */
  close(): void {
    this.gpu.close();
  }

  /** Gives the GPU back at the end of a `using` block. */
  [Symbol.dispose](): void {
    this.close();
  }
}
