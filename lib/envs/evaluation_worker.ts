/**
 * Worker script of `evaluateInWorker`. It answers a single message.
 *
 * @module
 */
import { Placement } from "../nn/placement.ts";
import { findAlgorithm } from "../algorithms/registry.ts";
import { missingPermission, UserError } from "../errors.ts";
import "./mujoco/binary.ts";
import { scaledPolicy } from "../nn/host/action_bounds.ts";
import type { EvaluationAnswer, EvaluationRequest } from "./evaluate_in_worker.ts";
import { EpisodePaths } from "./episode_paths.ts";
import { evaluateHere } from "./evaluate_here.ts";
import { FirstEpisode, playbackOf } from "./playback.ts";
import type { RolloutObserver } from "./rollout.ts";

async function answer(request: EvaluationRequest): Promise<EvaluationAnswer> {
  try {
    const { actors } = findAlgorithm(request.algorithm);
    const actor = actors.find(({ name }) => name === request.actor)!;
    const { actionBounds, bridge, checkpoints, options, seeds, target, task } = request;
    await using placement = new Placement({ ...(target && { target }) });
    const placed = await placement.place({
      policy: actor.act(checkpoints, options),
      ...(actor.describe && { describe: () => actor.describe!(checkpoints, options) }),
    });
    const policy = actionBounds ? scaledPolicy(placed.policy, actionBounds) : placed.policy;
    const end = () => scope.postMessage({ ended: true });
    const first = request.record && bridge === undefined ? new FirstEpisode() : null;
    const whole = request.recordPaths && bridge === undefined ? new EpisodePaths() : null;
    const recorders = [first, whole].filter((recorder) => recorder !== null);
    const observer: RolloutObserver = {
      end,
      begin: (episode) => recorders.forEach((recorder) => recorder.begin(episode)),
      ...(recorders.length > 0 && {
        positions: (playing: readonly number[], qpos: Float64Array) =>
          recorders.forEach((recorder) => recorder.positions(playing, qpos)),
      }),
    };
    const episodes = await evaluateHere(policy, task, seeds, observer, bridge);
    if (first !== null) scope.postMessage({ playback: await playbackOf(task, first.qpos) });
    if (whole !== null) scope.postMessage({ paths: whole.paths });
    return { episodes };
  } catch (error) {
    const known = error instanceof UserError ? error : missingPermission(error);
    const message = known?.message ?? String((error as Error).stack ?? error);
    return { error: { message, isUserError: known !== null } };
  }
}

const scope = globalThis as unknown as {
  postMessage(message: EvaluationAnswer): void;
  onmessage: (event: MessageEvent<EvaluationRequest>) => void;
};
scope.onmessage = async ({ data }) => scope.postMessage(await answer(data));
