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
import { evaluateHere } from "./evaluate_here.ts";
import { playbackOf } from "./playback.ts";
import { PositionRecorder } from "./position_recorder.ts";

async function answer(request: EvaluationRequest): Promise<EvaluationAnswer> {
  try {
    const { actors } = findAlgorithm(request.algorithm);
    const actor = actors.find(({ name }) => name === request.actor)!;
    const { actionBounds, bridge, checkpoints, options, seeds, target, task } = request;
    const { record = false, pathSeeds = [] } = request;
    await using placement = new Placement({ ...(target && { target }) });
    const placed = await placement.place({
      policy: actor.act(checkpoints, options),
      ...(actor.describe && { describe: () => actor.describe!(checkpoints, options) }),
    });
    const policy = actionBounds ? scaledPolicy(placed.policy, actionBounds) : placed.policy;
    const played = [...new Set([...seeds, ...pathSeeds])];
    const end = (episode: number) => {
      if (episode < seeds.length) scope.postMessage({ ended: true });
    };
    const recorder = bridge === undefined && (record || pathSeeds.length > 0)
      ? new PositionRecorder(pathSeeds.length > 0 ? Infinity : 1)
      : null;
    const observer = {
      end,
      ...(recorder && { begin: recorder.begin, positions: recorder.positions }),
    };
    const episodes = await evaluateHere(policy, task, played, observer, bridge);
    if (recorder !== null && record) {
      scope.postMessage({ playback: await playbackOf(task, recorder.qpos[0]!) });
    }
    if (recorder !== null && pathSeeds.length > 0) {
      const paths = recorder.paths();
      scope.postMessage({ paths: pathSeeds.map((seed) => paths[played.indexOf(seed)]!) });
    }
    return { episodes: episodes.slice(0, seeds.length) };
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
