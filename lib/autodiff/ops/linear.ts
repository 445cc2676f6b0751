/**
 * Linear layers, `y = activation(x Wᵀ + b + residual)`, and their gradients: the upstream gradient
 * times W (with the derivative of the activation below merged in), and the transposed upstream
 * gradient times the input.
 *
 * @module
 */
import activationSource from "../../../shaders/activation.wgsl" with { type: "text" };
import blocksSource from "../../../shaders/matmul_blocks.wgsl" with { type: "text" };
import jobSource from "../../../shaders/matmul_job.wgsl" with { type: "text" };
import mainSource from "../../../shaders/matmul.wgsl" with { type: "text" };
import workgroupSource from "../../../shaders/matmul_workgroup.wgsl" with { type: "text" };
import nanSource from "../../../shaders/nan.wgsl" with { type: "text" };
import type { Job, KernelSpec } from "../../gpu/kernel.ts";
import { type Form, largerTilesOf, shapeClassOf, type Target, tileOf } from "../../gpu/target.ts";
import type { Graph, Operation, ParameterUpdate } from "../graph.ts";
import { registerOperation } from "../operations.ts";
import { Tensor } from "../tensor.ts";
import { type Activation, applyDerivative } from "./entrywise.ts";
import { rowFields } from "./job_fields.ts";

export { affine as linearReference } from "../matrix.ts";

const linearName = registerOperation("linear");
const inputGradientName = registerOperation("linear input gradient");
const parameterGradientName = registerOperation("linear parameter gradient");

const matmulSource = mainSource + blocksSource + workgroupSource;

/** Source texts of the matrix product. */
export const matmulSources: readonly string[] = [
  nanSource,
  activationSource,
  jobSource,
  matmulSource,
];

const lowest = -3.4028234663852886e38;

/** Parameters of a linear layer. */
export interface LinearParameters {
  /** `[replicas, outputs, inputs]`, with the same column layout as the input. */
  readonly weight: Tensor;
  /** `[replicas, 1, outputs]`. */
  readonly bias: Tensor;
}

/**
 * Applies a linear layer.
 *
 * @param x `[R, rows, inputs]`. R may divide the layer's replicas, so that several networks read
 * one input.
 * @param activation Applied to the sum: `none`, `relu`, `tanh` or `mish`.
 * @param residual Added before the activation; it has the shape of the result.
 * @returns `[R', rows, outputs]`, where R' is the larger number of replicas.
 */
export function linear(
  graph: Graph,
  x: Tensor,
  { weight, bias }: LinearParameters,
  activation: Exclude<Activation, "softplus"> = "none",
  residual?: Tensor,
): Tensor {
  if (!x.alignedWith(weight)) {
    throw new Error(
      `linear: inner sizes must agree, got ${x} in segments of ${x.segments.join(" + ")} and ` +
        `${weight} in segments of ${weight.segments.join(" + ")}`,
    );
  }
  const replicas = Math.max(x.replicas, weight.replicas);
  if (replicas % x.replicas !== 0 || replicas % weight.replicas !== 0) {
    throw new Error(`linear: replicas must divide one another, got ${x} and ${weight}`);
  }
  if (
    bias.replicas !== weight.replicas || bias.rows !== 1 || bias.columns !== weight.rows
  ) {
    throw new Error(
      `linear: the bias must have shape [${weight.replicas}, 1, ${weight.rows}], got ${bias}`,
    );
  }
  const shape = { replicas, rows: x.rows, columns: weight.rows };
  const y = new Tensor(shape);
  if (residual && !residual.hasShapeOf(y)) {
    throw new Error(`linear: the residual must have shape ${y}, got ${residual}`);
  }
  // The input of mish, stored if its derivative is needed.
  let before: Tensor | null = null;
  const thin = weight.rows <= 4 && activation !== "mish" && !residual;
  const size = { rows: x.rows, inputs: x.width, outputs: weight.rows };
  const writes = [y];
  graph.record({
    name: linearName,
    inputs: residual ? [x, weight, bias, residual] : [x, weight, bias],
    reads: [x, weight, bias, ...(residual ? [residual] : [])],
    parameters: [weight, bias],
    writes,
    flops: flopsOf(y, x.columns),
    kernel: (target) =>
      matmulKernel(
        target,
        "NT",
        size,
        thin ? ["THIN"] : [
          ...(activation === "tanh" ? ["TANH"] : activation === "mish" ? ["MISH"] : []),
          ...(before ? ["SAVE"] : []),
          ...(residual ? ["ADD"] : []),
        ],
      ),
    jobs: (kernel) =>
      matmulJobs(kernel, replicas, (job) => ({
        rows: x.rows,
        columns: weight.rows,
        depth: x.width,
        a: x.at(job, replicas),
        a_stride: x.stride,
        b: weight.at(job, replicas),
        b_stride: weight.stride,
        out: y.at(job, replicas),
        out_stride: y.stride,
        bias: bias.at(job, replicas),
        floor: activation === "relu" ? 0 : lowest,
        ...(thin && { squash: activation === "tanh" ? 1 : 0 }),
        ...(before && rowFields("saved", before, job, replicas)),
        ...(residual && rowFields("addend", residual, job, replicas)),
      })),
    gradient: (upstream, [wantX, wantWeight, wantBias]) => {
      if (activation === "mish" && !before) writes.push(before = new Tensor(shape));
      const outer = applyDerivative(graph, upstream, activation, before ?? y);
      let dx: Tensor | null = null;
      if (wantX) dx = productWithWeight(graph, outer, weight, x.replicas);
      const [dWeight, dBias] = wantWeight || wantBias
        ? productOfColumns(graph, outer, x, weight)
        : [null, null];
      return [dx, dWeight, dBias, residual ? outer : null];
    },
  });
  return y;
}

