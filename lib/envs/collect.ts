/**
 * Plays a policy and keeps every step, as D4RL's data sets were made.
 *
 * @module
 */
import type { Policy } from "../nn/host/policy.ts";
import { UserError } from "../errors.ts";
import type { EnvironmentBatch, EnvironmentSpec } from "./environment.ts";
import { RandomStream } from "./random.ts";
import { checkSizes } from "./rollout.ts";
import { episodeSeed, policySeed } from "./seeds.ts";

/** How the policy's actions are disturbed, so that data cover more than its own path. */
export interface Disturbance {
  /** Standard deviation of the normal noise that is added to each entry. */
  readonly noise: number;
  /** Probability that an action is drawn uniformly from the whole range instead. */
  readonly epsilon: number;
}

/** N steps, row-major, one episode after the other. */
export interface CollectedSteps {
  /** `[N, observationSize]`: before the step. */
  readonly observations: Float32Array;
  /** `[N, actionSize]`; the simulator got exactly these. */
  readonly actions: Float32Array;
  /** `[N]`. */
  readonly rewards: Float32Array;
  /** `[N]`, 1 where the step led to a terminal state. */
  readonly terminals: Uint8Array;
  /** `[N]`, 1 where the step limit ended the episode. */
  readonly timeouts: Uint8Array;
  /** `[N, observationSize]`: after the step. */
  readonly nextObservations: Float32Array;
  /** The simulator's state before the step, in full precision; null where the environment has none. */
  readonly state: {
    /** `[N, positions]`. */
    readonly qpos: Float64Array;
    /** `[N, velocities]`. */
    readonly qvel: Float64Array;
  } | null;
}

/**
 * The policy that draws each entry of an action uniformly from its range, whatever it observes.
 *
 * @throws {UserError} An entry's range has no lower or no upper bound.
 */
export function randomPolicy(spec: EnvironmentSpec): Policy {
  const { id, observationSize, actionSize, actionLow, actionHigh } = spec;
  const unbounded = actionLow.findIndex((low, i) => !Number.isFinite(actionHigh[i]! - low));
  if (unbounded >= 0) {
    throw new UserError(
      `${id}: entry ${unbounded} of the action ranges from ${actionLow[unbounded]} to ` +
        `${actionHigh[unbounded]}; random actions need finite bounds, so give a policy of your own`,
    );
  }
  return {
    observationSize,
    actionSize,
    act: (_observations, random) =>
      Float64Array.from(
        random.flatMap((stream) => actionLow.map((low, i) => stream.uniform(low, actionHigh[i]!))),
      ),
  };
}

/**
 * Plays episode after episode in the first of `environment`'s environments until there are `steps`
 * steps; the last episode may be cut.
 *
 * @param seed The same seed gives the same steps, bit for bit.
 * @param progress Told the number of steps made, after each.
 * @throws {UserError} The policy's sizes are not the environment's, or a simulation breaks down.
 */
export async function collectSteps(
  environment: EnvironmentBatch,
  policy: Policy,
  { noise, epsilon }: Disturbance,
  steps: number,
  seed: number,
  progress: (steps: number) => void = () => {},
): Promise<CollectedSteps> {
  checkSizes(environment, policy);
  const { observationSize, actionSize, actionLow, actionHigh } = environment.spec;
  const first = await environment.state([0]);
  const data: CollectedSteps = {
    observations: new Float32Array(steps * observationSize),
    actions: new Float32Array(steps * actionSize),
    rewards: new Float32Array(steps),
    terminals: new Uint8Array(steps),
    timeouts: new Uint8Array(steps),
    nextObservations: new Float32Array(steps * observationSize),
    state: first && {
      qpos: new Float64Array(steps * first.qpos.length),
      qvel: new Float64Array(steps * first.qvel.length),
    },
  };
  const action = new Float64Array(actionSize);
  let episode = 0;
  let random: RandomStream | null = null;
  let observation: Float64Array = new Float64Array();
  for (let row = 0; row < steps; row++) {
    if (random === null) {
      const environmentSeed = episodeSeed("collection", seed, episode++);
      random = new RandomStream(policySeed(environmentSeed));
      observation = await environment.reset([environmentSeed], [0]);
    }
    if (data.state !== null) {
      const { qpos, qvel } = (await environment.state([0]))!;
      data.state.qpos.set(qpos, row * qpos.length);
      data.state.qvel.set(qvel, row * qvel.length);
    }
    action.set(policy.act(observation, [random]));
    const explores = epsilon > 0 && random.uniform(0, 1) < epsilon;
    for (let i = 0; i < actionSize; i++) {
      const [low, high] = [actionLow[i]!, actionHigh[i]!];
      const drawn = explores ? random.uniform(low, high) : action[i]! + noise * random.normal();
      // As float32 stores it, so that the simulator gets what the data say.
      action[i] = Math.fround(Math.max(low, Math.min(high, drawn)));
    }
    const step = await environment.step(action, [0]);
    data.observations.set(observation, row * observationSize);
    data.actions.set(action, row * actionSize);
    data.rewards[row] = step.rewards[0]!;
    data.terminals[row] = step.terminated[0]!;
    data.timeouts[row] = step.truncated[0]!;
    data.nextObservations.set(step.observations, row * observationSize);
    observation = step.observations;
    if (step.terminated[0] === 1 || step.truncated[0] === 1) random = null;
    progress(row + 1);
  }
  return data;
}
