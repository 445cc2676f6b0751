/**
 * Plays episodes in a batch of environments in lockstep, with one policy call per step for all of
 * them.
 *
 * @module
 */
import { UserError } from "../errors.ts";
import { BridgeError } from "./bridge/client.ts";
import { goalOf, GoalWatch } from "./goal.ts";
import type { EnvironmentBatch } from "./environment.ts";
import type { Policy, PolicyFacts, RemotePolicy } from "../nn/host/policy.ts";
import { RandomStream } from "./random.ts";
import { policySeed } from "./seeds.ts";

/** Steps after which an episode is cut in an environment that has no step limit. */
export const longestEpisode = 10_000;

/** One finished episode. */
export interface Episode {
  /** Seed of the environment. */
  readonly seed: number;
  /** Sum of the rewards. */
  readonly return: number;
  /** Number of steps. */
  readonly length: number;
  /** Whether the episode reached its maze's goal from outside; null if there is no goal. */
  readonly reachedGoal: boolean | null;
}

/** Callbacks during a rollout. An episode is identified by the index of its seed. */
export interface RolloutObserver {
  /** Called when an episode starts. It starts again if its server was lost. */
  begin?(episode: number): void;
  /** Called at the start and after each step with `qpos` of the playing episodes, one row each. */
  positions?(episodes: readonly number[], qpos: Float64Array): void;
  /** Called after each step with the number of episodes that took it. */
  step?(playing: number): void;
  /** Called when an episode has ended. */
  end?(episode: number, result: Episode): void;
}

/** An episode running in one of the environments. */
interface Run {
  readonly environment: number;
  readonly episode: number;
  readonly random: RandomStream;
  observation: Float64Array;
  return: number;
  length: number;
  readonly goal: GoalWatch | null;
}

/**
 * Plays one episode per seed. Each environment starts the next episode when its current one ends.
 * An episode's bits do not depend on which others are played at the same time. In an environment
 * without a step limit, episodes are cut after {@linkcode longestEpisode} steps.
 *
 * @returns The episodes in seed order.
 * @throws {UserError} The policy's sizes do not match the environment's, the observer asks for
 * positions that the environment does not expose, or the environment fails.
 */
export async function rollout(
  environment: EnvironmentBatch,
  policy: Policy | RemotePolicy,
  seeds: readonly number[],
  observer: RolloutObserver = {},
): Promise<Episode[]> {
  checkSizes(environment, policy);
  const { id, observationSize, maxEpisodeSteps } = environment.spec;
  const atGoal = goalOf(id);
  const episodes: Episode[] = [];
  let runs: Run[] = [];
  let next = 0;

  /** Starts the next episodes in the given environments, as long as seeds remain. */
  const start = async (free: readonly number[]): Promise<Run[]> => {
    const first = next;
    const chosen = free.slice(0, seeds.length - first);
    if (chosen.length === 0) return [];
    next += chosen.length;
    const observations = await environment.reset(seeds.slice(first, next), chosen);
    const started = chosen.map((environment, i): Run => {
      const observation = observations.subarray(i * observationSize, (i + 1) * observationSize);
      return {
        environment,
        episode: first + i,
        random: new RandomStream(policySeed(seeds[first + i]!)),
        observation,
        return: 0,
        length: 0,
        goal: atGoal && new GoalWatch(atGoal, observation),
      };
    });
    for (const { episode } of started) observer.begin?.(episode);
    await observePositions(environment, started, observer);
    return started;
  };

  runs = await start(Array.from({ length: environment.count }, (_, i) => i));
  while (runs.length > 0) {
    const observations = new Float64Array(runs.length * observationSize);
    runs.forEach((run, i) => observations.set(run.observation, i * observationSize));
    const actions = await policy.act(observations, runs.map(({ random }) => random));
    const step = await environment.step(actions, runs.map(({ environment }) => environment));
    runs.forEach((run, i) => {
      run.observation = step.observations.subarray(i * observationSize, (i + 1) * observationSize);
      run.return += step.rewards[i]!;
      run.length++;
      run.goal?.step(run.observation, step.rewards[i]!);
    });
    await observePositions(environment, runs, observer);
    observer.step?.(runs.length);
    const ended = runs.filter(({ length }, i) =>
      step.terminated[i] === 1 || step.truncated[i] === 1 ||
      maxEpisodeSteps === null && length === longestEpisode
    );
    for (const run of ended) {
      const { episode, length, goal } = run;
      episodes[episode] = {
        seed: seeds[episode]!,
        return: run.return,
        length,
        reachedGoal: goal && goal.reached,
      };
      observer.end?.(episode, episodes[episode]);
    }
    if (ended.length === 0) continue;
    const started = await start(ended.map(({ environment }) => environment));
    runs = [...runs.filter((run) => !ended.includes(run)), ...started];
  }
  return episodes;
}

