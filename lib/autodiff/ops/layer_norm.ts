/**
 * Layer normalization, optionally after dropout, as in the behavior model's residual blocks.
 *
 * @module
 */
import layerNormSource from "../../../shaders/layer_norm.wgsl" with { type: "text" };
import parametersSource from "../../../shaders/layer_norm_parameters.wgsl" with { type: "text" };
import randomSource from "../../../shaders/random.wgsl" with { type: "text" };
import stepSource from "../../../shaders/step.wgsl" with { type: "text" };
import type { Job, KernelSpec } from "../../gpu/kernel.ts";
import type { Graph, Operation } from "../graph.ts";
import { mapRows, type Matrix } from "../matrix.ts";
import { registerOperation } from "../operations.ts";
import { Tensor } from "../tensor.ts";
import { type Dropout, keepFields, requireDropout } from "./dropout.ts";
import { requireNoGaps, requireShape, shapeOf } from "./shapes.ts";

const layerNormName = registerOperation("layer norm");
const gradientName = registerOperation("layer norm gradient");
const parameterGradientName = registerOperation("layer norm parameter gradient");

const source = randomSource + stepSource + layerNormSource;
const rowsOfWorkgroup = 8;
const columnsOfWorkgroup = 4;

/** Parameters of a layer normalization, each `[replicas, 1, columns]`. */
export interface LayerNormParameters {
  /** Factor of the normalized entries. */
  readonly gain: Tensor;
  /** Offset added to the product. */
  readonly shift: Tensor;
  /** ε, added to the variance. Defaults to 1e-5, as in PyTorch. */
  readonly epsilon?: number;
}

/**
 * Applies dropout to x `[R, rows, columns]` if given, normalizes the rows to mean 0 and variance 1
 * (biased variance, ε inside the root), multiplies by the gain and adds the shift.
 */
export function layerNorm(
  graph: Graph,
  x: Tensor,
  { gain, shift, epsilon = 1e-5 }: LayerNormParameters,
  dropout?: Dropout,
): Tensor {
  requireNoGaps(layerNormName, x);
  const { replicas, columns } = x;
  for (const [operand, tensor] of Object.entries({ gain, shift })) {
    requireShape(layerNormName, operand, tensor, { replicas, rows: 1, columns });
  }
  if (dropout) requireDropout(x, dropout);
  const y = new Tensor(shapeOf(x));
  const normalized = new Tensor(shapeOf(x));
  const deviation = new Tensor({ replicas: x.replicas, rows: x.rows, columns: 1 });
  graph.record({
    name: layerNormName,
    inputs: [x, gain, shift],
    reads: [x, gain, shift, ...masksOf(dropout)],
    parameters: [gain, shift],
    writes: [y, normalized, deviation],
    kernel: () => ({ name: "layer norm", source, directives: directivesOf(dropout) }),
    jobs: () =>
      rowJobs(y, (job) => ({
        ...(dropout && keepFields(graph, dropout, job, y.replicas)),
        gain: gain.at(job, y.replicas),
        shift: shift.at(job, y.replicas),
        epsilon,
        x: x.at(job, y.replicas),
        x_stride: x.stride,
        normalized: normalized.at(job, y.replicas),
        normalized_stride: normalized.stride,
        deviation: deviation.at(job, y.replicas),
      })),
    gradient: (upstream, [wantX, wantGain, wantShift]) => {
      const dx = new Tensor(shapeOf(x));
      if (wantX) {
        graph.record(
          new LayerNormGradient(graph, { upstream, gain, normalized, deviation, dx }, dropout),
        );
      }
      const [dGain, dShift] = wantGain || wantShift
        ? parameterGradients(graph, upstream, normalized)
        : [null, null];
      return [wantX ? dx : null, dGain, dShift];
    },
  });
  return y;
}

