/**
 * Selects the matrix product variant for an adapter: of the variants with correct results, the
 * fastest for the products of training.
 *
 * @module
 */
import type { AdapterDescription, Gpu } from "../gpu/device.ts";
import type { KernelCache } from "../gpu/kernel.ts";
import type { Program } from "../gpu/program.ts";
import {
  type Form,
  forms,
  largerTilesOf,
  type MatmulVariant,
  matmulVariants,
  mixedTarget,
  type ShapeClass,
  shapeClasses,
  type Target,
  targetOf,
} from "../gpu/target.ts";
import { UserError } from "../errors.ts";
import { compile, readTensor, writeInput } from "./compile.ts";
import { gradients } from "./gradients.ts";
import { Graph } from "./graph.ts";
import { linear } from "./ops/linear.ts";
import { ParameterSet } from "./parameters.ts";
import { uniform } from "./random.ts";
import type { Tensor } from "./tensor.ts";

/** GFLOP/s of a variant's tiles. */
export type Rates = Readonly<Record<Form, Readonly<Record<ShapeClass, number>>>>;

/**
 * The rates of the variants on an adapter; null for one that is wrong there or was not measured.
 */
export type VariantRates = Readonly<Record<MatmulVariant, Rates | null>>;

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
  readonly reason: "not measured" | "measured" | "measured before";
  /** The measured rates; absent if the variant was given. */
  readonly rates?: VariantRates;
}

/** Formats a selection for the user, with the rate of every variant. */
export function choiceText({ target, reason, rates }: VariantChoice): string {
  const measured = rates &&
    matmulVariants.flatMap((variant) =>
      rates[variant] ? [`${variant} ${rateOf(rates[variant]).toPrecision(3)}`] : []
    );
  return `${target.matmul} (${reason}${measured ? `: ${measured.join(", ")} GFLOP/s` : ""})`;
}

/** Returns the rate in GFLOP/s of a variant over the three products of a medium layer. */
export function rateOf(rates: Rates): number {
  return forms.length / forms.reduce((sum, form) => sum + 1 / rates[form].medium, 0);
}

/** Returns the rate in GFLOP/s of the fastest variant; undefined if none was measured. */
export function fastestRate({ rates }: VariantChoice): number | undefined {
  const found = rates && matmulVariants.flatMap((v) => rates[v] ? [rateOf(rates[v])] : []);
  return found && Math.max(...found);
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
    const right = asked.matmul === "registers" || await computesLinearLayers(gpu, kernels, asked);
    if (!right) {
      throw new UserError(
        `${gpu.adapter.name} computes wrong matrix products with the variant ` +
          `"${asked.matmul}"; use another one (--matmul registers works on every adapter)`,
      );
    }
    return { target: asked, reason: "not measured" };
  }
  if (known) return { target: fastest(known), reason: "measured before", rates: known };
  const rates = await measureVariants(gpu, kernels);
  memory.keep(gpu.adapter, rates);
  return { target: fastest(rates), reason: "measured", rates };
}

/**
 * Returns the target with the fastest tile of each form and class. A variant that shares loads must
 * be at least 30% faster, so that the selection is repeatable although the measurement is short: on
 * Mesa's software driver, the ratios measured lie below 1.15 or above 1.6.
 */
export function fastest(rates: VariantRates): Target {
  const lead = 1.3;
  const order: readonly MatmulVariant[] = ["registers", "subgroups", "tiled"];
  return mixedTarget((form, shape) => {
    const rate = (variant: MatmulVariant) => rates[variant]?.[form][shape] ?? 0;
    return order.reduce((best, next) => rate(next) > lead * rate(best) ? next : best);
  });
}

/** A linear layer and its gradients, for `replicas` seeds with `heads` networks each. */
interface Layer {
  readonly replicas: number;
  readonly heads: number;
  readonly rows: number;
  readonly inputs: number;
  readonly outputs: number;
}

/** The layers that are timed: layers of the behavior model and of the critic's three networks. */
const timedLayers: Readonly<Record<ShapeClass, Layer>> = {
  large: { replicas: 1, heads: 1, rows: 1024, inputs: 256, outputs: 1024 },
  medium: { replicas: 3, heads: 1, rows: 256, inputs: 256, outputs: 256 },
  "thin inputs": { replicas: 3, heads: 1, rows: 256, inputs: 14, outputs: 256 },
  "thin outputs": { replicas: 3, heads: 1, rows: 256, inputs: 256, outputs: 3 },
};

