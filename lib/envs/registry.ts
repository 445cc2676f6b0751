import type { EnvironmentBatch } from "./environment.ts";
import { environments } from "./ids.ts";
import { MujocoBatch } from "./mujoco/batch.ts";
import type { Profile } from "./mujoco/mjcf.ts";
import { referenceReturn } from "./scores.ts";
import { collectionTask, taskOf, unknownId } from "./tasks.ts";

/** Returns all ids accepted by {@link makeEnvironment}. */
export function environmentIds(): string[] {
  return [...environments.keys()];
}

/**
 * Creates a batch of `count` built-in environments, simulated in this process.
 *
 * @param id A robot (`hopper`), a gym id (`Hopper-v4`) or a D4RL task (`hopper-medium-v2`).
 * @param options.profile Physics. Default: the physics of the published results for this id.
 * @param options.collection Whether episodes start, and have their goals, where those of D4RL's
 * data for this id do, instead of where evaluations do.
 * @throws {UserError} If the id is unknown.
 */
export async function makeEnvironment(
  id: string,
  count: number,
  options: { profile?: Profile; collection?: boolean } = {},
): Promise<EnvironmentBatch> {
  const known = environments.get(id);
  if (known === undefined) throw unknownId(id);
  const collecting = options.collection ? collectionTask(id, known.task) : null;
  const profile = options.profile ?? known.profile;
  return await MujocoBatch.create(
    collecting ?? taskOf(id),
    count,
    profile,
    id,
    referenceReturn(id),
  );
}