/** Layer normalization in double precision. */
export function layerNormReference(
  x: Matrix,
  gain: Matrix,
  shift: Matrix,
  epsilon = 1e-5,
): Matrix {
  return mapRows(x, (row) => {
    const mean = row.reduce((a, b) => a + b, 0) / row.length;
    const variance = row.reduce((total, value) => total + (value - mean) ** 2, 0) / row.length;
    return Array.from(
      row,
      (value, i) =>
        ((value - mean) / Math.sqrt(variance + epsilon)) * gain.values[i]! + shift.values[i]!,
    );
  });
}

interface GradientTensors {
  readonly upstream: Tensor;
  readonly gain: Tensor;
  readonly normalized: Tensor;
  readonly deviation: Tensor;
  readonly dx: Tensor;
}

/**
 * The gradient with respect to the input. The addition of the residual path's gradient may be
 * merged into it.
 */
class LayerNormGradient implements Operation {
  readonly name = gradientName;
  readonly inputs = [];
  readonly reads: Tensor[];
  readonly parameters: readonly Tensor[];
  readonly writes: readonly Tensor[];
  #addend: Tensor | null = null;

  constructor(
    readonly graph: Graph,
    readonly tensors: GradientTensors,
    readonly dropout: Dropout | undefined,
  ) {
    const { upstream, gain, normalized, deviation, dx } = tensors;
    this.reads = [upstream, gain, normalized, deviation, ...masksOf(dropout)];
    this.parameters = [gain];
    this.writes = [dx];
  }

  absorbAddend(addend: Tensor): boolean {
    if (this.#addend) return false;
    this.#addend = addend;
    this.reads.push(addend);
    return true;
  }

  kernel(): KernelSpec {
    return {
      name: "layer norm gradient",
      source,
      directives: ["GRADIENT", ...(this.#addend ? ["ADD"] : []), ...directivesOf(this.dropout)],
    };
  }

  jobs(): Job[] {
    const { upstream, gain, normalized, deviation, dx } = this.tensors;
    return rowJobs(dx, (job) => ({
      ...(this.dropout && keepFields(this.graph, this.dropout, job, dx.replicas)),
      gain: gain.at(job, dx.replicas),
      upstream: upstream.at(job, dx.replicas),
      upstream_stride: upstream.stride,
      normalized: normalized.at(job, dx.replicas),
      normalized_stride: normalized.stride,
      deviation: deviation.at(job, dx.replicas),
      ...(this.#addend && {
        addend: this.#addend.at(job, dx.replicas),
        addend_stride: this.#addend.stride,
      }),
    }));
  }
}

function parameterGradients(graph: Graph, upstream: Tensor, normalized: Tensor): [Tensor, Tensor] {
  const { replicas, rows, columns, width } = upstream;
  const gain = new Tensor({ replicas, rows: 1, columns });
  const shift = new Tensor({ replicas, rows: 1, columns });
  graph.record({
    name: parameterGradientName,
    inputs: [],
    reads: [upstream, normalized],
    writes: [gain, shift],
    kernel: () => ({ name: "layer norm parameters", source: parametersSource }),
    jobs: () =>
      Array.from({ length: replicas }, (_, job) => ({
        fields: {
          rows,
          width: width / 4,
          upstream: upstream.at(job, replicas),
          upstream_stride: upstream.stride,
          normalized: normalized.at(job, replicas),
          normalized_stride: normalized.stride,
          gain: gain.at(job, replicas),
          shift: shift.at(job, replicas),
        },
        tiles: Math.ceil(width / 4 / columnsOfWorkgroup),
      })),
  });
  return [gain, shift];
}

function rowJobs(out: Tensor, fields: (job: number) => Record<string, number>): Job[] {
  return Array.from({ length: out.replicas }, (_, job) => ({
    fields: {
      rows: out.rows,
      columns: out.columns,
      out: out.at(job, out.replicas),
      out_stride: out.stride,
      ...fields(job),
    },
    tiles: Math.ceil(out.rows / rowsOfWorkgroup),
  }));
}

function masksOf(dropout: Dropout | undefined): Tensor[] {
  return dropout && "mask" in dropout.keep ? [dropout.keep.mask] : [];
}

function directivesOf(dropout: Dropout | undefined): string[] {
  if (!dropout) return [];
  return ["mask" in dropout.keep ? "MASK" : "DRAW"];
}