/** Rounds in which the variants take turns, and seconds of replays per turn. */
const turns = { rounds: 3, seconds: 0.01 };

/**
 * Measures the variants that suit the adapter. On a software GPU, workgroup memory is ordinary
 * memory, so that variant is not measured. The variants take turns, because the clock rate of a
 * graphics card changes by a factor while it is measured.
 */
async function measureVariants(gpu: Gpu, kernels: KernelCache): Promise<VariantRates> {
  const none = () =>
    Object.fromEntries(shapeClasses.map((shape) => [shape, 0])) as Record<ShapeClass, number>;
  const found = new Map<MatmulVariant, Record<Form, Record<ShapeClass, number>>>();
  for (const matmul of matmulVariants) {
    if (matmul === "subgroups" && !gpu.adapter.subgroups) continue;
    if (matmul === "tiled" && gpu.adapter.software) continue;
    if (matmul !== "registers" && !await computesLinearLayers(gpu, kernels, targetOf(matmul))) {
      continue;
    }
    found.set(matmul, { NT: none(), NN: none(), TN: none() });
  }
  for (const shape of shapeClasses) {
    const { replicas, rows, inputs, outputs } = timedLayers[shape];
    const programs: [MatmulVariant, Program][] = [];
    try {
      for (const variant of found.keys()) {
        const { graph, kept } = record(timedLayers[shape]);
        programs.push([variant, await compile(gpu, kernels, targetOf(variant), graph, kept)]);
      }
      if (!gpu.adapter.software) await programs[0]![1].warmUp();
      for (let round = 0; round < turns.rounds; round++) {
        for (const [variant, program] of programs) {
          const seconds = await secondsOf(program);
          for (const form of forms) {
            const rate = 2 * replicas * rows * inputs * outputs / seconds[form] / 1e9;
            const rates = found.get(variant)!;
            rates[form][shape] = Math.max(rates[form][shape], rate);
          }
        }
      }
    } finally {
      for (const [, program] of programs) program.destroy();
    }
  }
  return Object.fromEntries(
    matmulVariants.map((variant) => [variant, found.get(variant) ?? null]),
  ) as VariantRates;
}

/** Measures the seconds of each of a layer's products. */
async function secondsOf(program: Program): Promise<Record<Form, number>> {
  if (program.timed) {
    const seconds = async (replays: number) =>
      Object.fromEntries(
        (await program.profile(0, replays)).map(({ directives, seconds }) => [
          forms.find((form) => directives.includes(form)),
          seconds,
        ]),
      ) as Record<Form, number>;
    const first = await seconds(1);
    const total = first.NT + first.NN + first.TN;
    const replays = Math.min(32, Math.ceil(turns.seconds / total));
    const times = replays > 1 ? await seconds(replays) : first;
    if (!forms.every((form) => isCoarse(times[form]))) return times;
  }
  // The products cannot be told apart. Waiting costs about ten milliseconds for all variants.
  const count = 64;
  const began = performance.now();
  await program.submit(0, count);
  const each = (performance.now() - began) / 1000 / count / forms.length;
  return { NT: each, NN: each, TN: each };
}

/**
 * Whether a time looks rounded to 100 µs, as Chrome rounds timestamps. Many products are faster
 * than that, and their time is then 0.
 */
export function isCoarse(seconds: number): boolean {
  const rounded = seconds * 1e4;
  return Math.abs(rounded - Math.round(rounded)) < 1e-6;
}

