/**
 * Rejects flags without effect: of stages that are not trained, and of values that another flag
 * makes meaningless. `config.json` would record them.
 *
 * @module
 */
import type { Algorithm } from "../algorithms/algorithm.ts";
import type { HyperparameterValues } from "../algorithms/hyperparameters.ts";
import { UserError } from "../errors.ts";
import { stageOf } from "../runs/replicas.ts";

/**
 * Checks that every given hyperparameter has an effect.
 *
 * @param trained Names of the stages to train.
 * @param given Values of the given flags.
 * @param from Directory of the run that provides the earlier stages, if any. That run also fixes
 * the shapes of their networks.
 * @throws {UserError} If a flag belongs to a stage that is not trained.
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
      `--${table.flagName(name)} has no effect: it belongs to the ${users.join(" and ")} stage, ` +
        (from === undefined
          ? `but only --stage ${trained.join(", ")} is trained`
          : `which is taken from ${from}`) +
        "; remove it",
    );
  }
}

/**
 * Checks that every given hyperparameter that depends on another one has an effect.
 *
 * @param given Values of the given flags.
 * @param values The hyperparameters of each variant.
 * @throws {UserError} If a flag has no effect in any variant.
 */
export function refuseIneffectiveFlags(
  { sweeps, hyperparameters: table }: Algorithm,
  given: Readonly<Partial<HyperparameterValues>>,
  values: readonly HyperparameterValues[],
): void {
  for (const { hyperparameter, only } of sweeps) {
    if (only === undefined || given[hyperparameter] === undefined || values.some(only.holds)) {
      continue;
    }
    throw new UserError(
      `--${table.flagName(hyperparameter)} has an effect only with ${only.flags}; remove it`,
    );
  }
}
