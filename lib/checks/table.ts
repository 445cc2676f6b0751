/**
 * The table of checks: every operation of the engine and every loss of the algorithms. The test
 * suite and `gradcheck` run it. An operation that no check covers fails both.
 *
 * @module
 */
import { type OperationName, operationNames } from "../autodiff/operations.ts";
import type { Check } from "./check.ts";
import { countedChecks } from "./counted.ts";
import { diffusionChecks } from "./diffusion.ts";
import { elementwiseChecks } from "./elementwise.ts";
import { entrywiseChecks } from "./entrywise.ts";
import { layerNormChecks } from "./layer_norm.ts";
import { linearChecks } from "./linear.ts";
import { lossChecks } from "./losses.ts";
import { reductionChecks } from "./reductions.ts";
import { rowChecks } from "./rows.ts";
import { optimizerChecks } from "./optimizer.ts";
import { samplingChecks } from "./sampling.ts";
import type { Session } from "./session.ts";
import { stageChecks } from "./stages.ts";

/** All checks. */
export const checks: readonly Check[] = [
  ...linearChecks,
  ...entrywiseChecks,
  ...elementwiseChecks,
  ...reductionChecks,
  ...rowChecks,
  ...layerNormChecks,
  ...diffusionChecks,
  ...samplingChecks,
  ...lossChecks,
  ...countedChecks,
  ...optimizerChecks,
  ...stageChecks,
];

/** Checks of matrix products, which have variants to choose from. */
export const productChecks: readonly Check[] = linearChecks;

/** Result of a case. */
export interface Measurement {
  /** Name of the check. */
  readonly operation: string;
  /** Sizes. */
  readonly shape: string;
  /** Number of seeds, computed in parallel. */
  readonly replicas: number;
  /** Largest error relative to its tensor's largest entry; infinity for NaN. */
  readonly error: number;
  /** Maximum error that passes. */
  readonly limit: number;
  /** Whether the error is within the limit. */
  readonly passed: boolean;
}

/** Measures the cases of the chosen checks one after another. */
export async function* measureAll(
  session: Session,
  chosen: readonly Check[],
): AsyncGenerator<Measurement> {
  for (const { name, limit, cases } of chosen) {
    for (const { shape, replicas, measure } of cases) {
      const error = await measure(session);
      yield { operation: name, shape, replicas, error, limit, passed: error <= limit };
    }
  }
}

/** Returns the registered operations that the session has not computed. */
export function unchecked(session: Session): OperationName[] {
  return operationNames().filter((name) => !session.operations.has(name));
}
