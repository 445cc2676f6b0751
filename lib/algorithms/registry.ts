/**
 * The algorithms that `train --algorithm` knows: one line for each.
 *
 * @module
 */
import { UserError } from "../errors.ts";
import type { Algorithm } from "./algorithm.ts";
import { idql } from "./idql/algorithm.ts";
import { diffusionQl } from "./diffusion-ql/algorithm.ts";
import { iql } from "./iql/algorithm.ts";
import { srpo } from "./srpo/algorithm.ts";
import { td3Bc } from "./td3-bc/algorithm.ts";

/** The algorithms by name, the default first. */
export const algorithms: ReadonlyMap<string, Algorithm> = named([
  srpo,
  iql,
  td3Bc,
  idql,
  diffusionQl,
]);

/** What is trained where none is named, and what runs of versions before 0.3 were trained with. */
export const defaultAlgorithm: Algorithm = srpo;

/**
 * The algorithm called `name`.
 *
 * @param known Where it is looked for.
 * @throws {UserError} There is none of this name.
 */
export function findAlgorithm(
  name: string = defaultAlgorithm.name,
  known: ReadonlyMap<string, Algorithm> = algorithms,
): Algorithm {
  const found = known.get(name);
  if (found !== undefined) return found;
  throw new UserError(
    `unknown algorithm "${name}"; expected one of ${[...known.keys()].join(", ")}`,
  );
}

function named(list: readonly Algorithm[]): ReadonlyMap<string, Algorithm> {
  return new Map(list.map((algorithm) => [algorithm.name, algorithm]));
}
