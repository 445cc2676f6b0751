/**
 * Identifiers that the files of a run share. `metrics.jsonl` and `results.json` carry the id of
 * their run; checkpoints carry a fingerprint of what they were trained from (`stage_cache.ts`).
 *
 * @module
 */
import { UserError } from "../errors.ts";
import { canonical, sha256 } from "./checksum.ts";
import type { RunConfig } from "./config.ts";

/**
 * Returns the id of a run: 16 hexadecimal digits that depend on the settings in `config.json` that
 * determine what is learned. Resuming a run does not change them.
 */
export function runId(
  { algorithm, task, seeds, data, hyperparameters, sweep = {}, given = [] }: RunConfig,
): string {
  const settings = {
    algorithm,
    task,
    seeds,
    data: data.sha256,
    hyperparameters,
    sweep,
    given: given.map(({ stage, seed, sha256 }) => ({ stage, seed, sha256 })),
  };
  return sha256(canonical(settings)).slice(0, 16);
}

/**
 * Checks that a file belongs to a run. Files of versions before 0.4 have no id and are accepted.
 *
 * @param place The file, and the line if it has several.
 * @throws {UserError} It has the id of another run.
 */
export function assertOwn(place: string, found: string | undefined, id: string): void {
  if (found === undefined || found === id) return;
  throw new UserError(
    `${place} belongs to another run than the config.json beside it: their algorithm, task, data, ` +
      "seeds or hyperparameters differ",
  );
}
