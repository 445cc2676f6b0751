/**
 * Definition of IDQL: one training stage, and an actor that takes the best of the averaged behavior
 * model's samples.
 *
 * @module
 */
import { ancestralSteps } from "../../diffusion/ddpm.ts";
import { layerNorm } from "../../nn/host/layer_norm.ts";
import { Mlp, TwinQ } from "../../nn/host/mlp.ts";
import { NoiseModel } from "../../nn/host/noise_model.ts";
import { type NamedTensors, tensor } from "../../nn/host/tensors.ts";
import type { Actor, Algorithm } from "../algorithm.ts";
import { ancestralSampler, candidatePolicy } from "../candidate_policy.ts";
import { behaviorDetails, layerNormEpsilon } from "./details.ts";
import { type Hyperparameters, hyperparameterTable } from "./hyperparameters.ts";

/** Names of the networks that act. */
const [modelName, qName] = ["target_score_model", "target_critic"];

function networksOf(agent: NamedTensors) {
  const model = new NoiseModel(agent, modelName, behaviorDetails);
  return {
    model,
    q: new TwinQ(agent, qName, model.actionSize),
    steps: ancestralSteps([...tensor(agent, "score_model.betas", [null]).data], "beta"),
  };
}

/**
 * Takes the sample of the averaged model with the highest target Q. Samples are clipped in every
 * sampling step.
 */
const candidates: Actor = {
  name: "idql",
  title: "IDQL",
  help: "the candidate from the averaged behavior model with the highest Q",
  column: "IDQL",
  needs: ["agent"],
  options: {
    candidates: {
      help:
        "Number of candidates for IDQL's idql, of which the official code compares 16, 64 and 256",
      min: 1,
      max: 4096,
      fallback: 64,
    },
  },
  act({ agent }, options) {
    const { model, q, steps } = networksOf(agent!);
    return candidatePolicy(model, q, options["candidates"]!, ancestralSampler(steps, "result"));
  },
  async describe({ agent }, options) {
    const { candidateActor, recordedAncestral } = await import("../candidate_graph.ts");
    const { model, q, steps } = networksOf(agent!);
    return candidateActor(
      { network: model, from: agent!, name: modelName },
      { network: q, from: agent!, name: qName },
      options["candidates"]!,
      recordedAncestral(steps, "result"),
    );
  },
};

/** Implicit Diffusion Q-Learning. */
export const idql: Algorithm<Hyperparameters> = {
  name: "idql",
  title: "IDQL",
  citation: "Hansen-Estruch, Kostrikov, Janner, Kuba, Levine: IDQL: Implicit Q-Learning as an " +
    "Actor-Critic Method with Diffusion Policies, 2023, arXiv 2304.10573",
  hyperparameters: hyperparameterTable,
  stages: [{
    name: "agent",
    product: "critic and behavior model",
    needs: [],
    over: "variants",
    groups: ["data", "agent"],
    steps: "steps",
    batchSize: "batchSize",
    shown: ["loss_behavior", "loss_v", "loss_q"],
    evaluated: "idql",
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
  actors: [candidates],
  sweeps: [{
    list: "expectiles",
    hyperparameter: "expectile",
    label: "expectile",
    help: "One critic and behavior model per expectile τ",
    symbol: "τ",
    greedy: "high",
    text: (value) => `τ = ${value}`,
  }],
  rewardRule: (h) => h.rewardRule,
  value: {
    stage: "agent",
    of(agent) {
      const network = new Mlp(agent, "value.net", "none");
      const size = [network.inputs];
      const gain = tensor(agent, "value.norm.weight", size).data;
      const shift = tensor(agent, "value.norm.bias", size).data;
      return (states, rows) => {
        const normalized = new Float32Array(rows * network.inputs);
        layerNorm(states, { gain, shift }, layerNormEpsilon, rows, normalized);
        return network.forward(normalized, rows).slice(0, rows);
      };
    },
  },
};
