/**
 * Differences between runs, and whether their scores are comparable.
 *
 * @module
 */
import type { Json, RunConfig } from "../runs/config.ts";
import type { RunRecord } from "./run_record.ts";

/** A setting that differs between runs. */
export interface Difference {
  /** Name of the setting, for example `hyperparameters.beta`. */
  readonly setting: string;
  /** Its value in each run; undefined where a run does not have it. */
  readonly values: readonly (Json | undefined)[];
}

/** Returns the settings in which runs differ, in the order of `config.json`. */
export function differencesOf(...runs: readonly Pick<RunRecord, "config">[]): Difference[] {
  const settings = runs.map(({ config }) => new Map(flattened(config)));
  const names = [...new Set(settings.flatMap((each) => [...each.keys()]))];
  return names.flatMap((setting) => {
    const values = settings.map((each) => each.get(setting));
    return new Set(values.map((value) => JSON.stringify(value))).size === 1
      ? []
      : [{ setting, values }];
  });
}

/** Returns the evaluation protocol of a run. Scores are comparable only if it is the same. */
export function protocolOf({ config, evaluations }: Pick<RunRecord, "config" | "evaluations">) {
  const { task, data, environment, evaluation } = config;
  // Episodes of an evaluation may have been changed when a run was resumed.
  const episodes = [...new Set(evaluations.map(({ episodes }) => episodes.length))];
  return {
    task,
    data: data.sha256,
    environment: environment?.["id"] ?? null,
    "episodes per evaluation": episodes.length > 0 ? episodes.join(" or ") : evaluation?.episodes,
  };
}

/**
 * Returns the names of the protocol's parts in which runs differ; empty if they can be compared.
 */
export function protocolDifferences(
  ...runs: readonly Pick<RunRecord, "config" | "evaluations">[]
): string[] {
  const protocols = runs.map(protocolOf);
  const names = Object.keys(protocols[0] ?? {}) as (keyof ReturnType<typeof protocolOf>)[];
  return names.filter((name) => new Set(protocols.map((each) => String(each[name]))).size > 1);
}

/** Lists the settings with their path, lists as one value. */
function flattened(config: RunConfig): [setting: string, value: Json][] {
  const walk = (value: Json, path: string): [string, Json][] =>
    value === null || typeof value !== "object" || Array.isArray(value)
      ? [[path, value]]
      : Object.entries(value).flatMap(([name, each]) =>
        each === undefined ? [] : walk(each, path === "" ? name : `${path}.${name}`)
      );
  return walk(config as unknown as Json, "");
}
