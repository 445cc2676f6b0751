/**
 * The linear layer on the CPU.
 *
 * JavaScript has no SIMD, so the speedup comes from fewer loads: four rows are computed together,
 * two outputs at a time, or one row, four outputs at a time. Every sum runs over the inputs in
 * order and in double precision, for any number of rows. So an action does not depend on the rest
 * of its batch.
 *
 * @module
 */
import { type NamedTensors, tensor } from "./tensors.ts";

/** y = x Wᵀ + b, or y = x Wᵀ, with PyTorch's layout of W. */
export class Linear {
  /** Number of entries in an input row. */
  readonly inputs: number;
  /** Number of entries in an output row. */
  readonly outputs: number;
  /** W `[outputs, inputs]`, row-major. */
  readonly weight: Float32Array;
  /** b `[outputs]`; zeros for a layer without bias. */
  readonly bias: Float32Array;

  /**
   * Takes the tensors `<name>.weight` `[outputs, inputs]` and `<name>.bias` `[outputs]`.
   *
   * @param options.inputs Required number of inputs; any number if absent.
   * @param options.bias Whether the layer has a bias; defaults to true.
   * @throws {UserError} A tensor is missing or has a wrong shape.
   */
  constructor(
    from: NamedTensors,
    name: string,
    { inputs, bias = true }: { readonly inputs?: number; readonly bias?: boolean } = {},
  ) {
    const weight = tensor(from, `${name}.weight`, [null, inputs ?? null]);
    [this.outputs, this.inputs] = weight.shape as [number, number];
    this.weight = weight.data;
    this.bias = bias
      ? tensor(from, `${name}.bias`, [this.outputs]).data
      : new Float32Array(this.outputs);
  }

  /**
   * Computes `rows` rows.
   *
   * @param input `[rows, inputs]`, row-major. The array may be longer.
   * @param output Receives `[rows, outputs]`.
   */
  forward(input: Float32Array, rows: number, output: Float32Array): void {
    const blocked = rows - rows % 4;
    for (let row = 0; row < blocked; row += 4) this.#fourRows(input, row, output);
    for (let row = blocked; row < rows; row++) this.#oneRow(input, row, output);
  }

  #oneRow(input: Float32Array, row: number, output: Float32Array): void {
    const weight = this.weight;
    const bias = this.bias;
    const inputs = this.inputs;
    const outputs = this.outputs;
    const x = row * inputs;
    const y = row * outputs;
    let o = 0;
    for (; o + 4 <= outputs; o += 4) {
      const w0 = o * inputs;
      const w1 = w0 + inputs;
      const w2 = w1 + inputs;
      const w3 = w2 + inputs;
      let y0 = bias[o]!;
      let y1 = bias[o + 1]!;
      let y2 = bias[o + 2]!;
      let y3 = bias[o + 3]!;
      for (let i = 0; i < inputs; i++) {
        const value = input[x + i]!;
        y0 += value * weight[w0 + i]!;
        y1 += value * weight[w1 + i]!;
        y2 += value * weight[w2 + i]!;
        y3 += value * weight[w3 + i]!;
      }
      output[y + o] = y0;
      output[y + o + 1] = y1;
      output[y + o + 2] = y2;
      output[y + o + 3] = y3;
    }
    for (; o < outputs; o++) {
      const w0 = o * inputs;
      let y0 = bias[o]!;
      for (let i = 0; i < inputs; i++) y0 += input[x + i]! * weight[w0 + i]!;
      output[y + o] = y0;
    }
  }

  #fourRows(input: Float32Array, row: number, output: Float32Array): void {
    const weight = this.weight;
    const bias = this.bias;
    const inputs = this.inputs;
    const outputs = this.outputs;
    const x0 = row * inputs;
    const x1 = x0 + inputs;
    const x2 = x1 + inputs;
    const x3 = x2 + inputs;
    const y = row * outputs;
    let o = 0;
    for (; o + 2 <= outputs; o += 2) {
      const w0 = o * inputs;
      const w1 = w0 + inputs;
      let y00 = bias[o]!;
      let y10 = y00;
      let y20 = y00;
      let y30 = y00;
      let y01 = bias[o + 1]!;
      let y11 = y01;
      let y21 = y01;
      let y31 = y01;
      for (let i = 0; i < inputs; i++) {
        const a = input[x0 + i]!;
        const b = input[x1 + i]!;
        const c = input[x2 + i]!;
        const d = input[x3 + i]!;
        const u = weight[w0 + i]!;
        y00 += a * u;
        y10 += b * u;
        y20 += c * u;
        y30 += d * u;
        const v = weight[w1 + i]!;
        y01 += a * v;
        y11 += b * v;
        y21 += c * v;
        y31 += d * v;
      }
      const at = y + o;
      output[at] = y00;
      output[at + 1] = y01;
      output[at + outputs] = y10;
      output[at + outputs + 1] = y11;
      output[at + 2 * outputs] = y20;
      output[at + 2 * outputs + 1] = y21;
      output[at + 3 * outputs] = y30;
      output[at + 3 * outputs + 1] = y31;
    }
    if (o === outputs) return;
    for (let r = 0; r < 4; r++) {
      let sum = bias[o]!;
      for (let i = 0; i < inputs; i++) sum += input[x0 + r * inputs + i]! * weight[o * inputs + i]!;
      output[y + r * outputs + o] = sum;
    }
  }
}
