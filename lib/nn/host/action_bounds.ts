/**
 * Conversion of actions between [−1, 1], the range of the networks, and an environment's range.
 *
 * @module
 */
import { UserError } from "../../errors.ts";
import type { Draws, Policy, RemotePolicy } from "./policy.ts";

/** The range of each entry of an environment's actions; all ends are finite. */
export interface ActionBounds {
  /** Lower ends, one for each entry. */
  readonly low: readonly number[];
  /** Upper ends, each above its lower one. */
  readonly high: readonly number[];
}

/** Returns whether every entry ranges from −1 to 1, so that nothing needs scaling. */
export function isUnit({ low, high }: ActionBounds): boolean {
  return low.every((value) => value === -1) && high.every((value) => value === 1);
}

/**
 * Returns whether the bounds are valid: as many lower as upper ends, all finite, each lower below
 * its upper end.
 */
export function areBounds({ low, high }: ActionBounds): boolean {
  return low.length === high.length && low.length > 0 &&
    low.every((value, i) => Number.isFinite(high[i]! - value) && value < high[i]!);
}

/** Converts entry `column` of an action from the environment's range to [−1, 1]. */
export function toUnit(value: number, { low, high }: ActionBounds, column: number): number {
  return 2 * (value - low[column]!) / (high[column]! - low[column]!) - 1;
}

/** Converts entry `column` of an action from [−1, 1] to the environment's range. */
export function fromUnit(value: number, { low, high }: ActionBounds, column: number): number {
  return low[column]! + (value + 1) / 2 * (high[column]! - low[column]!);
}

/** Formats bounds for messages: `[-2, 2]` if all entries have the same, else one pair per entry. */
export function boundsText({ low, high }: ActionBounds): string {
  const pairs = low.map((value, i) => `[${value}, ${high[i]}]`);
  return [...new Set(pairs)].length === 1 ? pairs[0]! : pairs.join(" × ");
}

/**
 * Checks that a policy's actions have the range of the environment's actions.
 *
 * @param source The policy's files, for the message.
 * @param range The environment's range, whose ends may be infinite.
 * @throws {UserError} If the ranges differ.
 */
export function checkRange(
  source: string,
  bounds: ActionBounds | null,
  range: ActionBounds,
  id: string,
): void {
  if (bounds === null || !areBounds(range) || boundsText(range) === boundsText(bounds)) return;
  throw new UserError(
    `${source}: its actions range over ${boundsText(bounds)}, those of ${id} over ` +
      `${boundsText(range)}; name the environment that it was trained for`,
  );
}

/** Returns `policy` with its actions scaled from [−1, 1] to `bounds`. */
export function scaledPolicy(policy: Policy, bounds: ActionBounds): Policy;
/** The same for a policy that may run elsewhere. */
export function scaledPolicy(
  policy: Policy | RemotePolicy,
  bounds: ActionBounds,
): Policy | RemotePolicy;
export function scaledPolicy(
  policy: Policy | RemotePolicy,
  bounds: ActionBounds,
): Policy | RemotePolicy {
  const { actionSize } = policy;
  const scaled = (actions: Float64Array): Float64Array =>
    actions.map((value, i) => fromUnit(value, bounds, i % actionSize));
  const act = (observations: Float64Array, random: readonly Draws[]) => {
    const actions = policy.act(observations, random);
    return actions instanceof Promise ? actions.then(scaled) : scaled(actions);
  };
  const { observationSize, flops } = policy;
  return { observationSize, actionSize, ...(flops !== undefined && { flops }), act } as
    | Policy
    | RemotePolicy;
}
