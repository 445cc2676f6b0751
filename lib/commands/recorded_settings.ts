/**
 * Settings that the `config.json` of a run records, checked against what its algorithm has.
 *
 * @module
 */
import type { Algorithm, Sweep } from "../algorithms/algorithm.ts";
import type { HyperparameterValues } from "../algorithms/hyperparameters.ts";
import type { Task } from "../data/catalog.ts";
import { UserError } from "../errors.ts";
import {
  forms,
  matmulVariants,
  parseTiles,
  shapeClasses,
  type Target,
  targetOf,
} from "../gpu/target.ts";
import type { RunConfig } from "../runs/config.ts";
import type { RunDirectory } from "../runs/directory.ts";

/**
 * Returns the hyperparameters in `config.json`, which must have all of them and no others. Those
 * that an earlier version did not have get the value that describes its runs.
 */
export function recordedHyperparameters(
  { hyperparameters: table }: Algorithm,
  directory: RunDirectory,
  { hyperparameters: recorded }: RunConfig,
  task: Task,
): HyperparameterValues {
  const former = table.names.flatMap((name) => {
    const value = table.rows[name]!.former;
    return value === undefined ? [] : [[name, value] as const];
  });
  const hyperparameters = { ...Object.fromEntries(former), ...recorded };
  const missing = table.names.find((name) => !Object.hasOwn(hyperparameters, name));
  const unknown = Object.keys(hyperparameters).find((name) => !table.names.includes(name));
  if (missing !== undefined || unknown !== undefined) {
    throw new UserError(
      `${directory.config}: field "hyperparameters.${missing ?? unknown}" is ` +
        (missing !== undefined ? "missing" : "unknown to this version"),
    );
  }
  try {
    return table.valuesFor(task, "paper", hyperparameters as HyperparameterValues);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    throw new UserError(`${directory.config}: field "hyperparameters": ${error.message}`);
  }
}

/** Returns the swept lists in `config.json`. */
export function recordedSweep(
  { sweeps, hyperparameters: table }: Algorithm,
  directory: RunDirectory,
  config: RunConfig,
  task: Task,
): Sweep {
  for (const [list, values] of Object.entries(config.sweep ?? {})) {
    const field = `${directory.config}: field "sweep.${list}"`;
    const swept = sweeps.find((sweep) => sweep.list === list);
    if (swept === undefined) {
      throw new UserError(
        `${field} is unknown to this version; known lists are ${
          sweeps.map((sweep) => sweep.list).join(", ")
        }`,
      );
    }
    try {
      for (const value of values) {
        table.valuesFor(
          task,
          "paper",
          {
            ...config.hyperparameters,
            [swept.hyperparameter]: value,
          } as HyperparameterValues,
        );
      }
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      throw new UserError(`${field}: ${error.message}`);
    }
  }
  return (config.sweep ?? {}) as Sweep;
}

/** Rejects stages in `config.json` that the algorithm does not have, or repeats. */
export function checkRecordedStages(
  { stages }: Algorithm,
  directory: RunDirectory,
  config: RunConfig,
): void {
  const names = stages.map(({ name }) => name);
  const distinct = new Set(config.stages).size === config.stages.length;
  if (distinct && config.stages.every((name) => names.includes(name))) return;
  throw new UserError(
    `${directory.config}: field "stages" needs distinct names of ${names.join(", ")}, found ` +
      JSON.stringify(config.stages),
  );
}

/**
 * Returns the kernel variants in `config.json`. Older versions recorded no tiles; their runs get
 * the tiles that the recorded variant has now.
 */
export function recordedTarget(directory: RunDirectory, { adapter }: RunConfig): Target {
  const { matmul, tiles } = adapter;
  const known = matmulVariants.find((variant) => variant === matmul);
  if (known === undefined && matmul !== "mixed") {
    throw new UserError(
      `${directory.config}: field "adapter.matmul" needs one of ${matmulVariants.join(", ")}, ` +
        `mixed, found ${JSON.stringify(matmul)}; --matmul replaces it`,
    );
  }
  if (known !== undefined && tiles === undefined) return targetOf(known);
  const parsed = parseTiles(tiles);
  if (parsed === null) {
    throw new UserError(
      `${directory.config}: field "adapter.tiles" needs a tile like lanes-32x4-8x1-4 for each of ` +
        `${forms.join(", ")} and each of ${shapeClasses.join(", ")}; --matmul replaces it`,
    );
  }
  return { matmul: known ?? "mixed", tiles: parsed };
}