/** A batch of environments and a way to release it. */
export interface Connection {
  /** The environments. */
  readonly environment: EnvironmentBatch;
  /** Closes the environments and the server, if any. */
  close(): Promise<void>;
}

/** How {@linkcode rolloutWithRetries} handles a lost server. */
export interface Retries {
  /** Creates environments; called for the first attempt and for each retry. */
  connect(): Promise<Connection>;
  /** Largest number of reconnections. */
  readonly retries: number;
  /** Reports a fault to the user before a retry. */
  announce(fault: BridgeError, episodesLeft: number): void;
}

/**
 * Plays episodes like {@linkcode rollout}. If the server is lost, unfinished episodes are played
 * again on a new one, up to `retries` times.
 *
 * @returns The episodes in seed order.
 * @throws {BridgeError} The server was lost and no retry is left.
 */
export async function rolloutWithRetries(
  { connect, retries, announce }: Retries,
  policy: Policy | RemotePolicy,
  seeds: readonly number[],
  observer: RolloutObserver = {},
): Promise<Episode[]> {
  const episodes: (Episode | undefined)[] = seeds.map(() => undefined);
  for (let retry = 0;; retry++) {
    const left = seeds.flatMap((_, i) => episodes[i] === undefined ? [i] : []);
    const connection = await connect();
    try {
      await rollout(connection.environment, policy, left.map((i) => seeds[i]!), {
        begin: (i) => observer.begin?.(left[i]!),
        step: (playing) => observer.step?.(playing),
        ...(observer.positions === undefined ? {} : {
          positions: (playing: readonly number[], qpos: Float64Array) =>
            observer.positions!(playing.map((i) => left[i]!), qpos),
        }),
        end: (i, episode) => {
          episodes[left[i]!] = episode;
          observer.end?.(left[i]!, episode);
        },
      });
      return episodes as Episode[];
    } catch (error) {
      if (!isServerLost(error) || retry === retries) throw error;
      announce(error, episodes.filter((episode) => episode === undefined).length);
    } finally {
      await connection.close();
    }
  }
}

/** Returns whether an error means that the server exited or no longer answers. */
export function isServerLost(error: unknown): error is BridgeError {
  return error instanceof BridgeError && (error.fault === "lost" || error.fault === "timeout");
}

async function observePositions(
  environment: EnvironmentBatch,
  runs: readonly Run[],
  observer: RolloutObserver,
): Promise<void> {
  if (observer.positions === undefined) return;
  const state = await environment.state(runs.map(({ environment }) => environment));
  if (state === null) {
    throw new UserError(
      `${environment.spec.id} does not expose its simulator state, so positions cannot be recorded`,
    );
  }
  observer.positions(runs.map(({ episode }) => episode), state.qpos);
}

/**
 * Checks that the sizes of a policy match those of an environment.
 *
 * @throws {UserError} The number of observation or action entries differs.
 */
export function checkSizes(environment: EnvironmentBatch, policy: PolicyFacts): void {
  const { id, observationSize, actionSize } = environment.spec;
  if (policy.observationSize === observationSize && policy.actionSize === actionSize) return;
  throw new UserError(
    `the policy takes ${policy.observationSize} observation entries and returns ` +
      `${policy.actionSize} action entries, but ${id} has ${observationSize} and ${actionSize}; ` +
      "give the task that the policy was trained for",
  );
}
