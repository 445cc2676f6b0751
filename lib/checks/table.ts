/**
 * The table of checks: every operation of the engine and every loss of the method. The test suite and
 * `gradcheck` walk it; an operation that no check reaches fails both.
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

/** The checks of what has a kernel variant for each kind of adapter: matrix products. */
export const productChecks: readonly Check[] = linearChecks;

/** What came of one case. */
export interface Measurement {
  /** Name of the check. */
  readonly operation: string;
  /** The sizes. */
  readonly shape: string;
  /** Seeds computed side by side. */
  readonly replicas: number;
  /** The largest error relative to its tensor's largest entry; infinite for NaN. */
  readonly error: number;
  /** Largest error that passes. */
  readonly limit: number;
  /** Whether the error is within the limit. */
  readonly passed: boolean;
}

/** Measures the cases of some checks one after another. */
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

/** Operations that the session's computations have not reached. */
export function unchecked(session: Session): OperationName[] {
  return operationNames().filter((name) => !session.operations.has(name));
}
