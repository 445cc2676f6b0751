/**
 * Definition of Diffusion-QL: its training stage and its actor.
 *
 * @module
 */
import type { Actor, Algorithm } from "../algorithm.ts";
import { diffusionPolicy, Networks } from "./acting.ts";
import { type Hyperparameters, hyperparameterTable } from "./hyperparameters.ts";

/** Draws one of several samples of the actor with probability softmax(Q). */
const actor: Actor = {
  name: "diffusion-ql",
  title: "Diffusion-QL",
  help: "one of several samples of the actor, drawn with probability softmax(Q)",
  column: "Diffusion-QL",
  needs: ["agent"],
  options: {
    candidates: { help: "Number of candidates for diffusion-ql", min: 1, max: 4096, fallback: 50 },
  },
  act: ({ agent }, options) => diffusionPolicy(new Networks(agent!), options["candidates"]!),
  async describe({ agent }, options) {
    const { diffusionActor } = await import("./acting_graph.ts");
    return diffusionActor(new Networks(agent!), agent!, options["candidates"]!);
  },
};

/** Diffusion Q-learning. */
export const diffusionQl: Algorithm<Hyperparameters> = {
  name: "diffusion-ql",
  title: "Diffusion-QL",
  citation: "Wang, Hunt, Zhou: Diffusion Policies as an Expressive Policy Class for Offline " +
    "Reinforcement Learning, 2023, arXiv 2208.06193",
  hyperparameters: hyperparameterTable,
  stages: [{
    name: "agent",
    product: "actor and critic",
    needs: [],
    over: "variants",
    groups: ["data", "agent"],
    steps: "steps",
    batchSize: "batchSize",
    // The official actor's file also has the constants of the noise schedule.
    officialFiles: [
      { name: "actor", prefixes: [["actor.model.", "model."]] },
      { name: "critic", prefixes: [["critic.", ""]] },
    ],
    shown: ["loss_critic", "loss_imitation", "q_mean"],
    evaluated: "diffusion-ql",
    bounded: {
      metrics: ["q_mean", "v_mean"],
      discount: "discount",
      advice: "Lower --eta, so that the actor stays closer to the data.",
    },
    async describe(graph, buffer, h, variants) {
      const { agentStage } = await import("./agent.ts");
      return agentStage(graph, buffer, h, variants);
    },
  }],
  actors: [actor],
  sweeps: [{
    list: "etas",
    hyperparameter: "eta",
    label: "eta",
    help: "One actor and critic per weight η of Q",
    symbol: "η",
    greedy: "high",
    text: (value) => `η = ${value}`,
  }],
  rewardRule: (h) => h.rewardRule,
  actionValue: {
    stage: "agent",
    of(agent) {
      const networks = new Networks(agent);
      return (state, action) => networks.q(action, state)[0]!;
    },
  },
};
