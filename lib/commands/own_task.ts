/**
 * Custom tasks for `train`: data that belong to no D4RL task. Determines the default
 * hyperparameters, the evaluation environment and the action range.
 *
 * @module
 */
import { basename } from "node:path";
import type { HyperparameterTable, HyperparameterValues } from "../algorithms/hyperparameters.ts";
import type { Preset } from "../algorithms/hyperparameters.ts";
import type { Family, OwnEnvironment, Task } from "../data/catalog.ts";
import { boundsToScale, readRecordedTask, type RecordedTask, taskOfOwn } from "../data/own_task.ts";
import { openEnvironment } from "../envs/bridge/open.ts";
import type { EnvironmentSpec } from "../envs/environment.ts";
import { environments } from "../envs/ids.ts";
import { makeEnvironment } from "../envs/registry.ts";
import { UserError } from "../errors.ts";
import { type ActionBounds, areBounds, boundsText } from "../nn/host/action_bounds.ts";
import { choice, text } from "./flags.ts";

/** Choices of `--family`, and the family whose default values they select. */
const families: Readonly<Record<"locomotion" | "maze", Family>> = {
  locomotion: "locomotion",
  maze: "antmaze",
};

/** The flags of `train` that describe a custom task. */
export const ownTaskFlags = {
  family: choice(
    "Default hyperparameters for data that belong to no D4RL task (docs/own-task.md): those for " +
      "locomotion, or those for antmaze",
    ["locomotion", "maze"],
  ),
  env: text(
    "Evaluation environment for such data, for example Pendulum-v1",
    { valueName: "ID", shown: "the environment in the file's metadata" },
  ),
  server: choice("Server of that environment: python (bridge/) or wasm (built in)", [
    "python",
    "wasm",
  ], { shown: "the server in the metadata, or the one with that environment" }),
} as const;

/** Values of {@linkcode ownTaskFlags}. */
export interface OwnTaskFlags {
  /** Choice of the default hyperparameters. */
  readonly family: "locomotion" | "maze" | undefined;
  /** Id of the evaluation environment. */
  readonly env: string | undefined;
  /** Server of the evaluation environment. */
  readonly server: "python" | "wasm" | undefined;
}

/** Settings, besides the flags above, that a custom task depends on. */
export interface OwnTaskSetting {
  /** The algorithm's hyperparameters. */
  readonly table: HyperparameterTable;
  /** Preset of the hyperparameters that were not given. */
  readonly preset: Preset;
  /** The given hyperparameters. */
  readonly overrides: HyperparameterValues;
  /** Whether policies are evaluated. */
  readonly evaluates: boolean;
}

/**
 * Returns the custom task of files that belong to no D4RL task. If policies are evaluated, or the
 * given environment alone knows the range of the actions, the environment is opened once. So a
 * missing or unsuitable one is rejected before training.
 *
 * @throws {UserError} If neither the family nor the hyperparameters that depend on it are given, or
 * the environment is missing, or its sizes or action range differ from the data's.
 */
export async function ownTaskOfFiles(
  paths: readonly string[],
  flags: OwnTaskFlags,
  setting: OwnTaskSetting,
): Promise<Task> {
  const family = familyOf(paths, flags.family, setting);
  const recorded = await readRecordedTask(paths);
  const environment = environmentOf(flags, recorded);
  // The range of the actions may be known only from the environment.
  const asked = setting.evaluates || flags.env !== undefined && recorded.actionBounds === null;
  const spec = environment === null || !asked ? null : await specOf(environment);
  if (spec !== null) checkSpec(spec, recorded);
  const name = environment?.id ?? basename(paths[0]!).replace(/\.h(df)?5$/i, "");
  const bounds = recorded.actionBounds ?? (spec && boundsOf(spec));
  return taskOfOwn(name, { family, environment, actionBounds: boundsToScale(bounds) });
}

/**
 * Returns the family that sets the default hyperparameters.
 *
 * @throws {UserError} It is not given, and neither are all hyperparameters that depend on it.
 */
export function familyOf(
  paths: readonly string[],
  given: OwnTaskFlags["family"],
  { table, preset, overrides }: Omit<OwnTaskSetting, "evaluates">,
): Family {
  if (given !== undefined) return families[given];
  const open = table.names.filter((name) => {
    const { locomotion, antmaze } = table.rows[name]!.defaults[preset];
    return overrides[name] === undefined && locomotion !== antmaze;
  });
  if (open.length === 0) return "locomotion";
  throw new UserError(
    `${
      paths.join(", ")
    } belongs to no D4RL task. Choose the default hyperparameters with --family locomotion or ` +
      `--family maze (or give those that differ between the two: ${
        open.map((name) => `--${table.flagName(name)}`).join(", ")
      }), or name a D4RL task with --task, for example --task hopper-medium-v2`,
  );
}

function environmentOf(
  { env, server }: OwnTaskFlags,
  recorded: RecordedTask,
): OwnEnvironment | null {
  if (env === undefined && server !== undefined && recorded.environment === null) {
    throw new UserError(`--server ${server} needs an environment: --env ID`);
  }
  const id = env ?? recorded.environment;
  if (id === null) return null;
  const known = env === undefined || env === recorded.environment ? recorded.server : null;
  return { id, server: server ?? known ?? (environments.has(id) ? "wasm" : "python") };
}

async function specOf({ id, server }: OwnEnvironment): Promise<EnvironmentSpec> {
  try {
    const opened = server === "wasm"
      ? await makeEnvironment(id, 1)
      : await openEnvironment({ server }, id, 1);
    await opened.close();
    return "spec" in opened ? opened.spec : opened.environment.spec;
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    throw new UserError(`${error.message}. To train without evaluation, add --eval-episodes 0`);
  }
}

function checkSpec(spec: EnvironmentSpec, recorded: RecordedTask): void {
  const { id, observationSize, actionSize } = spec;
  const files = recorded.sources.map(({ path }) => path).join(", ");
  if (recorded.observationSize !== observationSize || recorded.actionSize !== actionSize) {
    throw new UserError(
      `${files}: each row has ${recorded.observationSize} observation and ${recorded.actionSize} ` +
        `action entries, but ${id} has ${observationSize} and ${actionSize}. Name the data's ` +
        "environment with --env, or disable evaluation with --eval-episodes 0",
    );
  }
  const { actionBounds } = recorded;
  const own = boundsOf(spec);
  if (actionBounds === null || own === null || boundsText(actionBounds) === boundsText(own)) return;
  throw new UserError(
    `${files}: the metadata give the action range ${boundsText(actionBounds)}, but ${id} has ` +
      `${boundsText(own)}; name the data's environment with --env`,
  );
}

/** Returns an environment's action range; null if an entry is unbounded. */
function boundsOf({ actionLow: low, actionHigh: high }: EnvironmentSpec): ActionBounds | null {
  const bounds = { low, high };
  return areBounds(bounds) ? bounds : null;
}
