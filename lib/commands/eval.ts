/**
 * `eval`: measures a policy's returns in its environment and its time per action.
 *
 * @module
 */
import { tasks } from "../data/catalog.ts";
import { mostUndelayed, openEnvironment } from "../envs/bridge/open.ts";
import type { EnvironmentSpec } from "../envs/environment.ts";
import { summarize } from "../envs/evaluation.ts";
import { actionLatency } from "../envs/latency.ts";
import { PositionRecorder } from "../envs/position_recorder.ts";
import {
  type Episode,
  isServerLost,
  type RolloutObserver,
  rolloutWithRetries,
} from "../envs/rollout.ts";
import { evaluationSeeds } from "../envs/seeds.ts";
import { UserError } from "../errors.ts";
import { checkWritable } from "../files.ts";
import { scaledPolicy } from "../nn/host/action_bounds.ts";
import { Placement } from "../nn/placement.ts";
import { watchInterrupt } from "../runs/interrupt.ts";
import { openTrained, type Trained, type TrainedPolicy } from "../runs/trained.ts";
import { writeTrajectories } from "../runs/trajectories.ts";
import { fitted } from "../terminal.ts";
import { EpisodeProgress } from "./episode_progress.ts";
import { actorOptions, evalCommand } from "./eval_flags.ts";
import { estimateText, openEstimator } from "./eval_fqe.ts";
import {
  episodeLine,
  evaluationJson,
  evaluationText,
  headingText,
  type MeasuredActor,
  paperText,
  referenceOf,
} from "./eval_text.ts";
import { type FlagValues, parseFlags } from "./flags.ts";
import { helpText } from "./help.ts";

/** Maximum number of environments to step together. More save few messages but take more memory. */
const largestBatch = 50;

/** Maximum milliseconds to compute one step's actions. A server drops clients silent for longer. */
const longestAct = 10_000;

type Flags = FlagValues<typeof evalCommand["flags"]>;

/**
 * Evaluates a policy. WebGPU is loaded only if one of the run's actors benefits from it.
 *
 * @throws {UserError} If a flag is invalid, the task is unknown, a checkpoint is missing, the
 * policy's sizes do not match the environment's, or the server is lost and no retry is left.
 */
export async function evaluate(args: readonly string[]): Promise<void> {
  const parsed = parseFlags(evalCommand, args);
  if (parsed === "help") return console.log(helpText(evalCommand));
  const { flags } = parsed;
  const path = parsed.positionals[0]!;
  const trained = openTrained(path);
  const task = taskOf(flags, trained, path);
  refuseUnusedOptions(flags, trained, path);
  const loaded = trained.load(flags.policy ?? null, actorOptions(flags));
  const { way, files } = loaded;
  if (way !== null && flags.policy !== undefined && way !== flags.policy) {
    console.log(`note: --policy ${flags.policy} is now called ${way}`);
  }
  const estimator = await openEstimator(flags);
  await using placement = new Placement({
    memory: async () => new (await import("../runs/variant_memory.ts")).VariantFile(),
  });

  if (task === null || flags.episodes === 0) {
    using interrupt = watchInterrupt("stopping the estimate");
    const { policy } = await placement.place(loaded);
    const estimate = await estimator!(policy, interrupt.signal);
    console.log(`policy       ${way === null ? "" : `${way}, `}${files.join(" and ")}`);
    console.log(fitted(estimateText(estimate)));
    if (flags.json) {
      console.log(JSON.stringify({ task, policy: way ?? "file", files, fqe: estimate }));
    }
    return;
  }

  const observers = await openObservers(flags, task);
  const actors = await measureActors(trained, flags, placement);
  const acting = actors.get(way ?? "file")!;
  using interrupt = watchInterrupt("stopping the evaluation");
  const { spec, episodes } = await play(flags, task, {
    server: flags.server ?? (task === trained.task ? trained.server : null) ?? "wasm",
    loaded,
    actors,
    acting,
    watching: observers.watching,
    signal: interrupt.signal,
  });
  const found = summarize(task, episodes, referenceOf(spec, task));
  console.log(fitted(evaluationText(found)));
  const published = loaded.column === undefined
    ? undefined
    : tasks.get(task)?.paperScores[loaded.column];
  if (published !== undefined) console.log(paperText(published, loaded.column!));
  await observers.write(spec, episodes, interrupt.signal);
  const estimate = await estimator?.(acting.policy, interrupt.signal);
  if (estimate !== undefined) console.log(fitted(estimateText(estimate)));
  if (flags.json) {
    const json = evaluationJson(task, loaded, spec, found, actors, published);
    console.log(JSON.stringify(estimate === undefined ? json : { ...json, fqe: estimate }));
  }
}

/**
 * Returns the task or environment id to evaluate in; null if only `--fqe` is asked for and there is
 * none.
 */
function taskOf(flags: Flags, trained: Trained, path: string): string | null {
  if (flags.task !== undefined && flags.env !== undefined) {
    throw new UserError("--task and --env both name the environment; give only one of them");
  }
  const task = flags.env ?? flags.task ?? trained.task;
  if (flags.episodes === 0 && flags.fqe === undefined) {
    throw new UserError("--episodes 0 plays nothing; --fqe DATA estimates the return from data");
  }
  const { record, video, server, profile, token, retry } = flags;
  const ofEpisodes = {
    record,
    video,
    server,
    profile,
    token,
    retry: retry > 0 ? retry : undefined,
  };
  const unused = Object.entries(ofEpisodes).find(([, value]) => value !== undefined);
  if (flags.episodes === 0 && unused !== undefined) {
    throw new UserError(`--${unused[0]} is for episodes; --episodes 0 plays none`);
  }
  if (task === null && flags.episodes > 0) {
    throw new UserError(
      `${path} does not name the environment it was trained for; give --task, or --env and ` +
        "--server if it is not a D4RL task",
    );
  }
  return task;
}

