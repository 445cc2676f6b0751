/**
 * The engine: an open GPU, its kernels, and the kernel variants this adapter computes right.
 *
 * @module
 */
import { Gpu } from "../gpu/device.ts";
import { KernelCache } from "../gpu/kernel.ts";
import type { Program } from "../gpu/program.ts";
import { portableTarget, type Target, targetOf } from "../gpu/target.ts";
import { compile, readTensor, writeInput } from "./compile.ts";
import { gradients } from "./gradients.ts";
import { Graph } from "./graph.ts";
import { linear } from "./ops/linear.ts";
import { ParameterSet } from "./parameters.ts";
import { uniform } from "./random.ts";
import type { Tensor } from "./tensor.ts";

export { portableTarget } from "../gpu/target.ts";

const subgroups = targetOf("subgroups");

/** Compiles graphs for one GPU. */
export class Engine {
  readonly gpu: Gpu;
  readonly target: Target;
  readonly #kernels: KernelCache;

  private constructor(gpu: Gpu, kernels: KernelCache, target: Target) {
    this.gpu = gpu;
    this.#kernels = kernels;
    this.target = target;
  }

  /** Opens the GPU and chooses the kernel variants, unless `target` names them. */
  static async open(target?: Target): Promise<Engine> {
    const gpu = await Gpu.open();
    const kernels = new KernelCache(gpu);
    return new Engine(gpu, kernels, target ?? await chooseTarget(gpu, kernels));
  }

  /**
   * Compiles a graph.
   *
   * @param kept Tensors to read after a step: their memory is not used again.
   */
  compile(graph: Graph, kept: readonly Tensor[] = []): Promise<Program> {
    return compile(this.gpu, this.#kernels, this.target, graph, kept);
  }

  /** Gives the GPU back. */
  close(): void {
    this.gpu.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** Subgroup shuffles differ between adapters and are used only where they prove right. */
async function chooseTarget(gpu: Gpu, kernels: KernelCache): Promise<Target> {
  if (!gpu.adapter.subgroups) return portableTarget;
  return await computesLinearLayers(gpu, kernels, subgroups) ? subgroups : portableTarget;
}

/** Whether a linear layer and its gradients come out as on the host, at sizes that fit no tile. */
async function computesLinearLayers(
  gpu: Gpu,
  kernels: KernelCache,
  target: Target,
): Promise<boolean> {
  const [rows, inputs, outputs] = [37, 29, 150];
  const graph = new Graph({ seeds: [0] });
  const x = graph.input(rows, inputs);
  const upstream = graph.input(rows, outputs);
  const parameters = new ParameterSet(graph, [
    { name: "weight", rows: outputs, segments: [inputs], vector: false },
    { name: "bias", rows: 1, segments: [outputs], vector: true },
  ], 1);
  const weight = parameters.get("weight");
  const y = linear(graph, x, { weight, bias: parameters.get("bias") });
  const [dx, dWeight] = gradients(graph, { tensor: y, upstream }, [x, weight]) as [Tensor, Tensor];
  const numbers = (step: number, count: number) =>
    Float32Array.from(uniform(0, 0, step, count), (u) => u - 0.5);
  const X = numbers(0, rows * inputs);
  const G = numbers(1, rows * outputs);
  const W = numbers(2, outputs * inputs);
  let program: Program | null = null;
  try {
    program = await compile(gpu, kernels, target, graph, [y, dx, dWeight]);
    parameters.write(program, 0, new Map([["weight", W], ["bias", new Float32Array(outputs)]]));
    writeInput(program, x, X);
    writeInput(program, upstream, G);
    await program.submit(0, 1);
    const agree = async (
      tensor: Tensor,
      columns: number,
      expected: (r: number, c: number) => number,
    ) => {
      const values = await readTensor(program!, tensor);
      return values.every((value, i) =>
        Math.abs(value - expected(Math.floor(i / columns), i % columns)) < 1e-4
      );
    };
    return await agree(
      y,
      outputs,
      (r, c) => sum(inputs, (k) => X[r * inputs + k]! * W[c * inputs + k]!),
    ) &&
      await agree(
        dx,
        inputs,
        (r, c) => sum(outputs, (k) => G[r * outputs + k]! * W[k * inputs + c]!),
      ) &&
      await agree(
        dWeight,
        inputs,
        (r, c) => sum(rows, (k) => G[k * outputs + r]! * X[k * inputs + c]!),
      );
  } catch {
    // The adapter does not even compile it; the portable kernel stands in, and the log says so.
    return false;
  } finally {
    program?.destroy();
  }
}

function sum(count: number, term: (k: number) => number): number {
  let total = 0;
  for (let k = 0; k < count; k++) total += term(k);
  return total;
}
