/**
 * Matrices in double precision, used to compute the reference values of the checks. Simple and
 * slow.
 *
 * @module
 */

/** A row-major matrix. */
export interface Matrix {
  /** Number of rows. */
  readonly rows: number;
  /** Number of columns. */
  readonly columns: number;
  /** All entries, row by row. */
  readonly values: Float64Array;
}

/** Creates a matrix from its entries in row-major order. */
export function matrix(rows: number, columns: number, values: ArrayLike<number>): Matrix {
  return { rows, columns, values: Float64Array.from(values) };
}

/** Returns a 1 × 1 matrix. */
export function scalar(value: number): Matrix {
  return matrix(1, 1, [value]);
}

/** Applies f to every entry; `i` is the row-major index. */
export function map(x: Matrix, f: (value: number, i: number) => number): Matrix {
  return { rows: x.rows, columns: x.columns, values: x.values.map(f) };
}

/** Applies f to the corresponding entries of two matrices of the same shape. */
export function zip(a: Matrix, b: Matrix, f: (a: number, b: number) => number): Matrix {
  return map(a, (value, i) => f(value, b.values[i]!));
}

/** Returns x Wᵀ + b for x `[rows, inputs]`, W `[outputs, inputs]` and b `[1, outputs]`. */
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

/** Concatenates matrices with the same number of rows along the columns. */
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

/** Applies f to every row. f returns a row of the result. */
export function mapRows(x: Matrix, f: (row: Float64Array, r: number) => number[]): Matrix {
  const rows = Array.from(
    { length: x.rows },
    (_, r) => f(x.values.subarray(r * x.columns, (r + 1) * x.columns), r),
  );
  return matrix(x.rows, rows[0]!.length, rows.flat());
}

/** Returns the sum of f over the entries. */
export function sum(x: Matrix, f: (value: number, i: number) => number = (value) => value): number {
  return x.values.reduce((total, value, i) => total + f(value, i), 0);
}

/** Returns the mean over the entries. */
export function mean(x: Matrix): number {
  return sum(x) / x.values.length;
}

/** Returns the entrywise minimum of the matrices. */
export function smallest(matrices: readonly Matrix[]): Matrix {
  return matrices.reduce((a, b) => zip(a, b, Math.min));
}

/** Returns a copy of x with `by` added to entry `i`. */
export function nudged(x: Matrix, i: number, by: number): Matrix {
  const moved = map(x, (value) => value);
  moved.values[i]! += by;
  return moved;
}

/** Returns max(x, 0). */
export function relu(x: number): number {
  return Math.max(x, 0);
}

/** Returns log(1 + exp x), and x above 20, as PyTorch does. */
export function softplus(x: number): number {
  return x > 20 ? x : Math.log1p(Math.exp(x));
}

/** Returns x tanh(softplus x). */
export function mish(x: number): number {
  return x * Math.tanh(softplus(x));
}

/** Returns Φ(x), the standard normal distribution function, by a series of positive terms. */
export function normalCdf(x: number): number {
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

/** Returns x Φ(x), PyTorch's default form of GELU. */
export function gelu(x: number): number {
  return x * normalCdf(x);
}
