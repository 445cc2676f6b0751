/**
 * Matrices in double precision: what the checks compute their reference values with. Slow and plain.
 *
 * @module
 */

/** A matrix, row-major. */
export interface Matrix {
  /** Rows. */
  readonly rows: number;
  /** Columns. */
  readonly columns: number;
  /** All entries, row by row. */
  readonly values: Float64Array;
}

/** A matrix from its numbers. */
export function matrix(rows: number, columns: number, values: ArrayLike<number>): Matrix {
  return { rows, columns, values: Float64Array.from(values) };
}

/** A number as a matrix. */
export function scalar(value: number): Matrix {
  return matrix(1, 1, [value]);
}

/** f of every entry; `i` counts row by row. */
export function map(x: Matrix, f: (value: number, i: number) => number): Matrix {
  return { rows: x.rows, columns: x.columns, values: x.values.map(f) };
}

/** f of the entries of two matrices of one shape. */
export function zip(a: Matrix, b: Matrix, f: (a: number, b: number) => number): Matrix {
  return map(a, (value, i) => f(value, b.values[i]!));
}

/** x Wᵀ + b for x `[rows, inputs]`, W `[outputs, inputs]`, b `[1, outputs]`. */
export function affine(x: Matrix, weight: Matrix, bias: Matrix): Matrix {
  const values = new Float64Array(x.rows * weight.rows);
  const { rows, columns: inputs, values: xs } = x;
  const { rows: outputs, values: ws } = weight;
  for (let r = 0; r < rows; r++) {
    for (let o = 0; o < outputs; o++) {
      let total = bias.values[o]!;
      const at = r * inputs;
      const w = o * inputs;
      for (let i = 0; i < inputs; i++) total += xs[at + i]! * ws[w + i]!;
      values[r * outputs + o] = total;
    }
  }
  return { rows, columns: outputs, values };
}

/** Matrices of equal rows side by side. */
export function beside(...parts: readonly Matrix[]): Matrix {
  const { rows } = parts[0]!;
  const columns = parts.reduce((total, part) => total + part.columns, 0);
  const values = new Float64Array(rows * columns);
  let start = 0;
  for (const part of parts) {
    for (let r = 0; r < rows; r++) {
      values.set(
        part.values.subarray(r * part.columns, (r + 1) * part.columns),
        r * columns + start,
      );
    }
    start += part.columns;
  }
  return { rows, columns, values };
}

/** f of every row, which gives a row. */
export function mapRows(x: Matrix, f: (row: Float64Array, r: number) => number[]): Matrix {
  const rows = Array.from(
    { length: x.rows },
    (_, r) => f(x.values.subarray(r * x.columns, (r + 1) * x.columns), r),
  );
  return matrix(x.rows, rows[0]!.length, rows.flat());
}

/** Sum of f over the entries. */
export function sum(x: Matrix, f: (value: number, i: number) => number = (value) => value): number {
  return x.values.reduce((total, value, i) => total + f(value, i), 0);
}

/** Mean over the entries. */
export function mean(x: Matrix): number {
  return sum(x) / x.values.length;
}

/** The smallest of the matrices, entry by entry. */
export function smallest(matrices: readonly Matrix[]): Matrix {
  return matrices.reduce((a, b) => zip(a, b, Math.min));
}

/** x with entry `i` moved by `by`. */
export function nudged(x: Matrix, i: number, by: number): Matrix {
  const moved = map(x, (value) => value);
  moved.values[i]! += by;
  return moved;
}

/** max(x, 0). */
export function relu(x: number): number {
  return Math.max(x, 0);
}

/** log(1 + exp x), as PyTorch's: x itself above 20. */
export function softplus(x: number): number {
  return x > 20 ? x : Math.log1p(Math.exp(x));
}

/** x tanh(softplus x). */
export function mish(x: number): number {
  return x * Math.tanh(softplus(x));
}

/** Share of a standard normal distribution below x, by a series of positive terms. */
export function normalBelow(x: number): number {
  const z = Math.abs(x);
  if (z > 9) return x > 0 ? 1 : 0;
  let term = z;
  let total = z;
  for (let n = 3; term > 1e-17 * total; n += 2) {
    term *= (z * z) / n;
    total += term;
  }
  const half = (total * Math.exp((-z * z) / 2)) / Math.sqrt(2 * Math.PI);
  return x > 0 ? 0.5 + half : 0.5 - half;
}

/** x Φ(x), PyTorch's default form of GELU. */
export function gelu(x: number): number {
  return x * normalBelow(x);
}
