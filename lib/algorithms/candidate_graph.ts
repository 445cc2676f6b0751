/**
 * Selects among samples of a diffusion model in a graph, like {@linkcode candidatePolicy} on the
 * CPU.
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
import { linear } from "../autodiff/ops/linear.ts";
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
import {
  type BehaviorShape,
  behaviorShapes,
  residualNetwork,
  timeEmbedding,
} from "../nn/behavior_model.ts";
import type { TwinQ } from "../nn/host/mlp.ts";
import type { NoiseModel } from "../nn/host/noise_model.ts";
import { type NamedTensors, tensor } from "../nn/host/tensors.ts";
import { layerOf, linearShapes } from "../nn/initialization.ts";
import { mlp, mlpShapes } from "../nn/mlp.ts";
import { candidateFlops, requireSameSizes } from "./candidate_policy.ts";
import type { GraphActor } from "../nn/graph_policy.ts";

/** Maximum sampler steps per program. The program lists the dispatches of each step. */
export const mostSteps = 64;

/**
 * Maximum floats per submission, in one buffer: half of the 128 MiB that every adapter can bind.
 */
export const mostFloats = 2 ** 24;

/** A network on the CPU and the tensors it was read from. */
export interface Loaded<Network> {
  readonly network: Network;
  readonly from: NamedTensors;
  /** Prefix of its tensors' names. */
  readonly name: string;
}

/**
 * Selects the best of each K consecutive rows of `x`.
 *
 * @param x `[R, K rows, columns]`.
 * @param values `[R, K rows, 1]`. Among equal values, the first one is selected.
 * @returns `[R, rows, columns]`.
 */
export function bestOf(graph: Graph, x: Tensor, values: Tensor, count: number): Tensor {
  return gatherRows(graph, x, argmax(graph, reshape(graph, values, count)), count);
}

/** A sampler of a diffusion model in a graph. */
export interface RecordedSampler {
  /** Noise predictions per sample. */
  readonly steps: number;
  /** Standard normal draws per entry of a sample, including its initial value. */
  readonly draws: number;
  /**
   * Turns noise into samples.
   *
   * @param draw Returns the k-th draws, `[R, rows, size]`. Draw 0 is the samples' initial value.
   */
  record(graph: Graph, draw: (k: number) => Tensor, predict: RecordedPrediction): Tensor;
}

/** Returns DPM-Solver++ with the given number of steps, for models with continuous times. */
export function recordedSolver(steps: number): RecordedSampler {
  return {
    steps,
    draws: 1,
    record: (graph, draw, predict) => recordSolver(graph, draw(0), predict, steps),
  };
}

/** Returns ancestral sampling, for models with discrete times. */
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
 * Returns the actor that draws candidates from a behavior model and takes the one with the highest
 * Q. It reports the FLOPs of the networks as they are defined. Its program has fewer: it computes
 * what the candidates of a state have in common only once.
 *
 * @param candidates Number of candidates per observation.
 * @returns Null if the sampler has more steps than {@linkcode mostSteps}, or the candidates do not
 * fit into one submission.
 * @throws {UserError} If the sizes of the model and Q differ.
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
  // The inputs of each step, and the activations between the layers of a prediction.
  const inputs = padded(actionSize) + padded(shape.width);
  const noise = sampler.draws * padded(actionSize);
  const layers = 8 * Math.max(shape.width, ...q.network.sizes);
  const floats = candidates * (steps * inputs + 2 * noise + layers);
  if (steps > mostSteps || floats > mostFloats) return null;
  const store = new ParameterStore(1);
  const trained = new ParameterSet(store, actingShapes(shape), 1);
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
      { parameters: trained, values: [actingValues(model)] },
      {
        parameters: twins,
        values: ["q1", "q2"].map((twin) => valuesOf(q.from, `${q.name}.${twin}`, qShapes)),
      },
    ],
    describe(graph, observations, draws) {
      const rows = observations.rows * candidates;
      const inputs: [Tensor, Float32Array][] = [];
      const repeat = (x: Tensor, rows: number) =>
        broadcast(graph, x, { replicas: 1, rows, columns: x.columns });
      const predict = (x: Tensor, t: number) => {
        // Computed in double precision, because the phases of the features reach hundreds of turns.
        const values = model.network.features(new Float32Array([t]));
        const features = graph.input(1, values.length);
        inputs.push([features, values]);
        const embedded = timeEmbedding(graph, trained, features, details);
        const common = linear(
          graph,
          concatenate(graph, [observations, repeat(embedded, observations.rows)]),
          layerOf(trained, commonPart),
        );
        const action = layerOf(trained, actionPart);
        const first = linear(graph, x, action, "none", repeat(common, rows));
        return residualNetwork(graph, trained, first, undefined, details);
      };
      const size = candidates * actionSize;
      const draw = (k: number) => {
        const own = sampler.draws === 1 ? draws : slice(graph, draws, k * size, size);
        return reshape(graph, own, actionSize);
      };
      const samples = sampler.record(graph, draw, predict);
      const kept = clip(graph, samples, -1, 1);
      const values = mlp(graph, twins, concatenate(graph, [kept, repeat(observations, rows)]));
      const actions = bestOf(graph, kept, minimumOverHeads(graph, values, 2), candidates);
      return { actions, inputs };
    },
  };
}

// The first layer of the behavior model in two parts: that of state and time, which the candidates
// of a state have in common, and that of the action.
const firstLayer = "main.fc";
const commonPart = `${firstLayer}.common`;
const actionPart = `${firstLayer}.action`;

/** Returns the parameters of a behavior model whose first layer is in two parts. */
function actingShapes(shape: BehaviorShape): ParameterShape[] {
  const { actionSize, observationSize, embedding, width } = shape;
  return [
    ...linearShapes(commonPart, [observationSize, embedding], width),
    ...linearShapes(actionPart, [actionSize], width),
    ...behaviorShapes(shape).filter(({ name }) => !name.startsWith(`${firstLayer}.`)),
  ];
}

/**
 * Returns the values of {@linkcode actingShapes}.
 *
 * @throws {UserError} If a tensor is missing or has the wrong shape.
 */
function actingValues({ network, from, name }: Loaded<NoiseModel>): ParameterValues {
  const { shape, actionSize } = network;
  const values = valuesOf(from, name, behaviorShapes(shape));
  const weight = values.get(`${firstLayer}.weight`)!;
  const inputs = weight.length / shape.width;
  return values
    .set(`${commonPart}.weight`, weight.filter((_, i) => i % inputs >= actionSize))
    .set(`${commonPart}.bias`, values.get(`${firstLayer}.bias`)!)
    .set(`${actionPart}.weight`, weight.filter((_, i) => i % inputs < actionSize))
    .set(`${actionPart}.bias`, new Float32Array(shape.width));
}

/**
 * Returns the values of a network's parameters from named tensors.
 *
 * @param name Prefix of the parameters' names, without the dot.
 * @throws {UserError} If a tensor is missing or has the wrong shape.
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
