/**
 * The task of a run, as recorded in its `config.json`.
 *
 * @module
 */
import { type Family, findTask, type OwnTask, type Task } from "../data/catalog.ts";
import { taskOfOwn } from "../data/own_task.ts";
import type { Provenance } from "./run.ts";
import type { Json, RunConfig } from "./config.ts";

/** Returns the record of a custom task for `config.json`. */
export function recordOfOwn(
  { family, environment, actionBounds }: OwnTask,
): { [key: string]: Json } {
  return {
    family,
    id: environment?.id ?? null,
    server: environment?.server ?? null,
    action_low: actionBounds?.low ?? null,
    action_high: actionBounds?.high ?? null,
  };
}

/** Returns the metadata of a custom task for policy files; empty for D4RL tasks. */
export function ownProvenance(
  { own }: { readonly own?: OwnTask | null },
): Partial<Provenance> {
  return {
    ...(own?.environment && { server: own.environment.server }),
    ...(own?.actionBounds && {
      action_low: JSON.stringify(own.actionBounds.low),
      action_high: JSON.stringify(own.actionBounds.high),
    }),
  };
}

/** Returns the custom task described by `config.json`; null if the run's task is a D4RL task. */
export function ownTaskOf({ environment: record }: RunConfig): OwnTask | null {
  if (record === undefined) return null;
  const { family, id, server, action_low: low, action_high: high } = record;
  return {
    family: family as Family,
    environment: id === null ? null : { id: id as string, server: server as string },
    actionBounds: low === null ? null : { low: low as number[], high: high as number[] },
  };
}

/**
 * Returns the task of a run.
 *
 * @throws {UserError} If it is a D4RL task that is unknown to this version.
 */
export function taskOfRun(config: RunConfig): Task {
  const own = ownTaskOf(config);
  return own === null ? findTask(config.task) : taskOfOwn(config.task, own);
}
