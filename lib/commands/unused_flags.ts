/**
 * Refuses flags of stages that are not trained: they would have no effect, and `config.json` would
 * claim that they had.
 *
 * @module
 */
import type { Algorithm } from "../algorithms/algorithm.ts";
import type { HyperparameterValues } from "../algorithms/hyperparameters.ts";
import { UserError } from "../errors.ts";
import { stageOf } from "../runs/replicas.ts";

/**
 * Checks the hyperparameters that were given.
 *
 * @param trained Names of the stages that are trained.
 * @param given Values of the flags that were given.
 * @param from Directory of the run whose stages are taken, if there is one; it has the shapes of their
 * networks too.
 * @throws {UserError} A flag is about a stage that is not trained.
 */
export function refuseUnusedFlags(
  algorithm: Algorithm,
  trained: readonly string[],
  given: Readonly<Partial<HyperparameterValues>>,
  from: string | undefined,
): void {
  const stages = trained.map((name) => stageOf(algorithm, name));
  const groups = stages.flatMap((stage) => stage.groups);
  const shapes = stages.flatMap(({ needs }) => needs)
    .flatMap((name) => stageOf(algorithm, name).shapedBy ?? []);
  const table = algorithm.hyperparameters;
  for (const name of table.names.filter((each) => given[each] !== undefined)) {
    const { group } = table.rows[name]!;
    if (groups.includes(group) || from === undefined && shapes.includes(name)) continue;
    const users = algorithm.stages.filter((stage) => stage.groups.includes(group))
      .map((stage) => stage.name);
    throw new UserError(
      `--${table.flagName(name)} has no effect: it is about the ${users.join(" and ")} stage, ` +
        (from === undefined
          ? `and --stage ${trained.join(", ")} trains no other`
          : `which is ${from}'s`) +
        "; leave it out",
    );
  }
}
