/**
 * Actions beyond [−1, 1]: networks act within that range, and environments within their own.
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

/** Whether every entry ranges from −1 to 1, so that nothing needs scaling. */
export function isUnit({ low, high }: ActionBounds): boolean {
  return low.every((value) => value === -1) && high.every((value) => value === 1);
}

/** Whether these can be scaled from and to: as many lower as upper ends, finite, in order. */
export function areBounds({ low, high }: ActionBounds): boolean {
  return low.length === high.length && low.length > 0 &&
    low.every((value, i) => Number.isFinite(high[i]! - value) && value < high[i]!);
}

/** An action's entry `column`, given in the environment's range, within [−1, 1]. */
export function toUnit(value: number, { low, high }: ActionBounds, column: number): number {
  return 2 * (value - low[column]!) / (high[column]! - low[column]!) - 1;
}

/** An action's entry `column`, given within [−1, 1], in the environment's range. */
export function fromUnit(value: number, { low, high }: ActionBounds, column: number): number {
  return low[column]! + (value + 1) / 2 * (high[column]! - low[column]!);
}

/** Bounds as messages show them: `[-2, 2]` where all entries have the same, or one pair for each. */
export function boundsText({ low, high }: ActionBounds): string {
  const pairs = low.map((value, i) => `[${value}, ${high[i]}]`);
  return [...new Set(pairs)].length === 1 ? pairs[0]! : pairs.join(" × ");
}

/**
 * Checks that a policy's actions have the range of an environment's.
 *
 * @param source The policy's files, for the message.
 * @param range The environment's, whose ends may be infinite.
 * @throws {UserError} They have another.
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

/** The policy whose actions are those of `policy`, which are within [−1, 1], scaled to `bounds`. */
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
