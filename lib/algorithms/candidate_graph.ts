/**
 * The choice among samples of a diffusion model on a graph: what {@linkcode candidatePolicy} does on the
 * processor.
 *
 * @module
 */
import { ParameterSet, type ParameterShape, type ParameterValues } from "../autodiff/parameters.ts";
import { ParameterStore } from "../autodiff/parameter_store.ts";
import type { Graph } from "../autodiff/graph.ts";
import { argmax } from "../autodiff/ops/argmax.ts";
import { broadcast } from "../autodiff/ops/broadcast.ts";
import { concatenate } from "../autodiff/ops/concatenate.ts";
import { clip } from "../autodiff/ops/entrywise.ts";
import { gatherRows } from "../autodiff/ops/gather_rows.ts";
import { minimumOverHeads } from "../autodiff/ops/minimum_over_heads.ts";
import { reshape } from "../autodiff/ops/reshape.ts";
import { padded, type Tensor } from "../autodiff/tensor.ts";
import { slice } from "../autodiff/ops/slice.ts";
import type { AncestralStep, Clipping } from "../diffusion/ddpm.ts";
import {
  recordAncestral,
  type RecordedPrediction,
  recordSolver,
} from "../diffusion/graph_sampler.ts";
import { behaviorShapes, noisePrediction, timeEmbedding } from "../nn/behavior_model.ts";
import type { TwinQ } from "../nn/host/mlp.ts";
import type { NoiseModel } from "../nn/host/noise_model.ts";
import { type NamedTensors, tensor } from "../nn/host/tensors.ts";
import { mlp, mlpShapes } from "../nn/mlp.ts";
import { candidateFlops, requireSameSizes } from "./candidate_policy.ts";
import type { GraphActor } from "../nn/graph_policy.ts";

/** Most steps of the sampler in one program: their dispatches are listed one by one. */
export const mostSteps = 64;

/** Floats of a submission, which lie in one buffer: half of the 128 MiB that every adapter binds. */
export const mostFloats = 2 ** 24;

/** A network on the processor, and the tensors that it was made of. */
export interface Loaded<Network> {
  readonly network: Network;
  readonly from: NamedTensors;
  /** What precedes the names of its tensors. */
  readonly name: string;
}

/**
 * The best of K values each: rows of `x`, K of them one after another for each row of the result.
 *
 * @param x `[R, K rows, columns]`.
 * @param values `[R, K rows, 1]`; the first of equal ones counts.
 * @returns `[R, rows, columns]`.
 */
export function bestOf(graph: Graph, x: Tensor, values: Tensor, count: number): Tensor {
  return gatherRows(graph, x, argmax(graph, reshape(graph, values, count)), count);
}

/** How samples are drawn from a diffusion model on a graph. */
export interface RecordedSampler {
  /** Noise predictions of a sample. */
  readonly steps: number;
  /** Standard normal numbers that each entry of a sample is made from, that it starts as included. */
  readonly draws: number;
  /**
   * Turns noise into samples.
   *
   * @param draw Returns the k-th draws, `[R, rows, size]`, k = 0 being what the samples start as.
   */
  record(graph: Graph, draw: (k: number) => Tensor, predict: RecordedPrediction): Tensor;
}

/** DPM-Solver++ with so many steps, for models of continuous times. */
export function recordedSolver(steps: number): RecordedSampler {
  return {
    steps,
    draws: 1,
    record: (graph, draw, predict) => recordSolver(graph, draw(0), predict, steps),
  };
}

/** Ancestral sampling, for models of discrete times. */
export function recordedAncestral(
  steps: readonly AncestralStep[],
  clipping: Clipping,
): RecordedSampler {
  return {
    steps: steps.length,
    // The last step adds no noise.
    draws: steps.length,
    record(graph, draw, predict) {
      const noise = (step: AncestralStep) => draw(1 + steps.indexOf(step));
      return recordAncestral(graph, draw(0), predict, steps, clipping, noise);
    },
  };
}

