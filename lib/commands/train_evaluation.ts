/**
 * Evaluations during and after training. The policy of each seed and variant is played in its
 * environment, in a worker so that training on the GPU continues. Also the reference returns and
 * the statistics over seeds.
 *
 * @module
 */
import type { Algorithm } from "../algorithms/algorithm.ts";
import { Placement } from "../nn/placement.ts";
import { algorithms } from "../algorithms/registry.ts";
import type { Task } from "../data/catalog.ts";
import type { OfflineDataset } from "../data/dataset.ts";
import { episodesOf } from "../data/summary.ts";
import { evaluateHere } from "../envs/evaluate_here.ts";
import { evaluateInWorkers } from "../envs/evaluate_in_worker.ts";
import { evaluationRecord, summarize } from "../envs/evaluation.ts";
import { openServer } from "../envs/bridge/open.ts";
import type { Bridge } from "../envs/evaluate_here.ts";
import { environments } from "../envs/ids.ts";
import { scaledPolicy } from "../nn/host/action_bounds.ts";
import type { Playback } from "../envs/playback.ts";
import type { Episode } from "../envs/rollout.ts";
import { countsSuccess, normalizedScore, referenceReturn } from "../envs/scores.ts";
import { evaluationSeeds } from "../envs/seeds.ts";
import type { DrawnEpisodes } from "./drawn_episodes.ts";
import { atLatestStep, lastEvaluations } from "./results_table.ts";
import type { Target } from "../gpu/target.ts";
import type { PlayedPaths } from "../report/drawn_maze.ts";
import { statisticsOf } from "../report/statistics.ts";
import type { Evaluator, PolicyEvaluation } from "../runs/evaluation_queue.ts";
import type { RunDirectory } from "../runs/directory.ts";
import type { Interrupt } from "../runs/interrupt.ts";
import type { ReplicaName } from "../runs/metrics.ts";
import { stageOf } from "../runs/replicas.ts";
import {
  type EvaluatedActor,
  type EvaluationRow,
  type EvaluationStatistics,
  figuresOf,
  type References,
} from "../runs/results.ts";
import { decode } from "../runs/safetensors.ts";
import { optionsOf } from "../runs/trained.ts";

/** How often, and over how many episodes, policies are evaluated. */
export interface EvaluationPlan {
  /** Steps between evaluations; null to evaluate only at the end of a stage. */
  readonly every: number | null;
  /** Episodes per evaluation; 0 disables evaluation. */
  readonly episodes: number;
}

/** A policy that is evaluated. */
export interface EvaluatedPolicy {
  /** Stage that trains it. */
  readonly stage: string;
  /** Completed steps of the stage. */
  readonly step: number;
  /** Its seed and variant. */
  readonly replica: ReplicaName;
}

/** Receivers of evaluation episodes, and the workers that play them. */
export interface EvaluatorOptions {
  /** Workers for the policies that a GPU computes; defaults to 1. */
  readonly workers?: number;
  /** Receives the first episode of every evaluation, in built-in environments. */
  readonly onPlayback?: ((playback: Playback, policy: EvaluatedPolicy) => void) | undefined;
  /** Receives the paths that the maze picture shows, if the algorithm is a registered one. */
  readonly drawn?: DrawnEpisodes;
}

/** Returns whether policies are evaluated: episodes are played, and the task has an environment. */
export function isEvaluated(task: Task, { episodes }: EvaluationPlan): boolean {
  return episodes > 0 && (task.own ? task.own.environment !== null : environments.has(task.name));
}

/**
 * Returns an evaluator of an algorithm's actors on a task. Null if evaluation is disabled or the
 * task has no environment.
 *
 * @param interrupt Stops evaluations in progress.
 * @param target Kernel variants of actors on the GPU. Defaults to the fastest.
 */
export function evaluatorOf(
  algorithm: Algorithm,
  task: Task,
  evaluation: EvaluationPlan,
  interrupt: Pick<Interrupt, "signal">,
  target?: Target,
  { workers = 1, onPlayback, drawn }: EvaluatorOptions = {},
): Evaluator | null {
  if (!isEvaluated(task, evaluation)) return null;
  const { every, episodes } = evaluation;
  const { signal } = interrupt;
  const reference = referenceReturn(task.name);
  return {
    every: every ?? Infinity,
    episodes,
    async evaluate(stage, step, checkpoints, replicas, progress, stop) {
      const ending = stop ? AbortSignal.any([signal, stop]) : signal;
      await using server = await bridgeOf(task);
      const found: PolicyEvaluation[] = [];
      const total = checkpoints.length * episodes;
      progress(0, total);
      for (const [place, bytes] of checkpoints.entries()) {
        try {
          const played = await play(algorithm, stage, bytes, replicas[place]!.directory, {
            task,
            bridge: server?.bridge,
            seeds: evaluationSeeds(0, episodes),
            workers,
            signal: ending,
            ...(target && { target }),
            ...(onPlayback && place === 0 && {
              onPlayback: (playback: Playback) =>
                onPlayback(playback, { stage, step, replica: replicas[place]! }),
            }),
            ...(drawn && task.family === "maze2d" && drawn.shows(stage, replicas[place]!) && {
              pathSeeds: await drawn.seeds(task.name),
              onPaths: (paths: PlayedPaths) => drawn.add(stage, step, paths),
            }),
            onEpisode: (ended) => progress(place * episodes + ended, total),
          });
          const figures = summarize(task.name, played, reference);
          const record = evaluationRecord(task.name, figures, reference);
          found.push({ metrics: figuresOf(record), episodes: record.episodes });
        } catch (error) {
          if (ending.aborted && error === ending.reason) return null;
          throw error;
        }
      }
      return found;
    },
  };
}

