/**
 * `train` on data that are no D4RL task's: whose hyperparameters are the defaults, in which environment
 * policies are evaluated, and the range of the actions.
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

/** The families that a person chooses from, and whose values they stand for. */
const families: Readonly<Record<"locomotion" | "maze", Family>> = {
  locomotion: "locomotion",
  maze: "antmaze",
};

/** The flags of `train` that describe a task of one's own. */
export const ownTaskFlags = {
  family: choice(
    "Whose hyperparameters are the defaults for data of no D4RL task (docs/own-task.md): those of " +
      "locomotion, or of antmaze",
    ["locomotion", "maze"],
  ),
  env: text(
    "Environment in which policies trained on such data are evaluated, for example Pendulum-v1",
    { valueName: "ID", shown: "the one that the file's metadata name" },
  ),
  server: choice("Where that environment is: bridge/gym_server.py, or built in", [
    "python",
    "wasm",
  ], { shown: "the one in the metadata, or the one that has it" }),
} as const;

/** Values of {@linkcode ownTaskFlags}. */
export interface OwnTaskFlags {
  /** See {@linkcode ownTaskFlags}. */
  readonly family: "locomotion" | "maze" | undefined;
  /** Likewise. */
  readonly env: string | undefined;
  /** Likewise. */
  readonly server: "python" | "wasm" | undefined;
}

/** What else decides how a task of one's own is trained. */
export interface OwnTaskSetting {
  /** The algorithm's hyperparameters. */
  readonly table: HyperparameterTable;
  /** Preset of those that are not given. */
  readonly preset: Preset;
  /** Those that are given. */
  readonly overrides: HyperparameterValues;
  /** Whether policies are to be evaluated. */
  readonly evaluates: boolean;
}

/**
 * The task that files of no D4RL task are data of. Where policies are to be evaluated, the environment
 * is asked for once, so that nothing is trained for one that is not there or does not fit.
 *
 * @throws {UserError} Neither the family nor the hyperparameters that it decides are given; the
 * environment is not there, or of other sizes or another range of actions than the data.
 */
export async function ownTaskOfFiles(
  paths: readonly string[],
  flags: OwnTaskFlags,
  setting: OwnTaskSetting,
): Promise<Task> {
  const family = familyOf(paths, flags.family, setting);
  const recorded = await readRecordedTask(paths);
  const environment = environmentOf(flags, recorded);
  const spec = environment === null || !setting.evaluates ? null : await specOf(environment);
  if (spec !== null) checkSpec(spec, recorded);
  const name = environment?.id ?? basename(paths[0]!).replace(/\.h(df)?5$/i, "");
  const bounds = recorded.actionBounds ?? (spec && boundsOf(spec));
  return taskOfOwn(name, { family, environment, actionBounds: boundsToScale(bounds) });
}

function familyOf(
  paths: readonly string[],
  given: OwnTaskFlags["family"],
  { table, preset, overrides }: OwnTaskSetting,
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
    } is data of no D4RL task. Say with --family locomotion or --family maze whose ` +
      `hyperparameters are the defaults (or give those that differ between them: ${
        open.map((name) => `--${table.flagName(name)}`).join(", ")
      }); or with --task which D4RL task it is data of, for example --task hopper-medium-v2`,
  );
}

function environmentOf(
  { env, server }: OwnTaskFlags,
  recorded: RecordedTask,
): OwnEnvironment | null {
  if (env === undefined && server !== undefined && recorded.environment === null) {
    throw new UserError(`--server ${server} needs the environment: --env ID`);
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
    throw new UserError(`${error.message}. To train without evaluations, add --eval-episodes 0`);
  }
}

function checkSpec(spec: EnvironmentSpec, recorded: RecordedTask): void {
  const { id, observationSize, actionSize } = spec;
  const files = recorded.sources.map(({ path }) => path).join(", ");
  if (recorded.observationSize !== observationSize || recorded.actionSize !== actionSize) {
    throw new UserError(
      `${files}: each row has ${recorded.observationSize} observation and ${recorded.actionSize} ` +
        `action entries; ${id} has ${observationSize} and ${actionSize}. Name the environment that ` +
        "the data are from with --env, or leave out evaluations with --eval-episodes 0",
    );
  }
  const { actionBounds } = recorded;
  const own = boundsOf(spec);
  if (actionBounds === null || own === null || boundsText(actionBounds) === boundsText(own)) return;
  throw new UserError(
    `${files}: the actions range over ${
      boundsText(actionBounds)
    } by its metadata, those of ${id} ` +
      `over ${boundsText(own)}; name the environment that the data are from with --env`,
  );
}

/** The range of an environment's actions; null where an entry has no end. */
function boundsOf({ actionLow: low, actionHigh: high }: EnvironmentSpec): ActionBounds | null {
  const bounds = { low, high };
  return areBounds(bounds) ? bounds : null;
}
