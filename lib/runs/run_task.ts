/**
 * The task of a run, as its `config.json` records it.
 *
 * @module
 */
import { type Family, findTask, type OwnTask, type Task } from "../data/catalog.ts";
import { taskOfOwn } from "../data/own_task.ts";
import type { Provenance } from "./training_run.ts";
import type { Json, RunConfig } from "./directory.ts";

/** What `config.json` keeps of a task of one's own. */
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

/** What the policy files of a task say of it, where it is one's own. */
export function ownProvenance({ own }: Task): Partial<Provenance> {
  return {
    ...(own?.environment && { server: own.environment.server }),
    ...(own?.actionBounds && {
      action_low: JSON.stringify(own.actionBounds.low),
      action_high: JSON.stringify(own.actionBounds.high),
    }),
  };
}

/** The task of one's own that `config.json` describes; null where the run's task is D4RL's. */
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
 * The task of a run.
 *
 * @throws {UserError} It is a D4RL task that this version does not know.
 */
export function taskOfRun(config: RunConfig): Task {
  const own = ownTaskOf(config);
  return own === null ? findTask(config.task) : taskOfOwn(config.task, own);
}
