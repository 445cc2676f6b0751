/**
 * Selects the matrix product variant for an adapter: of the variants with correct results, the
 * fastest for the products of training.
 *
 * @module
 */
import type { AdapterDescription, Gpu } from "../gpu/device.ts";
import type { KernelCache } from "../gpu/kernel.ts";
import type { Program } from "../gpu/program.ts";
import { type MatmulVariant, matmulVariants, type Target, targetOf } from "../gpu/target.ts";
import { UserError } from "../errors.ts";
import { compile, readTensor, writeInput } from "./compile.ts";
import { gradients } from "./gradients.ts";
import { Graph } from "./graph.ts";
import { linear } from "./ops/linear.ts";
import { ParameterSet } from "./parameters.ts";
import { uniform } from "./random.ts";
import type { Tensor } from "./tensor.ts";

/** GFLOP/s of the variants on an adapter; 0 for a variant with wrong results. */
export type VariantRates = Readonly<Record<MatmulVariant, number>>;

/** A store of measured rates. */
export interface VariantMemory {
  /** Returns the rates of an adapter, if known. */
  recall(adapter: AdapterDescription): VariantRates | undefined;
  /** Stores the rates measured on an adapter. */
  keep(adapter: AdapterDescription, rates: VariantRates): void;
}

/** A selection of kernel variants and its reason. */
export interface VariantChoice {
  /** The selected variants. */
  readonly target: Target;
  /** Reason for the selection. */
  readonly reason: "asked for" | "measured" | "measured before";
  /** The measured rates; absent if the variant was requested. */
  readonly rates?: VariantRates;
}

/** Formats a selection for the user. */
export function choiceText({ target, reason, rates }: VariantChoice): string {
  const measured = rates &&
    matmulVariants.map((variant) =>
      rates[variant] > 0 ? `${variant} ${rates[variant].toPrecision(3)}` : `${variant} unfit`
    );
  return `${target.matmul} (${reason}${measured ? `: ${measured.join(", ")} GFLOP/s` : ""})`;
}

/** Keeps rates for the lifetime of the process. */
export class ProcessMemory implements VariantMemory {
  readonly #rates = new Map<string, VariantRates>();

  recall({ name }: AdapterDescription): VariantRates | undefined {
    return this.#rates.get(name);
  }

  keep({ name }: AdapterDescription, rates: VariantRates): void {
    this.#rates.set(name, rates);
  }
}

/**
 * Selects the kernel variants.
 *
 * @param asked Requested variants, used regardless of their speed.
 * @throws {UserError} The adapter computes wrong results with the requested variant.
 */
export async function chooseVariant(
  gpu: Gpu,
  kernels: KernelCache,
  memory: VariantMemory,
  asked?: Target,
): Promise<VariantChoice> {
  const known = memory.recall(gpu.adapter);
  if (asked) {
    // The registers variant uses no optional features, so it is not tested.
    const right = asked.matmul === "registers" ||
      (known ? known[asked.matmul] > 0 : await computesLinearLayers(gpu, kernels, asked));
    if (!right) {
      throw new UserError(
        `${gpu.adapter.name} computes wrong matrix products with the variant ` +
          `"${asked.matmul}"; use another one (--matmul registers works on every adapter)`,
      );
    }
    return { target: asked, reason: "asked for" };
  }
  if (known) return { target: fastest(known), reason: "measured before", rates: known };
  const rates = await measureVariants(gpu, kernels);
  memory.keep(gpu.adapter, rates);
  return { target: fastest(rates), reason: "measured", rates };
}

/**
 * Returns the fastest variant. A variant that shares loads must be at least 10% faster: the
 * measurement is short, and the selection should be repeatable.
 */
export function fastest(rates: VariantRates): Target {
  const lead = 1.1;
  const order: readonly MatmulVariant[] = ["registers", "subgroups", "tiled"];
  return targetOf(order.reduce((best, next) => rates[next] > lead * rates[best] ? next : best));
}

/** A linear layer and its gradients, for `replicas` networks. */
interface Layer {
  readonly replicas: number;
  readonly rows: number;
  readonly inputs: number;
  readonly outputs: number;
}

/** The hidden layers of the critic's three networks, and the widest layer of the behavior model. */
const small: Layer = { replicas: 3, rows: 256, inputs: 256, outputs: 256 };
const large: Layer = { replicas: 1, rows: 2048, inputs: 256, outputs: 1024 };
/**
 * Seconds. A layer that takes longer needs neither repetitions nor a larger layer to be measured.
 */
const longEnough = 2e-3;

