/**
 * Named tensors, as a checkpoint holds them, and what is expected of them.
 *
 * @module
 */
import { UserError } from "../../errors.ts";

/** Tensors by name, and what to call their source (a file's path) in messages. */
export interface NamedTensors {
  /** Whose tensors they are, for messages. */
  readonly source: string;
  /** Row-major, outermost size first. */
  readonly tensors: ReadonlyMap<
    string,
    { readonly shape: readonly number[]; readonly data: ArrayLike<number> | ArrayLike<bigint> }
  >;
}

/**
 * The float32 tensor `name`.
 *
 * @param shape What its shape must be; null stands for any size.
 * @throws {UserError} It is absent, not float32, or of another shape.
 */
export function tensor(
  from: NamedTensors,
  name: string,
  shape: readonly (number | null)[],
): { readonly shape: readonly number[]; readonly data: Float32Array } {
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
  if (!(found.data instanceof Float32Array)) {
    throw new UserError(
      `${from.source}: tensor ${name} should be float32, it is a ${found.data.constructor.name}`,
    );
  }
  return { shape: found.shape, data: found.data };
}
