/**
 * Plays a policy and records every step, the way D4RL's data sets were collected.
 *
 * @module
 */
import type { Policy } from "../nn/host/policy.ts";
import { UserError } from "../errors.ts";
import type { EnvironmentBatch, EnvironmentSpec, SimulatorState } from "./environment.ts";
import { RandomStream } from "./random.ts";
import { checkSizes } from "./rollout.ts";
import { episodeSeed, policySeed } from "./seeds.ts";

/**
 * Exploration noise added to the policy's actions, so that the data cover more than its own path.
 */
export interface Disturbance {
  /** Standard deviation of the normal noise added to each action entry. */
  readonly noise: number;
  /** Probability of replacing an action by a uniform draw from the whole action range. */
  readonly epsilon: number;
}

/** N recorded steps, row-major, episode by episode. */
export interface CollectedSteps {
  /** `[N, observationSize]`: observations before the step. */
  readonly observations: Float32Array;
  /** `[N, actionSize]`: exactly the actions passed to the simulator. */
  readonly actions: Float32Array;
  /** `[N]`. */
  readonly rewards: Float32Array;
  /** `[N]`, 1 where the step led to a terminal state. */
  readonly terminals: Uint8Array;
  /** `[N]`, 1 where the step limit ended the episode. */
  readonly timeouts: Uint8Array;
  /** `[N, observationSize]`: observations after the step. */
  readonly nextObservations: Float32Array;
  /** Simulator state before the step, in float64; null if the environment exposes none. */
  readonly state: {
    /** `[N, positions]`. */
    readonly qpos: Float64Array;
    /** `[N, velocities]`. */
    readonly qvel: Float64Array;
    /** `[N, 2]`: the episode's goal; absent if the environment draws none. */
    readonly goal?: Float32Array;
  } | null;
}

/**
 * Returns a policy that ignores observations and draws each action entry uniformly from its range.
 *
 * @throws {UserError} An action entry has no finite lower or upper bound.
 */
export function randomPolicy(spec: EnvironmentSpec): Policy {
  const { id, observationSize, actionSize, actionLow, actionHigh } = spec;
  const unbounded = actionLow.findIndex((low, i) => !Number.isFinite(actionHigh[i]! - low));
  if (unbounded >= 0) {
    throw new UserError(
      `${id}: entry ${unbounded} of the action ranges from ${actionLow[unbounded]} to ` +
        `${
          actionHigh[unbounded]
        }; random actions need finite bounds, so pass a policy file instead`,
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

/** Returns arrays for the steps. */
function allocate(
  { id, observationSize, actionSize }: EnvironmentSpec,
  steps: number,
  state: SimulatorState | null,
): CollectedSteps {
  try {
    return {
      observations: new Float32Array(steps * observationSize),
      actions: new Float32Array(steps * actionSize),
      rewards: new Float32Array(steps),
      terminals: new Uint8Array(steps),
      timeouts: new Uint8Array(steps),
      nextObservations: new Float32Array(steps * observationSize),
      state: state && {
        qpos: new Float64Array(steps * state.qpos.length),
        qvel: new Float64Array(steps * state.qvel.length),
      },
    };
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new UserError(`there is not enough memory for ${steps} steps of ${id}; collect fewer`);
  }
}

/**
 * Plays episodes in environment 0 of the batch until `steps` steps are recorded. The last episode
 * may be cut short.
 *
 * @param seed The same seed gives bit-identical steps.
 * @param progress Called after each step with the number of steps so far.
 * @throws {UserError} The policy's sizes do not match the environment's, a simulation diverges, or
 * memory does not suffice for the steps.
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
  const data = allocate(environment.spec, steps, await environment.state([0]));
  const action = new Float64Array(actionSize);
  let episode = 0;
  let random: RandomStream | null = null;
  let observation: Float64Array = new Float64Array();
  let goals: Float32Array | null = null;
  for (let row = 0; row < steps; row++) {
    if (random === null) {
      const environmentSeed = episodeSeed("collection", seed, episode++);
      random = new RandomStream(policySeed(environmentSeed));
      observation = await environment.reset([environmentSeed], [0]);
    }
    if (data.state !== null) {
      const { qpos, qvel, goal } = (await environment.state([0]))!;
      data.state.qpos.set(qpos, row * qpos.length);
      data.state.qvel.set(qvel, row * qvel.length);
      if (goal !== undefined) {
        goals ??= new Float32Array(steps * goal.length);
        goals.set(goal, row * goal.length);
      }
    }
    action.set(policy.act(observation, [random]));
    const explores = epsilon > 0 && random.uniform(0, 1) < epsilon;
    for (let i = 0; i < actionSize; i++) {
      const [low, high] = [actionLow[i]!, actionHigh[i]!];
      const drawn = explores ? random.uniform(low, high) : action[i]! + noise * random.normal();
      // Rounded to float32 as stored, so that the simulator gets exactly the recorded action.
      action[i] = Math.fround(Math.max(low, Math.min(high, drawn)));
    }
    const step = await environment.step(action, [0]);
    data.observations.set(observation, row * observationSize);
    data.actions.set(action, row * actionSize);
    data.rewards[row] = step.rewards[0]!;
    data.terminals[row] = step.terminated[0]!;
    // A server may report both. An episode that has ended in a terminal state was not cut.
    data.timeouts[row] = step.terminated[0] === 1 ? 0 : step.truncated[0]!;
    data.nextObservations.set(step.observations, row * observationSize);
    observation = step.observations;
    if (step.terminated[0] === 1 || step.truncated[0] === 1) random = null;
    progress(row + 1);
  }
  if (data.state === null || goals === null) return data;
  return { ...data, state: { ...data.state, goal: goals } };
}
