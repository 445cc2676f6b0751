/**
 * Shapes of operands, and their checks.
 *
 * @module
 */
import { Tensor, type TensorShape } from "../tensor.ts";

/**
 * Rejects a concatenation with padding between its parts, for operations that distinguish columns
 * from padding only by their index.
 */
export function requireNoGaps(operation: string, x: Tensor): void {
  if (x.gaps) {
    throw new Error(
      `${operation}: ${x} is a concatenation with padding between its parts; apply it to the parts`,
    );
  }
}

/** Returns the shape options for a new tensor with the shape of `tensor`. */
export function shapeOf({ replicas, rows, columns, segments }: Tensor): TensorShape {
  return { replicas, rows, columns, segments };
}

/**
 * Rejects an operand that does not have the rows and columns of `shape`, or whose replicas are not
 * shared evenly by those of `shape`.
 */
export function requireShape(
  operation: string,
  operand: string,
  tensor: Tensor,
  shape: TensorShape,
): void {
  const expected = new Tensor(shape);
  if (
    expected.replicas % tensor.replicas !== 0 || tensor.rows !== expected.rows ||
    !tensor.alignedWith(expected)
  ) {
    throw new Error(`${operation}: ${operand} must have shape ${expected}, got ${tensor}`);
  }
}

/** Rejects an operand that is not one number per head and row: `[H · replicas, rows, 1]`. */
export function requireHeads(
  operation: string,
  operand: string,
  tensor: Tensor,
  { replicas, rows }: Pick<TensorShape, "replicas" | "rows">,
): void {
  if (tensor.replicas % replicas !== 0 || tensor.rows !== rows || tensor.columns !== 1) {
    throw new Error(
      `${operation}: ${operand} must have shape [heads * ${replicas}, ${rows}, 1], got ${tensor}`,
    );
  }
}
