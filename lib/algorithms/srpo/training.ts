/**
 * The three stages with their training inputs: minibatches from the replay buffer, and times, noise
 * and dropout masks from the counter-based generator.
 *
 * @module
 */
import type { Graph } from "../../autodiff/graph.ts";
import type { ReplayBuffer } from "../../data/replay_buffer.ts";
import type { Stage } from "../algorithm.ts";
import { behavior } from "./behavior.ts";
import { critic } from "./critic.ts";
import type { Hyperparameters } from "./hyperparameters.ts";
import { policy, regularizationOf } from "./policy.ts";
import { streams } from "./streams.ts";

/** Describes a step of the critic stage. */
export function criticStage(graph: Graph, buffer: ReplayBuffer, h: Hyperparameters): Stage {
  const batch = buffer.minibatch(graph, {
    rows: h.criticBatchSize,
    stream: streams.criticBatch,
  });
  return critic(graph, {
    state: batch.state(),
    action: batch.action(),
    reward: batch.reward(),
    terminal: batch.terminal(),
    nextState: batch.nextState(),
  }, h);
}

/** Describes a step of the behavior stage. */
export function behaviorStage(graph: Graph, buffer: ReplayBuffer, h: Hyperparameters): Stage {
  const rows = h.behaviorBatchSize;
  const batch = buffer.minibatch(graph, { rows, stream: streams.behaviorBatch });
  return behavior(graph, {
    state: batch.state(),
    action: batch.action(),
    times: {
      stream: streams.behaviorTime,
      rows,
      range: () => [h.behaviorMinTime, h.behaviorMaxTime],
    },
    noise: { stream: streams.behaviorNoise },
    ...(h.behaviorDropout > 0 && {
      dropout: (block: number) => ({
        rate: h.behaviorDropout,
        keep: { stream: streams.dropout + block },
      }),
    }),
  }, h);
}

/**
 * Describes a step of policy extraction.
 *
 * @param variants Hyperparameters of each replica. β, ω(t) and the baseline may differ.
 */
export function policyStage(
  graph: Graph,
  buffer: ReplayBuffer,
  h: Hyperparameters,
  variants: readonly Hyperparameters[],
): Stage {
  const rows = h.policyBatchSize;
  const batch = buffer.minibatch(graph, { rows, stream: streams.policyBatch });
  const range = (replica: number) => {
    const { weighting, fixedTime, policyMinTime, policyMaxTime } = variants[replica]!;
    return weighting === "fixed_time"
      ? [fixedTime, fixedTime] as const
      : [policyMinTime, policyMaxTime] as const;
  };
  return policy(
    graph,
    {
      state: batch.state,
      times: { stream: streams.policyTime, rows, range },
      noise: { stream: streams.policyNoise },
    },
    buffer.actionSize,
    h,
    (replica) => regularizationOf(variants[replica]!),
  );
}
