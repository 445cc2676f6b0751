/**
 * Definition of SRPO: the three stages of Algorithm 1, and the actors of its runs.
 *
 * @module
 */
import { Mlp, TwinQ } from "../../nn/host/mlp.ts";
import { NoiseModel } from "../../nn/host/noise_model.ts";
import type { Actor, Algorithm } from "../algorithm.ts";
import type { NamedTensors } from "../../nn/host/tensors.ts";
import { networkPolicy } from "../../nn/host/policy.ts";
import { candidatePolicy, solverSampler } from "../candidate_policy.ts";
import { type Hyperparameters, hyperparameterTable, weightingText } from "./hyperparameters.ts";

/** The final policy: one pass through a small network. */
const final: Actor = {
  name: "srpo",
  title: "SRPO",
  help: "the final policy",
  column: "SRPO",
  needs: ["policy"],
  prefix: "policy.",
  options: {},
  act: ({ policy }) => networkPolicy(new Mlp(policy!, "policy.net", "tanh")),
};

/** The critic stage's policy, trained by advantage-weighted regression. */
const advantageWeighted: Actor = {
  name: "awr",
  title: "AWR",
  help: "the critic stage's advantage-weighted policy",
  formerName: "iql",
  needs: ["critic"],
  prefix: "policy.",
  options: {},
  act: ({ critic }) => networkPolicy(new Mlp(critic!, "policy.net", "tanh")),
};

function candidateNetworks(behavior: NamedTensors, critic: NamedTensors) {
  const model = new NoiseModel(behavior, "diffusion");
  return { model, q: new TwinQ(critic, "q0_target", model.actionSize) };
}

/** Greedy IDQL; see {@linkcode candidatePolicy}. */
const candidates: Actor = {
  name: "idql",
  title: "IDQL",
  help: "of several candidates from the behavior model, the one with the highest Q",
  column: "IDQL",
  needs: ["behavior", "critic"],
  // Few enough candidates to act fast, and enough steps for a second-order solver.
  options: {
    candidates: { help: "Number of candidates for SRPO's idql", min: 1, max: 4096, fallback: 32 },
    steps: {
      help: "Number of diffusion sampler steps for SRPO's idql",
      min: 1,
      max: 1000,
      fallback: 15,
    },
  },
  act({ behavior, critic }, options) {
    const { model, q } = candidateNetworks(behavior!, critic!);
    return candidatePolicy(model, q, options["candidates"]!, solverSampler(options["steps"]!));
  },
  async describe({ behavior, critic }, options) {
    const { candidateActor, recordedSolver } = await import("../candidate_graph.ts");
    const { model, q } = candidateNetworks(behavior!, critic!);
    return candidateActor(
      { network: model, from: behavior!, name: "diffusion" },
      { network: q, from: critic!, name: "q0_target" },
      options["candidates"]!,
      recordedSolver(options["steps"]!),
    );
  },
  published: "the published IDQL takes the best of 64 candidates in 5 steps of DDPM",
};

/** Score Regularized Policy Optimization. */
export const srpo: Algorithm<Hyperparameters> = {
  name: "srpo",
  title: "SRPO",
  citation: "Chen, Lu, Wang, Su, Zhu: Score Regularized Policy Optimization through Diffusion " +
    "Behavior, 2023, arXiv 2310.07297",
  hyperparameters: hyperparameterTable,
  stages: [
    {
      name: "critic",
      product: "critic",
      needs: [],
      over: "seeds",
      groups: ["data", "critic"],
      steps: "criticSteps",
      batchSize: "criticBatchSize",
      // train_critic.py writes the critic alone, without the advantage-weighted policy.
      officialFiles: [{
        name: "critic",
        prefixes: [["q0.", "q0."], ["q0_target.", "q0_target."], ["vf.", "vf."]],
      }],
      shapedBy: ["criticWidth", "criticLayers"],
      shown: ["loss_v", "loss_q", "loss_awr"],
      evaluated: "awr",
      bounded: {
        metrics: ["q_mean", "v_mean"],
        discount: "discount",
        advice:
          "Lower --expectile, --target-rate or --critic-learning-rate. If Q's scale alone is " +
          "off, --normalize-beta true lets the policy stage use it (Appendix C, Figure 13).",
      },
      async describe(graph, buffer, h) {
        const { criticStage } = await import("./training.ts");
        return criticStage(graph, buffer, h);
      },
    },
    {
      name: "behavior",
      product: "behavior model",
      needs: [],
      over: "seeds",
      groups: ["behavior"],
      steps: "behaviorSteps",
      batchSize: "behaviorBatchSize",
      officialFiles: [{ name: "behavior", prefixes: [["diffusion.", "diffusion_behavior."]] }],
      shapedBy: ["behaviorWidth", "behaviorBlocks", "fourierFrequencies", "embeddingWidth"],
      shown: ["loss"],
      evaluated: "idql",
      evaluatedOnce: true,
      async describe(graph, buffer, h) {
        const { behaviorStage } = await import("./training.ts");
        return behaviorStage(graph, buffer, h);
      },
    },
    {
      name: "policy",
      product: "policy",
      needs: ["critic", "behavior"],
      over: "variants",
      groups: ["policy"],
      steps: "policySteps",
      batchSize: "policyBatchSize",
      shown: ["loss", "q_mean"],
      evaluated: "srpo",
      bounded: {
        metrics: ["q_mean"],
        discount: "discount",
        advice: "The critic is wrong about the policy's actions: lower --beta, or train a critic " +
          "that does not diverge.",
      },
      async describe(graph, buffer, h, variants) {
        const { policyStage } = await import("./training.ts");
        return policyStage(graph, buffer, h, variants);
      },
    },
  ],
  actors: [final, advantageWeighted, candidates],
  sweeps: [
    {
      list: "betas",
      hyperparameter: "beta",
      label: "beta",
      help: "One policy per temperature β",
      symbol: "β",
      greedy: "high",
      text: (value) => `β = ${value}`,
    },
    {
      list: "weightings",
      hyperparameter: "weighting",
      label: "weighting",
      help: "One policy per weight ω(t)",
      symbol: "ω",
      text: weightingText,
    },
    {
      list: "times",
      hyperparameter: "fixedTime",
      label: "t",
      help: "One policy per diffusion time of weighting fixed_time",
      symbol: "t",
      text: (value) => `t = ${value}`,
      only: {
        flags: "weighting fixed_time",
        holds: ({ weighting }) => weighting === "fixed_time",
      },
    },
    {
      list: "baselines",
      hyperparameter: "subtractBaseline",
      label: "baseline",
      help: "One policy with the noise subtracted from its prediction, one without, or both",
      symbol: "−ε",
      text: (subtracted) => subtracted ? "ε subtracted" : "ε not subtracted",
    },
  ],
  rewardRule: (h) => h.rewardRule,
  value: {
    stage: "critic",
    of(critic) {
      const network = new Mlp(critic, "vf.v", "none");
      return (states, rows) => network.forward(states, rows).slice(0, rows);
    },
  },
};