async function measureVariants(gpu: Gpu, kernels: KernelCache): Promise<VariantRates> {
  const rates = { subgroups: 0, registers: 0, tiled: 0 };
  for (const matmul of matmulVariants) {
    const target = targetOf(matmul);
    if (matmul === "subgroups" && !gpu.adapter.subgroups) continue;
    if (matmul !== "registers" && !await computesLinearLayers(gpu, kernels, target)) continue;
    const seconds = await secondsOf(gpu, kernels, target, small);
    const slow = seconds > longEnough;
    rates[matmul] = slow ? rateOf(small, seconds) : Math.sqrt(
      rateOf(small, seconds) * rateOf(large, await secondsOf(gpu, kernels, target, large)),
    );
  }
  return rates;
}

/** Returns GFLOP/s of a layer and its gradients: three matrix products. */
function rateOf({ replicas, rows, inputs, outputs }: Layer, seconds: number): number {
  return (3 * 2 * replicas * rows * inputs * outputs) / seconds / 1e9;
}

/** Measures the seconds of a layer and its gradients. */
async function secondsOf(
  gpu: Gpu,
  kernels: KernelCache,
  target: Target,
  layer: Layer,
): Promise<number> {
  const { graph, kept } = record(layer);
  const program = await compile(gpu, kernels, target, graph, kept);
  try {
    if (program.timed) {
      const total = async (rounds: number) =>
        (await program.profile(0, rounds)).reduce((sum, { seconds }) => sum + seconds, 0);
      // The first rounds warm up. If they are long, they suffice.
      const seconds = await total(2);
      return seconds > longEnough ? seconds : await total(8);
    }
    // Waiting costs about ten milliseconds, equally for all variants.
    const count = 64;
    await program.submit(0, 1);
    const began = performance.now();
    await program.submit(0, count);
    return (performance.now() - began) / 1000 / count;
  } finally {
    program.destroy();
  }
}

function record({ replicas, rows, inputs, outputs }: Layer) {
  const graph = new Graph({ seeds: Array.from({ length: replicas }, (_, seed) => seed) });
  const x = graph.input(rows, inputs);
  const upstream = graph.input(rows, outputs);
  const parameters = new ParameterSet(graph, [
    { name: "weight", rows: outputs, segments: [inputs], vector: false },
    { name: "bias", rows: 1, segments: [outputs], vector: true },
  ], replicas);
  const weight = parameters.get("weight");
  const bias = parameters.get("bias");
  const y = linear(graph, x, { weight, bias });
  const [dx, dWeight, dBias] = gradients(graph, { tensor: y, upstream }, [x, weight, bias]) as [
    Tensor,
    Tensor,
    Tensor,
  ];
  return { graph, x, upstream, parameters, y, dx, dWeight, dBias, kept: [y, dx, dWeight, dBias] };
}

/** Whether a wide and a thin linear layer are computed correctly. */
async function computesLinearLayers(
  gpu: Gpu,
  kernels: KernelCache,
  target: Target,
): Promise<boolean> {
  return await computesLinearLayer(gpu, kernels, target, 150) &&
    await computesLinearLayer(gpu, kernels, target, 3);
}

/**
 * Whether a linear layer and its gradients match the host, at sizes that are not multiples of a
 * tile.
 */
async function computesLinearLayer(
  gpu: Gpu,
  kernels: KernelCache,
  target: Target,
  outputs: number,
): Promise<boolean> {
  const [rows, inputs] = [70, 29];
  const { graph, x, upstream, parameters, y, dx, dWeight, dBias, kept } = record({
    replicas: 1,
    rows,
    inputs,
    outputs,
  });
  const numbers = (step: number, count: number) =>
    Float32Array.from(uniform(0, 0, step, count), (u) => u - 0.5);
  const X = numbers(0, rows * inputs);
  const G = numbers(1, rows * outputs);
  const W = numbers(2, outputs * inputs);
  const B = numbers(3, outputs);
  let program: Program | null = null;
  try {
    program = await compile(gpu, kernels, target, graph, kept);
    parameters.write(program, 0, new Map([["weight", W], ["bias", B]]));
    writeInput(program, x, X);
    writeInput(program, upstream, G);
    const [, ...results] = await Promise.all([
      program.submit(0, 1),
      ...kept.map((tensor) => readTensor(program!, tensor)),
    ]);
    const expected = new Map<Tensor, (r: number, c: number) => number>([
      [y, (r, c) => B[c]! + sum(inputs, (k) => X[r * inputs + k]! * W[c * inputs + k]!)],
      [dx, (r, c) => sum(outputs, (k) => G[r * outputs + k]! * W[k * inputs + c]!)],
      [dWeight, (r, c) => sum(rows, (k) => G[k * outputs + r]! * X[k * inputs + c]!)],
      [dBias, (_, c) => sum(rows, (k) => G[k * outputs + c]!)],
    ]);
    return kept.every((tensor, i) =>
      results[i]!.every((value, place) => {
        const { columns } = tensor;
        const exact = expected.get(tensor)!(Math.floor(place / columns), place % columns);
        return Math.abs(value - exact) < 1e-4;
      })
    );
  } catch {
    // The kernel does not compile on this adapter. Its rate is 0, and the log says so.
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
