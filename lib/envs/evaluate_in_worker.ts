/**
 * Evaluates a policy in a worker thread while training continues.
 *
 * @module
 */
import { missingPermission, UserError } from "../errors.ts";
import type { Target } from "../gpu/target.ts";
import type { ActionBounds } from "../nn/host/action_bounds.ts";
import type { NamedTensors } from "../nn/host/tensors.ts";
import type { Bridge } from "./evaluate_here.ts";
import type { Playback } from "./playback.ts";
import type { Episode } from "./rollout.ts";

/** The policy, task and seeds to evaluate. */
export interface EvaluationRequest {
  /** Name of a registered algorithm. */
  readonly algorithm: string;
  /** Name of one of its actors. */
  readonly actor: string;
  /** Tensors of the checkpoints that the actor needs, by stage. */
  readonly checkpoints: Readonly<Record<string, NamedTensors>>;
  /** Values of the actor's options. */
  readonly options: Readonly<Record<string, number>>;
  /** The kernel variants of an actor on the GPU; absent for the fastest, which are measured. */
  readonly target?: Target;
  /** Range that the actor's actions are scaled to; absent where it is [−1, 1]. */
  readonly actionBounds?: ActionBounds;
  /** Id of an environment: built in, for example `hopper-medium-v2`, or the bridge's. */
  readonly task: string;
  /** The server that has the environment; absent for built-in ones. */
  readonly bridge?: Bridge;
  /** One seed per episode, from {@linkcode evaluationSeeds}. */
  readonly seeds: readonly number[];
  /** Whether to record the first episode, for built-in environments; defaults to false. */
  readonly record?: boolean;
  /**
   * Seeds of episodes whose paths are recorded, for built-in mazes. Those that are not among
   * `seeds` are played in the same batch, but are not part of the evaluation.
   */
  readonly pathSeeds?: readonly number[];
}

/**
 * Messages of the worker: `ended` after each episode, the recordings if there are any, then either
 * all episodes or an error.
 * `isUserError` marks a {@linkcode UserError}.
 */
export type EvaluationAnswer = { readonly ended: true } | { readonly playback: Playback } | {
  readonly paths: readonly (readonly number[])[];
} | {
  readonly episodes: Episode[];
} | {
  readonly error: { readonly message: string; readonly isUserError: boolean };
};

/** Options of an evaluation. */
export interface EvaluationOptions {
  /** Called after each episode with the number of ended episodes. */
  readonly onEpisode?: (ended: number) => void;
  /** Called with the recording, if the request asks for one. */
  readonly onPlayback?: (playback: Playback) => void;
  /** Called with the paths `[steps + 1, 2]` of the request's `pathSeeds`, in their order. */
  readonly onPaths?: (paths: readonly (readonly number[])[]) => void;
  /** Stops the evaluation. */
  readonly signal?: AbortSignal;
}

/**
 * Plays one episode per seed in a new worker and terminates it afterwards. The tensors are copied.
 *
 * @returns The episodes in seed order.
 * @throws {UserError} The task is unknown, the policy does not fit it, or a permission is missing.
 * @throws The signal's reason, if it stopped the evaluation.
 */
export async function evaluateInWorker(
  request: EvaluationRequest,
  { onEpisode, onPlayback, onPaths, signal }: EvaluationOptions = {},
): Promise<Episode[]> {
  signal?.throwIfAborted();
  const worker = new Worker(new URL("./evaluation_worker.ts", import.meta.url), { type: "module" });
  const { promise, resolve, reject } = Promise.withResolvers<Episode[]>();
  let ended = 0;
  worker.onmessage = ({ data }: MessageEvent<EvaluationAnswer>) => {
    if ("ended" in data) onEpisode?.(++ended);
    else if ("playback" in data) onPlayback?.(data.playback);
    else if ("paths" in data) onPaths?.(data.paths);
    else if ("episodes" in data) resolve(data.episodes);
    else if (data.error.isUserError) reject(new UserError(data.error.message));
    else reject(new Error(data.error.message));
  };
  worker.onerror = (event) => {
    event.preventDefault();
    // Deno reads a worker's module with the permissions of the program, unlike its other modules.
    const failure = new Error(`the evaluation worker failed: ${event.message}`);
    reject(missingPermission(failure) ?? failure);
  };
  const stop = () => reject(signal!.reason);
  signal?.addEventListener("abort", stop);
  try {
    worker.postMessage(request);
    return await promise;
  } finally {
    signal?.removeEventListener("abort", stop);
    worker.terminate();
  }
}

/**
 * Like {@linkcode evaluateInWorker}, with the episodes divided among several workers. Episodes do
 * not depend on each other, so the result is the same.
 *
 * @param count Number of workers; at most one per episode is used.
 */
export async function evaluateInWorkers(
  request: EvaluationRequest,
  count: number,
  { onEpisode, onPlayback, onPaths, signal }: EvaluationOptions = {},
): Promise<Episode[]> {
  const { seeds, record = false, pathSeeds = [] } = request;
  const size = Math.ceil(seeds.length / count);
  const parts = Array.from({ length: Math.ceil(seeds.length / size) }, (_, part) => {
    const own = seeds.slice(part * size, (part + 1) * size);
    // The first one also plays the episodes that only the paths need.
    const isOwn = (seed: number) => part === 0 && !seeds.includes(seed) || own.includes(seed);
    return {
      ...request,
      seeds: own,
      record: record && part === 0,
      pathSeeds: pathSeeds.filter(isOwn),
    };
  });
  const stop = new AbortController();
  let ended = 0;
  const paths = new Map<number, readonly number[]>();
  try {
    const episodes = await Promise.all(parts.map((part) =>
      evaluateInWorker(part, {
        onEpisode: () => onEpisode?.(++ended),
        ...(onPlayback && { onPlayback }),
        onPaths: (found) => found.forEach((path, i) => paths.set(part.pathSeeds[i]!, path)),
        signal: signal ? AbortSignal.any([signal, stop.signal]) : stop.signal,
      })
    ));
    if (pathSeeds.length > 0) onPaths?.(pathSeeds.map((seed) => paths.get(seed)!));
    return episodes.flat();
  } finally {
    stop.abort(); // Ends the others if one has failed.
  }
}
