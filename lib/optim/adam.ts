/**
 * Adam and AdamW over a family of networks in one dispatch, with the moving average of target networks.
 *
 * @module
 */
import adamSource from "../../shaders/adam.wgsl" with { type: "text" };
import stepSource from "../../shaders/step.wgsl" with { type: "text" };
import { gradients } from "../autodiff/gradients.ts";
import type { Graph, Loss } from "../autodiff/graph.ts";
import type { ParameterSet } from "../autodiff/parameters.ts";
import { type Storage, Tensor } from "../autodiff/tensor.ts";

/** Hyperparameters of an optimizer. */
export interface AdamOptions {
  /** Learning rate of update k = 0, 1, …; constant or a schedule. */
  readonly learningRate: (update: number) => number;
  /** Decoupled weight decay (AdamW); 0 for Adam. */
  readonly weightDecay?: number;
  /** Target parameters, moved by `rate` towards the just updated ones. */
  readonly target?: { readonly parameters: ParameterSet; readonly rate: number };
}

/** What an optimizer keeps and reads, laid out as the parameters are. */
export interface Optimizer {
  /** First moments. */
  readonly mean: Storage;
  /** Second moments. */
  readonly square: Storage;
  /** The step's gradient. */
  readonly gradient: Tensor;
}

const beta1 = 0.9;
const beta2 = 0.999;
const epsilon = 1e-8;
const workgroup = 64;

/** Records one step of Adam (AdamW with decay) that minimises `loss` by all of `parameters`. */
export function minimize(
  graph: Graph,
  loss: Loss,
  parameters: ParameterSet,
  options: AdamOptions,
): Optimizer {
  return adam(
    graph,
    parameters,
    parameters.gather(gradients(graph, loss, parameters.tensors)),
    options,
  );
}

/**
 * Records one step of Adam from a gradient that lies as the parameters do. As in PyTorch, ε is added
 * after the bias correction and the decay precedes the move.
 */
export function adam(
  graph: Graph,
  parameters: ParameterSet,
  gradient: Tensor,
  { learningRate, weightDecay = 0, target }: AdamOptions,
): Optimizer {
  const moments = { mean: parameters.like(graph), square: parameters.like(graph), gradient };
  const whole = parameters.whole;
  const tensorOf = (storage: Storage) => new Tensor(whole, storage);
  const touched = [
    whole,
    tensorOf(moments.mean),
    tensorOf(moments.square),
    ...(target ? [target.parameters.whole] : []),
  ];
  const rate = graph.scalar((k) => learningRate(k) / (1 - beta1 ** (k + 1)));
  const correction = graph.scalar((k) => 1 / Math.sqrt(1 - beta2 ** (k + 1)));
  const decay = graph.scalar((k) => 1 - learningRate(k) * weightDecay);
  graph.record({
    name: "adam",
    inputs: [],
    reads: [gradient, ...touched],
    writes: touched,
    kernel: () => ({ name: "adam", source: stepSource + adamSource }),
    jobs: () => {
      const count = (whole.columns * whole.replicas) / 4;
      return [{
        fields: {
          count,
          parameter: whole.at(0, 1),
          gradient: gradient.at(0, 1),
          mean: touched[1]!.at(0, 1),
          square: touched[2]!.at(0, 1),
          rate,
          correction,
          decay,
          beta1,
          one_minus_beta1: 1 - beta1,
          beta2,
          one_minus_beta2: 1 - beta2,
          epsilon,
          average: target?.parameters.whole.at(0, 1) ?? 0,
          average_rate: target?.rate ?? 0,
        },
        tiles: Math.ceil(count / workgroup),
      }];
    },
  });
  return moments;
}

/** Learning rate that falls from `rate` to 0 along half a cosine over `period` updates. */
export function cosine(rate: number, period: number): (update: number) => number {
  return (update) => 0.5 * rate * (1 + Math.cos((Math.PI * update) / period));
}

/** The same learning rate for ever. */
export function constant(rate: number): (update: number) => number {
  return () => rate;
}
