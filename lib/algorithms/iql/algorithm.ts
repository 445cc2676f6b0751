/**
 * Definition of IQL: one stage, and the policy's mean as the actor.
 *
 * @module
 */
import { Mlp } from "../../nn/host/mlp.ts";
import { networkPolicy } from "../../nn/host/policy.ts";
import type { Algorithm } from "../algorithm.ts";
import { type Hyperparameters, hyperparameterTable } from "./hyperparameters.ts";

/** Implicit Q-Learning with a Gaussian policy by advantage-weighted regression. */
export const iql: Algorithm<Hyperparameters> = {
  name: "iql",
  title: "IQL",
  citation: "Kostrikov, Nair, Levine: Offline Reinforcement Learning with Implicit Q-Learning, " +
    "2022, arXiv 2110.06169",
  hyperparameters: hyperparameterTable,
  stages: [{
    name: "agent",
    product: "critic and policy",
    needs: [],
    over: "variants",
    groups: ["data", "agent"],
    steps: "steps",
    batchSize: "batchSize",
    shown: ["loss_v", "loss_q", "loss_policy"],
    evaluated: "iql",
    bounded: {
      metrics: ["q_mean", "v_mean"],
      discount: "discount",
      advice: "Lower --expectile, --target-rate or --learning-rate.",
    },
    async describe(graph, buffer, h, variants) {
      const { agentStage } = await import("./agent.ts");
      return agentStage(graph, buffer, h, variants);
    },
  }],
  actors: [{
    name: "iql",
    title: "IQL",
    help: "the mean of the policy",
    column: "IQL",
    needs: ["agent"],
    prefix: "policy.mean.",
    options: {},
    act: ({ agent }) => networkPolicy(new Mlp(agent!, "policy.mean.net", "tanh")),
  }],
  sweeps: [
    {
      list: "expectiles",
      hyperparameter: "expectile",
      label: "expectile",
      help: "One critic and policy per expectile τ",
      symbol: "τ",
      greedy: "high",
      text: (value) => `τ = ${value}`,
    },
    {
      list: "temperatures",
      hyperparameter: "temperature",
      label: "temperature",
      help: "One critic and policy per inverse temperature β",
      symbol: "β",
      greedy: "high",
      text: (value) => `β = ${value}`,
    },
  ],
  rewardRule: (h) => h.rewardRule,
  value: {
    stage: "agent",
    of(agent) {
      const network = new Mlp(agent, "value.net", "none");
      return (states, rows) => network.forward(states, rows).slice(0, rows);
    },
  },
};