/** Rejects options that none of the actors to play or to time has. */
function refuseUnusedOptions(flags: Flags, { ways, options }: Trained, path: string): void {
  const unused = Object.entries(actorOptions(flags))
    .find(([name, value]) => value !== undefined && !options.includes(name));
  if (unused === undefined) return;
  throw new UserError(
    `--${unused[0]} has no effect: ${path} has no policy with this option` +
      (ways.length === 0 ? "" : ` (only ${ways.join(", ")})`),
  );
}

/** Prepares the outputs of `--record` and `--video`, so that invalid paths are rejected early. */
async function openObservers({ record, video }: Flags, task: string) {
  if (record !== undefined) await checkWritable(record);
  const recorder = record === undefined ? null : new PositionRecorder();
  const film = video === undefined
    ? null
    : await (await import("./eval_video.ts")).EpisodeFilm.begin(video, task);
  const watching: RolloutObserver[] = [recorder, film?.observer].filter((each) => each != null);
  return {
    watching,
    async write(
      spec: EnvironmentSpec,
      episodes: readonly Episode[],
      signal: AbortSignal,
    ): Promise<void> {
      if (recorder !== null) {
        await writeTrajectories(record!, spec, episodes, recorder.qpos);
        console.log(`wrote the positions of every step to ${record}`);
      }
      await film?.write(episodes[0]!, signal);
    },
  };
}

/** Loads every actor of the run and measures its time per action. */
async function measureActors(
  trained: Trained,
  flags: Flags,
  placement: Placement,
): Promise<Map<string, MeasuredActor>> {
  const actors = new Map<string, MeasuredActor>();
  for (const way of trained.ways.length > 0 ? trained.ways : [null]) {
    const placed = await placement.place(trained.load(way, actorOptions(flags)));
    actors.set(way ?? "file", { ...placed, latency: await actionLatency(placed.policy) });
  }
  return actors;
}

/** The policy that plays, and what plays with it. */
interface Cast {
  readonly server: string;
  readonly loaded: TrainedPolicy;
  /** All actors of the run, for the heading. */
  readonly actors: ReadonlyMap<string, MeasuredActor>;
  /** The one that plays. */
  readonly acting: MeasuredActor;
  readonly watching: readonly RolloutObserver[];
  /** Stops the episodes. */
  readonly signal: AbortSignal;
}

/** Plays the episodes and prints them one by one. */
async function play(
  { episodes, seed, token, profile, retry }: Flags,
  task: string,
  { server, loaded, actors, acting, watching, signal }: Cast,
): Promise<{ spec: EnvironmentSpec; episodes: readonly Episode[] }> {
  const seeds = evaluationSeeds(seed, episodes);
  const { actionBounds } = loaded;
  const policy = actionBounds === null ? acting.policy : scaledPolicy(acting.policy, actionBounds);
  const count = batchSize(seeds.length, policy.actionSize, acting.latency);

  let spec: EnvironmentSpec | undefined;
  let progress: EpisodeProgress | undefined;
  const playing = rolloutWithRetries(
    {
      connect: async () => {
        const connection = await openEnvironment({ server, token, profile }, task, count);
        if (spec === undefined) {
          spec = connection.environment.spec;
          console.log(fitted(headingText(spec, loaded, seeds, actors, connection.note)));
          progress = new EpisodeProgress(seeds.length, spec.maxEpisodeSteps);
        }
        return connection;
      },
      retries: retry,
      announce: ({ message }, left) =>
        console.error(`${message}\nreplaying ${left} episodes on a new server`),
    },
    policy,
    seeds,
    {
      ...(watching.length === 0 ? {} : {
        begin: (episode: number) => watching.forEach((each) => each.begin?.(episode)),
        positions: (playing: readonly number[], qpos: Float64Array) =>
          watching.forEach((each) => each.positions?.(playing, qpos)),
      }),
      step: (playing) => progress!.step(playing),
      end: (i, episode) => {
        progress!.end(episode);
        console.log(episodeLine(i, episode, task, referenceOf(spec!, task)));
      },
    },
  );
  const stopped = new Promise<never>((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason));
  });
  const played = await Promise.race([playing, stopped]).catch((error) => {
    if (!isServerLost(error)) throw error;
    throw new UserError(`${error.message}; use --retry N to replay them on a new server`);
  });
  return { spec: spec!, episodes: played };
}

/**
 * Returns how many environments to step together, so that the rounds of episodes have about the
 * same size.
 *
 * @param latency Milliseconds per action.
 */
function batchSize(episodes: number, actionSize: number, latency: number): number {
  const largest = Math.min(
    largestBatch,
    mostUndelayed(actionSize),
    Math.floor(longestAct / latency),
  );
  const rounds = Math.ceil(episodes / Math.max(1, largest));
  return Math.ceil(episodes / rounds);
}