/** Starts the server of a custom task's environment. Null if the environment is built in. */
async function bridgeOf(
  { own }: Task,
): Promise<(AsyncDisposable & { readonly bridge: Bridge }) | null> {
  const server = own?.environment?.server ?? "wasm";
  if (server === "wasm") return null;
  const { url, close } = await openServer({ server });
  return { bridge: { server, url }, [Symbol.asyncDispose]: close };
}

/** Plays an evaluation's episodes with the stage's actor. */
async function play(
  algorithm: Algorithm,
  stage: string,
  checkpoint: Uint8Array,
  directory: RunDirectory,
  { task: { name: task, own }, bridge, seeds, workers, signal, target, ...observers }: {
    readonly task: Task;
    readonly bridge: Bridge | undefined;
    readonly seeds: readonly number[];
    readonly workers: number;
    readonly signal: AbortSignal;
    readonly target?: Target;
    readonly onEpisode: (ended: number) => void;
    readonly onPlayback?: (playback: Playback) => void;
    readonly pathSeeds?: readonly number[];
    readonly onPaths?: (paths: PlayedPaths) => void;
  },
): Promise<Episode[]> {
  const { onEpisode, onPlayback, pathSeeds, onPaths } = observers;
  const { evaluated } = stageOf(algorithm, stage);
  const actor = algorithm.actors.find(({ name }) => name === evaluated)!;
  const checkpoints = Object.fromEntries(actor.needs.map((each) => {
    const path = directory.checkpoint(each);
    const bytes = each === stage ? checkpoint : Deno.readFileSync(path);
    return [each, { source: path, tensors: decode(bytes, path).tensors }];
  }));
  const options = optionsOf(actor);
  const actionBounds = own?.actionBounds ?? null;
  // A worker can load only registered algorithms.
  if (algorithms.get(algorithm.name) === algorithm) {
    const request = { algorithm: algorithm.name, actor: actor.name, checkpoints, options };
    return await evaluateInWorkers(
      {
        ...request,
        task,
        seeds,
        ...(target && { target }),
        ...(bridge && { bridge }),
        ...(actionBounds && { actionBounds }),
        ...(onPlayback && { record: true }),
        ...(pathSeeds && { pathSeeds }),
      },
      actor.describe ? workers : 1,
      {
        signal,
        onEpisode,
        ...(onPlayback && { onPlayback }),
        ...(pathSeeds && onPaths && {
          onPaths: (paths) => onPaths(new Map(paths.map((path, i) => [pathSeeds[i]!, path]))),
        }),
      },
    );
  }
  let ended = 0;
  await using placement = new Placement({ ...(target && { target }) });
  const { policy } = await placement.place({
    policy: actor.act(checkpoints, options),
    ...(actor.describe && { describe: () => actor.describe!(checkpoints, options) }),
  });
  const acting = actionBounds === null ? policy : scaledPolicy(policy, actionBounds);
  return await evaluateHere(acting, task, seeds, { end: () => onEpisode(++ended) }, bridge);
}

/** Returns the actors that are evaluated, one per stage that has one, with the paper's scores. */
export function evaluatedActors({ stages, actors }: Algorithm, task: Task): EvaluatedActor[] {
  return stages.flatMap(({ name, evaluated }) => {
    const actor = actors.find((each) => each.name === evaluated);
    if (actor === undefined) return [];
    const paperScore = actor.column === undefined ? undefined : task.paperScores[actor.column];
    return [{
      stage: name,
      policy: actor.name,
      title: actor.title,
      ...(paperScore && { paper_score: paperScore }),
    }];
  });
}

/** Returns the reference returns and scores of a task. */
export function referencesOf(task: Task, data: OfflineDataset): References {
  const reference = referenceReturn(task.name);
  const dataReturn = dataReturnOf(task, data);
  const successes = countsSuccess(task.name);
  return {
    random_return: reference?.min ?? null,
    expert_return: reference?.max ?? null,
    data_return: dataReturn,
    data_score: reference === null || dataReturn === null
      ? null
      : successes
      ? 100 * dataReturn
      : normalizedScore(dataReturn, reference),
    counts_success: successes,
  };
}

/**
 * Returns statistics over seeds of the last evaluations, per stage and variant. They are ordered by
 * stage, then by the order of evaluation.
 */
export function evaluationStatistics(
  evaluations: readonly EvaluationRow[],
  actors: readonly EvaluatedActor[],
): EvaluationStatistics[] {
  return actors.flatMap(({ stage, policy }) => {
    const last = lastEvaluations(evaluations, stage);
    if (last.length === 0) return [];
    const quantity = last.every(({ score }) => score !== null) ? "score" : "return";
    const variants = [...new Set(last.map(({ variant }) => variant))];
    return variants.map((variant) => {
      const rows = atLatestStep(last.filter((row) => row.variant === variant));
      const values = rows.map((row) => quantity === "score" ? row.score! : row.mean_return);
      const { interquartileMean, ...rest } = statisticsOf(values);
      const seeds = rows.map(({ seed }) => seed);
      return {
        stage,
        policy,
        variant,
        seeds,
        quantity,
        ...rest,
        interquartile_mean: interquartileMean,
      };
    });
  });
}

/**
 * Returns the mean return of the data's complete episodes. Maze2d's data are one continuous walk;
 * there it is the mean reward per step times the step limit.
 */
function dataReturnOf(task: Task, data: OfflineDataset): number | null {
  if (task.family === "maze2d") {
    const total = data.rewards.reduce((sum, reward) => sum + reward, 0);
    return (total / data.rows) * task.maxEpisodeSteps!;
  }
  const complete = episodesOf(data).filter(({ ending }) => ending !== "cut");
  if (complete.length === 0) return null;
  return complete.reduce((sum, episode) => sum + episode.return, 0) / complete.length;
}
