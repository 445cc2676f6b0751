/**
 * Plays episodes of one policy step by step, for the page of `watch`. It runs in the browser and in
 * Deno, with the environments and networks of `eval`, so the returns are the same to the last bit.
 *
 * @module
 */
import {
  type Critic,
  criticFrom,
  type CriticParts,
  policyFrom,
  type PolicyParts,
} from "../algorithms/policy_parts.ts";
import { goalOf, GoalWatch } from "../envs/goal.ts";
import { MujocoBatch } from "../envs/mujoco/batch.ts";
import type { Profile } from "../envs/mujoco/mjcf.ts";
import type { Vector3 } from "../envs/mujoco/robot.ts";
import type { Simulation } from "../envs/mujoco/simulation.ts";
import { RandomStream } from "../envs/random.ts";
import { policySeed } from "../envs/seeds.ts";
import { taskOf } from "../envs/tasks.ts";
import type { Policy } from "../nn/host/policy.ts";

/** A policy with the critic of its run. */
export interface Playable {
  /** The policy. */
  readonly policy: PolicyParts;
  /** The critic; null if there is none. */
  readonly critic: CriticParts | null;
}

/** Progress of an episode. */
export interface Progress {
  /** Seed of the environment. */
  readonly seed: number;
  /** Sum of the rewards. */
  readonly return: number;
  /** Reward of each step. */
  readonly rewards: readonly number[];
  /** The critic's value of the state before each step; empty without a critic. */
  readonly values: readonly number[];
  /** The last action; zeros before the first step. */
  readonly action: Float64Array;
  /** How the episode ended; null while it goes on. */
  readonly ended: "terminated" | "truncated" | null;
  /** Whether the robot reached its maze's goal from outside; null if there is no goal. */
  readonly reachedGoal: boolean | null;
  /** Whether the robot was pushed. */
  readonly pushed: boolean;
  /** Whether more than one policy acted. */
  readonly switched: boolean;
}

/** One environment and the policy that acts in it. */
export class Player {
  /** The simulation, to draw the robot. */
  readonly simulation: Simulation;
  readonly #id: string;
  readonly #batch: MujocoBatch;
  #policy: Policy;
  #critic: Critic | null;
  #random = new RandomStream(0);
  #observation: Float64Array = new Float64Array();
  #goal: GoalWatch | null = null;
  #goalAt: readonly [number, number] | null = null;
  #pushedBody: number | null = null;
  #rewards: number[] = [];
  #values: number[] = [];
  #progress: Progress;

  private constructor(id: string, batch: MujocoBatch, playable: Playable) {
    this.#id = id;
    this.#batch = batch;
    this.simulation = batch.simulation(0);
    this.#policy = policyFrom(playable.policy);
    this.#critic = playable.critic && criticFrom(playable.critic);
    this.#progress = this.#beginning(0);
  }

  /**
   * Creates the environment. Call `reset` before `step`.
   *
   * @param id Id of a built-in environment.
   * @throws {UserError} If the id is unknown, or a tensor of the policy is invalid.
   */
  static async create(id: string, profile: Profile, playable: Playable): Promise<Player> {
    const batch = await MujocoBatch.create(taskOf(id), 1, profile, id, null);
    try {
      batch.simulation(0).forward();
      return new Player(id, batch, playable);
    } catch (error) {
      await batch.close();
      throw error;
    }
  }

  /** What happened in the episode so far. */
  get progress(): Progress {
    return this.#progress;
  }

  /** The critic's symbol, `V(s)` or `Q(s, a)`; null without a critic. */
  get criticSymbol(): Critic["symbol"] | null {
    return this.#critic?.symbol ?? null;
  }

  /** The goal that the episode's reset drew, `[x, y]`; null if the task draws none. */
  get goal(): readonly [x: number, y: number] | null {
    return this.#goalAt;
  }

  /** Lets another policy act from the next step on. */
  use({ policy, critic }: Playable): void {
    this.#policy = policyFrom(policy);
    this.#critic = critic && criticFrom(critic);
    if (this.#rewards.length > 0) this.#progress = { ...this.#progress, switched: true };
  }

  /** Starts the episode of a seed. */
  async reset(seed: number): Promise<void> {
    this.#observation = await this.#batch.reset([seed]);
    this.#random = new RandomStream(policySeed(seed));
    const atGoal = goalOf(this.#id);
    this.#goal = atGoal && new GoalWatch(atGoal, this.#observation);
    const { goal } = await this.#batch.state();
    this.#goalAt = goal === undefined ? null : [goal[0]!, goal[1]!];
    this.#pushedBody = null;
    this.#progress = this.#beginning(seed);
  }

  /** Takes one step, unless the episode has ended. */
  async step(): Promise<void> {
    if (this.#progress.ended !== null) return;
    const action = this.#policy.act(this.#observation, [this.#random]).slice();
    const value = this.#critic?.value(this.#observation, action);
    const step = await this.#batch.step(action);
    const reward = step.rewards[0]!;
    this.#observation = step.observations;
    this.#goal?.step(this.#observation, reward);
    this.#rewards.push(reward);
    if (value !== undefined) this.#values.push(value);
    this.#progress = {
      ...this.#progress,
      return: this.#progress.return + reward,
      action,
      ended: step.terminated[0] === 1 ? "terminated" : step.truncated[0] === 1 ? "truncated" : null,
      reachedGoal: this.#goal?.reached ?? null,
      pushed: this.#progress.pushed || this.#pushedBody !== null,
    };
  }

  /** Pushes a body in all following steps until `release`; see {@linkcode Simulation.push}. */
  push(body: number, force: Vector3, point: Vector3): void {
    this.simulation.push(body, force, point);
    this.#pushedBody = body;
  }

  /** Ends the push. */
  release(): void {
    if (this.#pushedBody !== null) this.simulation.push(this.#pushedBody, [0, 0, 0], [0, 0, 0]);
    this.#pushedBody = null;
  }

  /** Frees the environment's memory. */
  async close(): Promise<void> {
    await this.#batch.close();
  }

  #beginning(seed: number): Progress {
    this.#rewards = [];
    this.#values = [];
    return {
      seed,
      return: 0,
      rewards: this.#rewards,
      values: this.#values,
      action: new Float64Array(this.#policy.actionSize),
      ended: null,
      reachedGoal: this.#goal && false,
      pushed: false,
      switched: false,
    };
  }
}
