/**
 * Plays episodes: a batch of environments in lockstep, one action of the policy for all of them.
 *
 * @module
 */
import { UserError } from "../errors.ts";
import { BridgeError } from "./bridge/client.ts";
import { goalOf, GoalWatch } from "./goal.ts";
import type { EnvironmentBatch } from "./environment.ts";
import type { Policy } from "../nn/host/policy.ts";
import { RandomStream } from "./random.ts";
import { policySeed } from "./seeds.ts";

/** One finished episode. */
export interface Episode {
  /** Seed of the environment. */
  readonly seed: number;
  /** Sum of the rewards. */
  readonly return: number;
  /** Steps. */
  readonly length: number;
  /** Whether it came to its maze's goal from outside; null where there is no goal. */
  readonly reachedGoal: boolean | null;
}

/** Watches episodes go by; each is named by its place among the seeds. */
export interface RolloutObserver {
  /** An episode starts, for the second time where the server of the first was lost. */
  begin?(episode: number): void;
  /** The simulators' positions of `episodes` at their start and after each step, one row for each. */
  positions?(episodes: readonly number[], qpos: Float64Array): void;
  /** An episode has ended. */
  end?(episode: number, result: Episode): void;
}

/** An episode under way in one of the environments. */
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
 * Plays one episode for each seed, as many at a time as there are environments: where one ends, the next
 * begins. An episode is the same bits whichever others are played beside it.
 *
 * @returns The episodes in the order of the seeds.
 * @throws {UserError} The policy's sizes are not the environment's, the observer wants positions that
 * the environment does not have, or the environment fails.
 */
export async function rollout(
  environment: EnvironmentBatch,
  policy: Policy,
  seeds: readonly number[],
  observer: RolloutObserver = {},
): Promise<Episode[]> {
  checkSizes(environment, policy);
  const { id, observationSize } = environment.spec;
  const atGoal = goalOf(id);
  const episodes: Episode[] = [];
  let runs: Run[] = [];
  let next = 0;

  /** Starts the next episodes in the given environments, as long as there are seeds. */
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
    const actions = policy.act(observations, runs.map(({ random }) => random));
    const step = await environment.step(actions, runs.map(({ environment }) => environment));
    runs.forEach((run, i) => {
      run.observation = step.observations.subarray(i * observationSize, (i + 1) * observationSize);
      run.return += step.rewards[i]!;
      run.length++;
      run.goal?.step(run.observation, step.rewards[i]!);
    });
    await observePositions(environment, runs, observer);
    const ended = runs.filter((_, i) => step.terminated[i] === 1 || step.truncated[i] === 1);
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

/** Environments, and how to give back what holds them. */
export interface Connection {
  /** The environments. */
  readonly environment: EnvironmentBatch;
  /** Ends the environments and whatever serves them. */
  close(): Promise<void>;
}

/** How {@linkcode rolloutWithRetries} goes about a lost server. */
export interface Retries {
  /** Makes environments anew; called for the first attempt and for each retry. */
  connect(): Promise<Connection>;
  /** How many times at most it connects again. */
  readonly retries: number;
  /** Tells the person of a fault that a retry follows. */
  announce(fault: BridgeError, episodesLeft: number): void;
}

/**
 * Plays episodes as {@linkcode rollout} does. Where the server is lost meanwhile, those that had not
 * ended are played again on a new one, as many times as `retries` says.
 *
 * @returns The episodes in the order of the seeds.
 * @throws {BridgeError} The server was lost, and no retry is left.
 */
export async function rolloutWithRetries(
  { connect, retries, announce }: Retries,
  policy: Policy,
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

/** Whether an error is that of a server that went away or does not answer any more. */
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
      `${environment.spec.id} does not tell its simulator's state, so its positions cannot be kept`,
    );
  }
  observer.positions(runs.map(({ episode }) => episode), state.qpos);
}

/**
 * Checks that a policy is one for an environment.
 *
 * @throws {UserError} It takes other observations or gives other actions, by their number of entries.
 */
export function checkSizes(environment: EnvironmentBatch, policy: Policy): void {
  const { id, observationSize, actionSize } = environment.spec;
  if (policy.observationSize === observationSize && policy.actionSize === actionSize) return;
  throw new UserError(
    `the policy takes observations of ${policy.observationSize} entries and gives actions of ` +
      `${policy.actionSize}, ${id} has observations of ${observationSize} and actions of ` +
      `${actionSize}; name the task that the policy was trained for`,
  );
}
