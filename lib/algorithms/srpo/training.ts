/**
 * The three stages as they are trained: minibatches from the replay buffer, times, noise and dropout
 * masks from the counted generator, networks initialised or taken from earlier stages.
 *
 * @module
 */
import type { Graph } from "../../autodiff/graph.ts";
import type { ParameterShape, ParameterValues } from "../../autodiff/parameters.ts";
import { streams } from "../../autodiff/random.ts";
import type { ReplayBuffer } from "../../data/replay_buffer.ts";
import { initialFrequencies, initialise } from "../../nn/initialisation.ts";
import { behavior } from "./behavior.ts";
import { critic } from "./critic.ts";
import type { Hyperparameters } from "./hyperparameters.ts";
import { policy, regularizationOf } from "./policy.ts";
import type { Network, Stage, StageName } from "./stage.ts";

/**
 * Describes a step of a stage on minibatches of `buffer`.
 *
 * @param variant Hyperparameters of each of the graph's replicas in the policy stage, where β, ω(t) and
 * the baseline may differ; the others are `h`'s.
 */
export function trainingStage(
  name: StageName,
  graph: Graph,
  buffer: ReplayBuffer,
  h: Hyperparameters,
  variant: (replica: number) => Hyperparameters = () => h,
): Stage {
  switch (name) {
    case "critic":
      return criticStage(graph, buffer, h);
    case "behavior":
      return behaviorStage(graph, buffer, h);
    case "policy":
      return policyStage(graph, buffer, h, variant);
  }
}

function criticStage(graph: Graph, buffer: ReplayBuffer, h: Hyperparameters): Stage {
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

function behaviorStage(graph: Graph, buffer: ReplayBuffer, h: Hyperparameters): Stage {
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

function policyStage(
  graph: Graph,
  buffer: ReplayBuffer,
  h: Hyperparameters,
  variant: (replica: number) => Hyperparameters,
): Stage {
  const rows = h.policyBatchSize;
  const batch = buffer.minibatch(graph, { rows, stream: streams.policyBatch });
  const range = (replica: number) => {
    const { weighting, fixedTime, policyMinTime, policyMaxTime } = variant(replica);
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
    (replica) => regularizationOf(variant(replica)),
  );
}

/** Steps of a stage. */
export function stepsOf(name: StageName, h: Hyperparameters): number {
  return { critic: h.criticSteps, behavior: h.behaviorSteps, policy: h.policySteps }[name];
}

/** Rows of a stage's minibatches. */
export function batchSizeOf(name: StageName, h: Hyperparameters): number {
  return {
    critic: h.criticBatchSize,
    behavior: h.behaviorBatchSize,
    policy: h.policyBatchSize,
  }[name];
}

/** The losses of a stage that matter, in the order they are shown. */
export const shownLosses: Readonly<Record<StageName, readonly string[]>> = {
  critic: ["loss_v", "loss_q", "loss_awr"],
  behavior: ["loss"],
  policy: ["loss", "q_mean"],
};

/** Initial values of one network of a family. */
export function initialValues(
  { parameters, initial }: Network,
  seed: number,
  member: number,
  h: Hyperparameters,
): ParameterValues {
  if (initial === undefined) throw new Error("initialValues: the network comes from another stage");
  const [first] = parameters.shapes as [ParameterShape];
  if (first.name.endsWith(".W")) {
    const frequencies = initialFrequencies(seed, first.segments[0]!, h.fourierScale);
    return new Map([[first.name, frequencies]]);
  }
  return initialise(parameters.shapes, seed, initial + member);
}
