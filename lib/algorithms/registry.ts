/**
 * The registry of algorithms for `train --algorithm`, with one line per algorithm.
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

/** All algorithms by name, with the default first. */
export const algorithms: ReadonlyMap<string, Algorithm> = named([
  srpo,
  iql,
  td3Bc,
  idql,
  diffusionQl,
]);

/** The default algorithm, which is also the algorithm of runs of versions before 0.3. */
export const defaultAlgorithm: Algorithm = srpo;

/**
 * Returns the algorithm called `name`.
 *
 * @param known Algorithms to search.
 * @throws {UserError} If there is no algorithm of this name.
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

/**
 * Loads fitted Q evaluation, which estimates the return of a policy of any algorithm from data. It
 * uses the GPU.
 */
export function fittedQEvaluation(): Promise<typeof import("./fqe/evaluation.ts")> {
  return import("./fqe/evaluation.ts");
}

function named(list: readonly Algorithm[]): ReadonlyMap<string, Algorithm> {
  return new Map(list.map((algorithm) => [algorithm.name, algorithm]));
}
