/**
 * The Diffusion-QL policy in a graph, like {@linkcode diffusionPolicy} on the CPU.
 *
 * @module
 */
import { ParameterSet } from "../../autodiff/parameters.ts";
import { ParameterStore } from "../../autodiff/parameter_store.ts";
import { broadcast, sumColumns } from "../../autodiff/ops/broadcast.ts";
import { log, multiply, scale, subtract } from "../../autodiff/ops/entrywise.ts";
import { minimumOverHeads } from "../../autodiff/ops/minimum_over_heads.ts";
import { reshape } from "../../autodiff/ops/reshape.ts";
import { slice } from "../../autodiff/ops/slice.ts";
import { padded } from "../../autodiff/tensor.ts";
import type { GraphActor } from "../../nn/graph_policy.ts";
import type { NamedTensors } from "../../nn/host/tensors.ts";
import { bestOf, mostFloats, valuesOf } from "../candidate_graph.ts";
import type { Networks } from "./acting.ts";
import { embeddingSize } from "./layers.ts";
import { actorShapes, noisePrediction, qShapes, qValues, sampleActions } from "./networks.ts";

/**
 * Returns the actor in a graph.
 *
 * @param from The checkpoint of the networks.
 * @param candidates Number of candidates per observation.
 * @returns Null if the candidates do not fit into one submission.
 */
export function diffusionActor(
  networks: Networks,
  from: NamedTensors,
  candidates: number,
): GraphActor | null {
  const { stateSize, actionSize, betas, width } = networks;
  // The inputs and draws of each step, and the activations between the layers of a prediction.
  const step = 2 * padded(actionSize) + padded(stateSize) + embeddingSize;
  const floats = candidates * (betas.length * step + 8 * padded(width));
  if (floats > mostFloats) return null;
  const store = new ParameterStore(1);
  const shapes = {
    actor: actorShapes(stateSize, actionSize, width),
    q: qShapes(stateSize, actionSize, width),
  };
  const actor = new ParameterSet(store, shapes.actor, 1);
  const twins = new ParameterSet(store, shapes.q, 2);
  const normals = candidates * actionSize;
  return {
    observationSize: stateSize,
    actionSize,
    flops: networks.flops(candidates),
    draws: betas.length * normals + 2 * candidates,
    mostRows: Math.floor(mostFloats / floats),
    store,
    networks: [
      { parameters: actor, values: [valuesOf(from, "actor.model", shapes.actor)] },
      {
        parameters: twins,
        values: ["q1_model", "q2_model"].map((twin) =>
          valuesOf(from, `critic_target.${twin}`, shapes.q)
        ),
      },
    ],
    describe(graph, observations, draws) {
      const rows = observations.rows * candidates;
      const states = broadcast(graph, observations, { replicas: 1, rows, columns: stateSize });
      const sampled = sampleActions(
        graph,
        noisePrediction(graph, actor, betas.length),
        states,
        betas,
        (k) => reshape(graph, slice(graph, draws, k * normals, normals), actionSize),
      );
      const q = minimumOverHeads(graph, qValues(graph, twins, states, sampled), 2);
      const pairs = reshape(graph, slice(graph, draws, betas.length * normals, 2 * candidates), 2);
      const exponential = scale(graph, sumColumns(graph, multiply(graph, pairs, pairs)), 0.5);
      const scores = subtract(graph, q, log(graph, exponential));
      return { actions: bestOf(graph, sampled, scores, candidates), inputs: [] };
    },
  };
}
