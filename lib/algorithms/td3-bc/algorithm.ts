/**
 * TD3+BC as a value: its one stage, and how its runs act.
 *
 * @module
 */
import { Mlp } from "../../nn/host/mlp.ts";
import { ObservationNormalization } from "../../nn/host/normalization.ts";
import { networkPolicy } from "../../nn/host/policy.ts";
import { doubleVector } from "../../nn/host/tensors.ts";
import type { Actor, Algorithm } from "../algorithm.ts";
import { type Hyperparameters, hyperparameterTable } from "./hyperparameters.ts";

/** The actor, after the normalisation of states that it was trained with. */
const actor: Actor = {
  name: "td3-bc",
  title: "TD3+BC",
  help: "its actor",
  needs: ["agent"],
  prefix: "actor.",
  metadata: { obs_epsilon: "0", obs_clip: "none" },
  options: {},
  act({ agent }) {
    const network = new Mlp(agent!, "actor.net", "tanh");
    const vector = (name: string) => doubleVector(agent!, `actor.obs_rms.${name}`, network.inputs);
    return networkPolicy(
      network,
      new ObservationNormalization(vector("mean"), vector("var"), 0, Infinity),
    );
  },
};

/** TD3 with behavior cloning. */
export const td3Bc: Algorithm<Hyperparameters> = {
  name: "td3-bc",
  title: "TD3+BC",
  citation: "Fujimoto, Gu: A Minimalist Approach to Offline Reinforcement Learning, 2021, " +
    "arXiv 2106.06860",
  hyperparameters: hyperparameterTable,
  stages: [{
    name: "agent",
    product: "actor and critic",
    needs: [],
    over: "variants",
    groups: ["data", "agent"],
    steps: "steps",
    batchSize: "batchSize",
    shown: ["loss_critic", "loss_actor", "q_mean"],
    evaluated: "td3-bc",
    async describe(graph, buffer, h, variants) {
      const { agentStage } = await import("./agent.ts");
      return agentStage(graph, buffer, h, variants);
    },
  }],
  actors: [actor],
  sweeps: [{
    list: "alphas",
    hyperparameter: "alpha",
    label: "alpha",
    help: "An actor for each weight α of Q",
    symbol: "α",
    text: (value) => `α = ${value}`,
  }],
  rewardRule: (h) => h.rewardRule,
};
