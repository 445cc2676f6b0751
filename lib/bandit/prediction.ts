/**
 * Noise predictions that a graph can use: the exact one of a known density, or a trained model's.
 *
 * @module
 */
import type { Graph } from "../autodiff/graph.ts";
import { fourierFeatures } from "../autodiff/ops/fourier_features.ts";
import { ParameterSet, type ParameterValues } from "../autodiff/parameters.ts";
import { Tensor } from "../autodiff/tensor.ts";
import {
  behaviorModel,
  type BehaviorShape,
  behaviorShapes,
  frequencyShapes,
} from "../nn/behavior_model.ts";

/** A network with fixed values. */
export interface FixedNetwork {
  /** Its parameters, in the graph's store. */
  readonly parameters: ParameterSet;
  /** Their values, to be written when the store has memory. */
  readonly values: ParameterValues;
}

/** A noise prediction in a graph. */
export interface RecordedPrediction {
  /** Its networks. */
  readonly networks: readonly FixedNetwork[];
  /**
   * Records ε̂(x_t | t), `[R, rows, 2]`.
   *
   * @param xt Noised points, `[R, rows, 2]`.
   * @param t Their diffusion times, `[R, rows, 1]`.
   */
  predict(xt: Tensor, t: Tensor): Tensor;
}

/** A noise prediction of points in the plane. */
export interface Prediction {
  /** Adds its networks to a graph. */
  describe(graph: Graph): RecordedPrediction;
}

/** Writes the values of fixed networks. The store must have memory. */
export function writeNetworks(networks: readonly FixedNetwork[]): void {
  for (const { parameters, values } of networks) parameters.write(parameters.store, 0, values);
}

/** A trained behavior model without a state. */
export class LearnedPrediction implements Prediction {
  /** Sizes of the network. */
  readonly shape: BehaviorShape;
  /** Values of the trained parameters, and of the Fourier frequencies. */
  readonly values: ParameterValues;

  /** Creates the prediction of a network with these values. */
  constructor(shape: BehaviorShape, values: ParameterValues) {
    this.shape = shape;
    this.values = values;
  }

  /** See {@linkcode Prediction.describe}. */
  describe(graph: Graph): RecordedPrediction {
    const parameters = new ParameterSet(graph, behaviorShapes(this.shape), 1);
    const frequencies = new ParameterSet(graph, frequencyShapes(this.shape), 1);
    return {
      networks: [parameters, frequencies].map((set) => ({ parameters: set, values: this.values })),
      predict: (action, t) => {
        const { features } = fourierFeatures(graph, { given: t }, frequencies.get("embed.0.W"));
        const { replicas, rows } = action;
        const state = new Tensor({ replicas, rows, columns: 0 });
        return behaviorModel(graph, parameters, { action, state, features });
      },
    };
  }
}
