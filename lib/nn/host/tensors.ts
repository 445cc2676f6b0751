/**
 * Named tensors of a checkpoint, and their validation.
 *
 * @module
 */
import { UserError } from "../../errors.ts";

/** Tensors by name, with their source for error messages. */
export interface NamedTensors {
  /** Where the tensors come from, for example a file path. */
  readonly source: string;
  /** Row-major, outermost size first. */
  readonly tensors: ReadonlyMap<
    string,
    { readonly shape: readonly number[]; readonly data: ArrayLike<number> | ArrayLike<bigint> }
  >;
}

/**
 * Returns the float32 tensor `name`.
 *
 * @param shape Required shape; null accepts any size.
 * @throws {UserError} It is missing, not float32, has a wrong shape, or contains NaN or infinity.
 */
export function tensor(
  from: NamedTensors,
  name: string,
  shape: readonly (number | null)[],
): { readonly shape: readonly number[]; readonly data: Float32Array } {
  const found = finiteTensor(from, name, shape);
  if (!(found.data instanceof Float32Array)) {
    throw new UserError(
      `${from.source}: tensor ${name} should be float32, it is a ${found.data.constructor.name}`,
    );
  }
  return { shape: found.shape, data: found.data };
}

/**
 * Returns the one-dimensional float32 or float64 tensor `name` as float64.
 *
 * @throws {UserError} It is missing, has a wrong type or shape, or contains NaN or infinity.
 */
export function doubleVector(from: NamedTensors, name: string, length: number): Float64Array {
  const { data } = finiteTensor(from, name, [length]);
  if (!(data instanceof Float32Array || data instanceof Float64Array)) {
    throw new UserError(
      `${from.source}: tensor ${name} should be float32 or float64, it is a ${data.constructor.name}`,
    );
  }
  return Float64Array.from(data);
}

function finiteTensor(from: NamedTensors, name: string, shape: readonly (number | null)[]) {
  const found = from.tensors.get(name);
  const expected = `[${shape.map((size) => size ?? "any").join(", ")}]`;
  if (found === undefined) {
    throw new UserError(`${from.source}: expected a tensor ${name} of ${expected}, found none`);
  }
  const fits = found.shape.length === shape.length &&
    shape.every((size, i) => size === null || size === found.shape[i]);
  if (!fits) {
    throw new UserError(
      `${from.source}: tensor ${name} should be ${expected}, it is [${found.shape.join(", ")}]`,
    );
  }
  for (let i = 0; i < found.data.length; i++) {
    const value = found.data[i]!;
    if (typeof value === "bigint" || Number.isFinite(value)) continue;
    const place = position(i, found.shape).join(", ");
    throw new UserError(
      `${from.source}: tensor ${name} holds ${value} at [${place}], expected finite numbers`,
    );
  }
  return found;
}

/** Returns the indices of an element of a row-major tensor along each axis. */
function position(element: number, shape: readonly number[]): number[] {
  const indices: number[] = [];
  for (const size of shape.toReversed()) {
    indices.unshift(element % size);
    element = Math.floor(element / size);
  }
  return indices;
}