function record({ replicas, heads, rows, inputs, outputs }: Layer) {
  const graph = new Graph({ seeds: Array.from({ length: replicas }, (_, seed) => seed) });
  const x = graph.input(rows, inputs);
  const upstream = graph.input(rows, outputs, heads * replicas);
  const parameters = new ParameterSet(graph, [
    { name: "weight", rows: outputs, segments: [inputs], vector: false },
    { name: "bias", rows: 1, segments: [outputs], vector: true },
  ], heads * replicas);
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

/** Layers whose sizes are not multiples of a tile, with several seeds and networks that share x. */
const checkedLayers: readonly Layer[] = [
  { replicas: 2, heads: 2, rows: 70, inputs: 37, outputs: 150 },
  { replicas: 2, heads: 2, rows: 37, inputs: 29, outputs: 70 },
  { replicas: 2, heads: 2, rows: 70, inputs: 41, outputs: 3 },
];

/** Whether every tile of a target computes linear layers correctly. */
async function computesLinearLayers(
  gpu: Gpu,
  kernels: KernelCache,
  target: Target,
): Promise<boolean> {
  for (const layer of checkedLayers) {
    if (!await computesLinearLayer(gpu, kernels, target, layer)) return false;
  }
  // The other tiles of layers, at a size that can be checked quickly.
  const { NT, NN, TN } = target.tiles;
  const others = [
    ...([NT, NN, TN].some(({ large, medium }) => large !== medium)
      ? [{ NT: NT.large, NN: NN.large, TN: TN.large }]
      : []),
    ...largerTilesOf(NT.medium, "NT").map(({ tile }) => ({ NT: tile, NN: tile, TN: TN.large })),
  ];
  for (const other of others) {
    const tiles = {
      NT: { ...NT, medium: other.NT },
      NN: { ...NN, medium: other.NN },
      TN: { ...TN, medium: other.TN },
    };
    if (!await computesLinearLayer(gpu, kernels, { ...target, tiles }, checkedLayers[0]!)) {
      return false;
    }
  }
  return true;
}

/** Whether a linear layer and its gradients match the host. */
async function computesLinearLayer(
  gpu: Gpu,
  kernels: KernelCache,
  target: Target,
  layer: Layer,
): Promise<boolean> {
  const { replicas, heads, rows, inputs, outputs } = layer;
  const networks = replicas * heads;
  const { graph, x, upstream, parameters, y, dx, dWeight, dBias, kept } = record(layer);
  const numbers = (step: number, count: number) =>
    Float32Array.from(uniform(0, 0, step, count), (u) => u - 0.5);
  const X = numbers(0, replicas * rows * inputs);
  const G = numbers(1, networks * rows * outputs);
  const W = numbers(2, networks * outputs * inputs);
  const B = numbers(3, networks * outputs);
  let program: Program | null = null;
  try {
    program = await compile(gpu, kernels, target, graph, kept);
    for (let n = 0; n < networks; n++) {
      const part = (all: Float32Array) =>
        all.subarray(n * all.length / networks, (n + 1) * all.length / networks);
      parameters.write(program, n, new Map([["weight", part(W)], ["bias", part(B)]]));
    }
    writeInput(program, x, X);
    writeInput(program, upstream, G);
    const [, ...results] = await Promise.all([
      program.submit(0, 1),
      ...kept.map((tensor) => readTensor(program!, tensor)),
    ]);
    // Entries of replica or network n, row r and column c.
    const at = (n: number, r: number, c: number, height: number, width: number) =>
      (n * height + r) * width + c;
    const xAt = (n: number, r: number, c: number) => X[at(n, r, c, rows, inputs)]!;
    const gAt = (n: number, r: number, c: number) => G[at(n, r, c, rows, outputs)]!;
    const wAt = (n: number, r: number, c: number) => W[at(n, r, c, outputs, inputs)]!;
    const seedOf = (n: number) => Math.floor(n / heads);
    const expected = new Map<Tensor, (n: number, r: number, c: number) => number>([
      [
        y,
        (n, r, c) => B[n * outputs + c]! + sum(inputs, (k) => xAt(seedOf(n), r, k) * wAt(n, c, k)),
      ],
      [
        dx,
        (seed, r, c) =>
          sum(
            heads,
            (h) => sum(outputs, (k) => gAt(seed * heads + h, r, k) * wAt(seed * heads + h, k, c)),
          ),
      ],
      [dWeight, (n, r, c) => sum(rows, (k) => gAt(n, k, r) * xAt(seedOf(n), k, c))],
      [dBias, (n, _, c) => sum(rows, (k) => gAt(n, k, c))],
    ]);
    return kept.every((tensor, i) =>
      results[i]!.every((value, place) => {
        const { rows, columns } = tensor;
        const [row, c] = [Math.floor(place / columns), place % columns];
        const exact = expected.get(tensor)!(Math.floor(row / rows), row % rows, c);
        return Math.abs(value - exact) < 1e-4;
      })
    );
  } catch {
    // The kernel does not compile on this adapter. The log says that the variant is unfit.
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
