/**
 * `eval --fqe`: the return of a policy estimated from data, without an environment.
 *
 * @module
 */
import { loadDataset } from "../data/dataset.ts";
import { boundsToScale, readingOptions, readRecordedTask } from "../data/own_task.ts";
import type { OfflineDataset } from "../data/offline_dataset.ts";
import { resolveData } from "../data/resolve.ts";
import { UserError } from "../errors.ts";
import type { Policy, RemotePolicy } from "../nn/host/policy.ts";
import type { FittedQEstimate } from "../runs/fitted_q.ts";
import { Progress, standardError } from "../runs/progress.ts";
import { type FlagValues, integer, number, seeds, text } from "./flags.ts";

/** The flags of `eval` for fitted Q evaluation. */
export const fqeFlags = {
  fqe: text(
    "Estimate the policy's discounted return from this data set by fitted Q evaluation: an HDF5 " +
      "file or a task name (docs/data.md); with --episodes 0, no environment is needed",
    { valueName: "DATA" },
  ),
  "fqe-steps": integer("Training steps of fitted Q evaluation", {
    min: 1,
    max: 1e9,
    shown: "10000",
  }),
  "fqe-discount": number("Discount factor of fitted Q evaluation", {
    min: 0,
    max: 0.9999,
    shown: "0.99",
  }),
  "fqe-seeds": seeds("Seeds of fitted Q evaluation, trained together", { shown: "0-4" }),
} as const;

type Flags = FlagValues<typeof fqeFlags>;

/** Estimates the return of a policy whose actions are within [−1, 1]. */
export type Estimator = (
  policy: Policy | RemotePolicy,
  signal: AbortSignal,
) => Promise<FittedQEstimate>;

/**
 * Reads the data of `--fqe`, so that invalid data are rejected before anything else is done.
 *
 * @returns Null if the flag is not given.
 * @throws {UserError} If the data cannot be read, or another flag needs `--fqe`.
 */
export async function openEstimator(flags: Flags): Promise<Estimator | null> {
  if (flags.fqe === undefined) {
    const stray = (["fqe-steps", "fqe-discount", "fqe-seeds"] as const)
      .find((name) => flags[name] !== undefined);
    if (stray !== undefined) throw new UserError(`--${stray} needs --fqe DATA`);
    return null;
  }
  const dataset = await read(flags.fqe);
  const steps = flags["fqe-steps"];
  const discount = flags["fqe-discount"];
  const options = {
    ...(steps !== undefined && { steps }),
    ...(discount !== undefined && { discount }),
  };
  return async (policy, signal) => {
    const { Engine } = await import("../autodiff/engine.ts");
    const { fittedQEstimate } = await import("../runs/fitted_q.ts");
    const { VariantFile } = await import("../runs/variant_memory.ts");
    using engine = await Engine.open(undefined, new VariantFile());
    const begin = performance.now();
    let line: Progress | null = null;
    const estimate = await fittedQEstimate(
      engine,
      dataset,
      policy,
      options,
      flags["fqe-seeds"] ?? [0, 1, 2, 3, 4],
      {
        // Acting takes long only for policies that are slow to act.
        acted: (rows, total) => {
          if (rows === total || performance.now() - begin < 1000) return;
          line ??= new Progress("act", total, standardError(), rows);
          line.update(rows, {});
        },
        trained: (step, total, loss) => {
          if (step === 1) line = new Progress("fqe", total, standardError());
          line?.update(step, { loss });
        },
      },
      signal,
    );
    (line as Progress | null)?.finish();
    return estimate;
  };
}

async function read(what: string): Promise<OfflineDataset> {
  const { task, paths } = await resolveData(what);
  if (task !== null) return await loadDataset(paths, readingOptions(task));
  const bounds = boundsToScale((await readRecordedTask(paths)).actionBounds);
  return await loadDataset(paths, bounds === null ? {} : { actionBounds: bounds });
}

/** Returns the lines of an estimate. */
export function estimateText(
  { values, mean, interval, starts, discount, steps }: FittedQEstimate,
): string {
  const number = (value: number) => value.toPrecision(4);
  return [
    `estimate     ${number(mean)}` +
    (interval === null ? "" : `, 95 % interval ${number(interval[0])} to ${number(interval[1])}`) +
    ` (discounted return, γ = ${discount})`,
    `             fitted Q evaluation: ${values.length} seeds, ${steps} steps, the mean over ` +
    `${starts} starts of episodes in the data`,
  ].join("\n");
}