/**
 * The product of an upstream gradient and a layer's weight, summed over the networks that share the
 * layer's input. Later operations may be merged into it.
 */
class ProductWithWeight implements Operation {
  readonly name = inputGradientName;
  readonly inputs = [];
  readonly reads: Tensor[];
  readonly parameters: readonly Tensor[];
  readonly writes: readonly Tensor[];
  readonly flops: number;
  #addend: Tensor | null = null;
  #derivative: { activation: Activation; saved: Tensor } | null = null;

  constructor(readonly dy: Tensor, readonly weight: Tensor, readonly dx: Tensor) {
    this.reads = [dy, weight];
    this.parameters = [weight];
    this.writes = [dx];
    this.flops = flopsOf(dx, dy.columns * (dy.replicas / dx.replicas));
  }

  /** Merges an addition, if possible. */
  absorbAddend(tensor: Tensor): boolean {
    if (this.#addend || this.#derivative) return false;
    this.#addend = tensor;
    this.reads.push(tensor);
    return true;
  }

  /** Merges the multiplication by an activation's derivative, if possible. */
  absorbDerivative(activation: Exclude<Activation, "none">, saved: Tensor): boolean {
    if (this.#derivative || activation === "softplus") return false;
    this.#derivative = { activation, saved };
    this.reads.push(saved);
    return true;
  }

  kernel(target: Target): KernelSpec {
    const { dy, weight } = this;
    const size = { rows: dy.rows, inputs: weight.width, outputs: weight.rows };
    return matmulKernel(target, "NN", size, [
      ...(this.#addend ? ["ADD"] : []),
      ...(this.#derivative ? [`${this.#derivative.activation.toUpperCase()}_DERIVATIVE`] : []),
    ]);
  }

  jobs(kernel: KernelSpec): Job[] {
    const { dy, weight, dx } = this;
    return matmulJobs(kernel, dx.replicas, (job) => ({
      rows: dy.rows,
      columns: dx.width,
      depth: dy.columns,
      members: dy.replicas / dx.replicas,
      a: dy.at(job, dx.replicas),
      a_member: dy.storage.replicaSize / 4,
      a_stride: dy.stride,
      b: weight.at(job, dx.replicas),
      b_member: weight.storage.replicaSize / 4,
      b_stride: weight.stride,
      out: dx.at(job, dx.replicas),
      out_stride: dx.stride,
      ...(this.#addend && rowFields("addend", this.#addend, job, dx.replicas)),
      ...(this.#derivative && rowFields("saved", this.#derivative.saved, job, dx.replicas)),
    }));
  }
}

function productWithWeight(graph: Graph, dy: Tensor, weight: Tensor, replicas: number): Tensor {
  const dx = new Tensor({
    replicas,
    rows: dy.rows,
    columns: weight.columns,
    segments: weight.segments,
  });
  graph.record(new ProductWithWeight(dy, weight, dx));
  return dx;
}

/** Records the gradients of weight and bias, dyᵀ x and the column sums of dy, in one dispatch. */
function productOfColumns(
  graph: Graph,
  dy: Tensor,
  x: Tensor,
  weight: Tensor,
): [Tensor, Tensor] {
  const { replicas } = dy;
  if (weight.replicas !== replicas) {
    throw new Error(`linear: no gradient with respect to a weight that replicas share`);
  }
  const dWeight = new Tensor({
    replicas,
    rows: weight.rows,
    columns: weight.columns,
    segments: weight.segments,
  });
  const dBias = new Tensor({ replicas, rows: 1, columns: weight.rows });
  graph.record(new ProductOfColumns(dy, x, dWeight, dBias));
  return [dWeight, dBias];
}

/**
 * The gradients of a layer's parameters. An optimizer step may be merged into it, so that the
 * parameters are updated as soon as their gradients are computed.
 */
class ProductOfColumns implements Operation {
  readonly name = parameterGradientName;
  readonly inputs = [];
  readonly reads: Tensor[];
  readonly writes: Tensor[];
  readonly flops: number;
  #update: ParameterUpdate | null = null;

  constructor(
    readonly dy: Tensor,
    readonly x: Tensor,
    readonly dWeight: Tensor,
    readonly dBias: Tensor,
  ) {
    this.reads = [dy, x];
    this.writes = [dWeight, dBias];
    this.flops = flopsOf(dWeight, dy.rows);
  }

  absorbUpdate(update: ParameterUpdate): void {
    this.#update = update;
    this.reads.push(...update.touched);
    this.writes.push(...update.touched);
  }

  kernel(target: Target): KernelSpec {
    const { dy, x, dWeight } = this;
    const size = { rows: dy.rows, inputs: x.width, outputs: dWeight.rows };
    const directives = this.#update ? ["UPDATE"] : [];
    return matmulKernel(target, "TN", size, directives, this.#update?.source);
  }

  jobs(kernel: KernelSpec): Job[] {
    const { dy, x, dWeight, dBias } = this;
    const { replicas } = dWeight;
    return matmulJobs(kernel, replicas, (job) => ({
      rows: x.width,
      columns: dWeight.rows,
      depth: dy.rows,
      a: x.at(job, replicas),
      a_stride: x.stride,
      b: dy.at(job, replicas),
      b_stride: dy.stride,
      out: dWeight.at(job, replicas),
      out_stride: dWeight.stride,
      sums: dBias.at(job, replicas),
      ...this.#update?.fields(job, replicas),
    }));
  }
}

/** Returns the floating-point operations of a product whose sums have `depth` terms. */
function flopsOf({ replicas, rows, columns }: Tensor, depth: number): number {
  return 2 * replicas * rows * columns * depth;
}

/** The size of a layer. */
interface LayerSize {
  readonly rows: number;
  readonly inputs: number;
  readonly outputs: number;
}

function matmulKernel(
  { tiles }: Target,
  form: Form,
  { rows, inputs, outputs }: LayerSize,
  directives: readonly string[],
  update = "",
): KernelSpec {
  const tile = tiles[form][shapeClassOf(rows, inputs, outputs)];
  return {
    name: "matmul",
    source: nanSource + activationSource + jobSource + update + matmulSource,
    directives: [form, ...directives],
    tile: tileOf(tile)!,
    largerTiles: largerTilesOf(tile, form),
  };
}

/** Fields of a product's job. Members are given if there are several. */
type MatmulFields = Record<string, number> & { rows: number; columns: number };

/**
 * Adds the tiling to the jobs' fields. Consecutive tiles share a panel of one factor. Rows of A are
 * shared by default; for a weight gradient those of the larger factor, which is then read from main
 * memory once.
 */
function matmulJobs(
  { tile, directives }: KernelSpec,
  replicas: number,
  fields: (job: number) => MatmulFields,
): Job[] {
  const { rows, columns, across, down } = tile!;
  return Array.from({ length: replicas }, (_, job) => {
    const record = fields(job);
    const tilesAcross = Math.ceil(record.columns / (columns * across));
    const tilesDown = Math.ceil(record.rows / (rows * down));
    const downFirst = directives!.includes("TN") && record.columns >= record.rows;
    return {
      fields: {
        members: 1,
        a_member: 0,
        b_member: 0,
        ...record,
        down_first: downFirst ? 1 : 0,
        inner_tiles: downFirst ? tilesDown : tilesAcross,
      },
      tiles: tilesAcross * tilesDown,
    };
  });
}
