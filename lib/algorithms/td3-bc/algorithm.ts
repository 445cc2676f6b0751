/**
 * Definition of TD3+BC: its single stage, and the actor of its runs.
 *
 * @module
 */
import { Mlp } from "../../nn/host/mlp.ts";
import { ObservationNormalization } from "../../nn/host/normalization.ts";
import { networkPolicy } from "../../nn/host/policy.ts";
import { doubleVector, type NamedTensors } from "../../nn/host/tensors.ts";
import type { Actor, Algorithm } from "../algorithm.ts";
import { type Hyperparameters, hyperparameterTable } from "./hyperparameters.ts";

/** The actor, with the state normalization from training. */
const actor: Actor = {
  name: "td3-bc",
  title: "TD3+BC",
  help: "the actor network",
  column: "TD3+BC",
  needs: ["agent"],
  prefix: "actor.",
  metadata: { obs_epsilon: "0", obs_clip: "none" },
  options: {},
  act({ agent }) {
    const network = new Mlp(agent!, "actor.net", "tanh");
    return networkPolicy(network, normalizationOf(agent!, network.inputs));
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
    officialFiles: [
      {
        name: "actor",
        prefixes: [["actor.net.0.", "l1."], ["actor.net.2.", "l2."], ["actor.net.4.", "l3."]],
      },
      {
        name: "critic",
        prefixes: [
          ["critic.q1.0.", "l1."],
          ["critic.q1.2.", "l2."],
          ["critic.q1.4.", "l3."],
          ["critic.q2.0.", "l4."],
          ["critic.q2.2.", "l5."],
          ["critic.q2.4.", "l6."],
        ],
      },
    ],
    shown: ["loss_critic", "loss_actor", "q_mean"],
    evaluated: "td3-bc",
    bounded: {
      metrics: ["q_mean", "v_mean"],
      discount: "discount",
      advice: "Lower --alpha, so that the actor stays closer to the data.",
    },
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
    help: "One actor per weight α of Q",
    symbol: "α",
    greedy: "high",
    text: (value) => `α = ${value}`,
  }],
  rewardRule: (h) => h.rewardRule,
  actionValue: {
    stage: "agent",
    of(agent) {
      const heads = ["critic.q1", "critic.q2"].map((name) => new Mlp(agent, name, "none"));
      const { inputs } = new Mlp(agent, "actor.net", "tanh");
      const normalization = normalizationOf(agent, inputs);
      const input = new Float32Array(heads[0]!.inputs);
      return (state, action) => {
        normalization.apply(state, input);
        input.set(action, inputs);
        return Math.min(...heads.map((head) => head.forward(input, 1)[0]!));
      };
    },
  },
};

/** Returns the normalization of the states, which actor and critic share. */
function normalizationOf(agent: NamedTensors, size: number): ObservationNormalization {
  const vector = (name: string) => doubleVector(agent, `actor.obs_rms.${name}`, size);
  return new ObservationNormalization(vector("mean"), vector("var"), 0, Infinity);
}