/**
 * The actor that draws candidates from a behavior model and takes the one with the highest Q.
 *
 * @param candidates Candidates for each observation.
 * @returns Null where the sampler has more steps than {@linkcode mostSteps}, or candidates than fit into memory.
 * @throws {UserError} The model and Q are of different states or actions.
 */
export function candidateActor(
  model: Loaded<NoiseModel>,
  q: Loaded<TwinQ>,
  candidates: number,
  sampler: RecordedSampler,
): GraphActor | null {
  requireSameSizes(model.network, q.network);
  const { stateSize, actionSize, shape, details } = model.network;
  const { steps } = sampler;
  // The inputs of each step, and what a prediction leaves between its layers.
  const inputs = padded(actionSize) + padded(stateSize) + padded(shape.embedding);
  const noise = sampler.draws * padded(actionSize);
  const layers = 8 * Math.max(shape.width, ...q.network.sizes);
  const floats = candidates * (steps * inputs + 2 * noise + layers);
  if (steps > mostSteps || floats > mostFloats) return null;
  const store = new ParameterStore(1);
  const modelShapes = behaviorShapes(shape);
  const trained = new ParameterSet(store, modelShapes, 1);
  const qShapes = mlpShapes({
    inputs: [actionSize, stateSize],
    hidden: q.network.sizes.slice(1, -1),
    outputs: 1,
  });
  const twins = new ParameterSet(store, qShapes, 2);

  return {
    observationSize: stateSize,
    actionSize,
    flops: candidateFlops(model.network, q.network, candidates, steps),
    draws: sampler.draws * candidates * actionSize,
    mostRows: Math.floor(mostFloats / floats),
    store,
    networks: [
      { parameters: trained, values: [valuesOf(model.from, model.name, modelShapes)] },
      {
        parameters: twins,
        values: ["q1", "q2"].map((twin) => valuesOf(q.from, `${q.name}.${twin}`, qShapes)),
      },
    ],
    describe(graph, observations, draws) {
      const rows = observations.rows * candidates;
      const inputs: [Tensor, Float32Array][] = [];
      const states = () =>
        broadcast(graph, observations, { replicas: 1, rows, columns: stateSize });
      const predict = (x: Tensor, t: number) => {
        // In double precision: the phases of the features reach hundreds of turns.
        const values = model.network.features(new Float32Array([t]));
        const features = graph.input(1, values.length);
        inputs.push([features, values]);
        const embedded = timeEmbedding(graph, trained, features, details);
        const input = {
          action: x,
          state: states(),
          embedding: broadcast(graph, embedded, { replicas: 1, rows, columns: embedded.columns }),
        };
        return noisePrediction(graph, trained, input, undefined, details);
      };
      const size = candidates * actionSize;
      const draw = (k: number) => {
        const own = sampler.draws === 1 ? draws : slice(graph, draws, k * size, size);
        return reshape(graph, own, actionSize);
      };
      const samples = sampler.record(graph, draw, predict);
      const kept = clip(graph, samples, -1, 1);
      const values = mlp(graph, twins, concatenate(graph, [kept, states()]));
      const actions = bestOf(graph, kept, minimumOverHeads(graph, values, 2), candidates);
      return { actions, inputs };
    },
  };
}

/**
 * The values of a network's parameters among named tensors.
 *
 * @param name What precedes the parameters' names and a dot.
 * @throws {UserError} One is missing or of another shape.
 */
export function valuesOf(
  from: NamedTensors,
  name: string,
  shapes: readonly ParameterShape[],
): ParameterValues {
  return new Map(shapes.map(({ name: parameter, rows, segments, vector }) => {
    const columns = segments.reduce((total, width) => total + width, 0);
    const shape = vector ? [columns] : [rows, columns];
    return [parameter, tensor(from, `${name}.${parameter}`, shape).data];
  }));
}
