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
import { FirstEpisode, playbackOf } from "./playback.ts";

async function answer(request: EvaluationRequest): Promise<EvaluationAnswer> {
  try {
    const { actors } = findAlgorithm(request.algorithm);
    const actor = actors.find(({ name }) => name === request.actor)!;
    const { actionBounds, bridge, checkpoints, options, record, seeds, target, task } = request;
    await using placement = new Placement({ ...(target && { target }) });
    const placed = await placement.place({
      policy: actor.act(checkpoints, options),
      ...(actor.describe && { describe: () => actor.describe!(checkpoints, options) }),
    });
    const policy = actionBounds ? scaledPolicy(placed.policy, actionBounds) : placed.policy;
    const end = () => scope.postMessage({ ended: true });
    const recorder = record && bridge === undefined ? new FirstEpisode() : null;
    const observer = { end, ...(recorder && { positions: recorder.positions }) };
    const episodes = await evaluateHere(policy, task, seeds, observer, bridge);
    if (recorder !== null) {
      scope.postMessage({ playback: await playbackOf(task, recorder.qpos) });
    }
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
