/**
 * Adam and AdamW for a family of networks, with the moving average of target networks. The step is
 * merged into the kernels that compute the gradients, or runs in its own dispatch.
 *
 * @module
 */
import adamSource from "../../shaders/adam.wgsl" with { type: "text" };
import adamUpdateSource from "../../shaders/adam_update.wgsl" with { type: "text" };
import reduceSource from "../../shaders/reduce.wgsl" with { type: "text" };
import stepSource from "../../shaders/step.wgsl" with { type: "text" };
import { gradients, type Objective } from "../autodiff/gradients.ts";
import type { Graph, ParameterUpdate } from "../autodiff/graph.ts";
import type { ParameterSet } from "../autodiff/parameters.ts";
import { registerOperation } from "../autodiff/operations.ts";
import { squaredSums } from "../autodiff/ops/norm.ts";
import { type Storage, Tensor } from "../autodiff/tensor.ts";

const adamName = registerOperation("adam");

/** Hyperparameters of an optimizer. */
export interface AdamOptions {
  /** Learning rate of update k = 0, 1, …; constant or a schedule. */
  readonly learningRate: (update: number) => number;
  /** Decoupled weight decay (AdamW). Defaults to 0 (Adam). */
  readonly weightDecay?: number;
  /**
   * Maximum norm of the gradient over all parameters of all networks of a seed. A larger gradient
   * is scaled down to this norm, as PyTorch's `clip_grad_norm_` does. By default nothing is
   * clipped.
   */
  readonly clipNorm?: number;
  /** Target parameters, updated with the new parameters of the same step. */
  readonly target?: Average;
}

/** A moving average of parameters. */
export interface Average {
  /** The averages, with the shapes and replicas of the parameters. */
  readonly parameters: ParameterSet;
  /**
   * Weight of the parameters in update k = 0, 1, …: 1 copies them, 0 leaves the averages unchanged.
   */
  readonly rate: (update: number) => number;
}

/** State and input of an optimizer, in the layout of the parameters. */
export interface Optimizer {
  /** First moments. */
  readonly mean: Storage;
  /** Second moments. */
  readonly square: Storage;
  /** Gradient of the step. */
  readonly gradient: Tensor;
}

const beta1 = 0.9;
const beta2 = 0.999;
const epsilon = 1e-8;
const workgroup = 64;
const updateSource = stepSource + adamUpdateSource;

/**
 * Records one step of Adam (AdamW with decay) that minimizes `loss` with respect to `parameters`.
 * If every gradient is computed by a kernel that can apply the step and nothing is clipped, the
 * step is merged into those kernels.
 */
export function minimize(
  graph: Graph,
  loss: Objective,
  parameters: ParameterSet,
  options: AdamOptions,
): Optimizer {
  const found = gradients(graph, loss, parameters.tensors);
  const producers = found.map((gradient) => gradient ? graph.extensible(gradient) : undefined);
  const gradient = parameters.gather(found);
  if (options.clipNorm !== undefined || !producers.every((producer) => producer?.absorbUpdate)) {
    return adam(graph, parameters, gradient, options);
  }
  const { optimizer, fields, storages } = prepare(graph, parameters, gradient, options);
  const counterparts = storages.map((storage) => parameters.tensorsIn(storage));
  for (const producer of new Set(producers)) {
    producer!.absorbUpdate!({
      source: updateSource,
      fields,
      touched: counterparts.flatMap((tensors) =>
        tensors.filter((_, parameter) => producers[parameter] === producer)
      ),
    });
  }
  return optimizer;
}

/**
 * Records one step of Adam from a gradient in the layout of the parameters, `[R, 1, entries]` as
 * `parameters.gather()` returns it.
 */
export function adam(
  graph: Graph,
  parameters: ParameterSet,
  gradient: Tensor,
  options: AdamOptions,
): Optimizer {
  const { optimizer, fields, storages } = prepare(graph, parameters, gradient, options);
  const { whole } = parameters;
  const touched = storages.map((storage) => new Tensor(whole, storage));
  const { clipNorm } = options;
  const sums = clipNorm === undefined
    ? null
    : squaredSums(graph, parameters.tensorsIn(gradient.storage));
  graph.record({
    name: adamName,
    inputs: [],
    reads: [gradient, ...touched, ...(sums ? [sums] : [])],
    parameters: touched,
    writes: touched,
    kernel: () => ({
      name: "adam",
      source: updateSource + (sums ? reduceSource : "") + adamSource,
      directives: sums ? ["CLIP"] : [],
      ...(sums && { constants: { WORKGROUP: workgroup } }),
    }),
    jobs: () =>
      Array.from({ length: whole.replicas }, (_, job) => {
        const count = whole.columns / 4;
        const clip = sums && {
          sums: sums.at(job, whole.replicas),
          sum_count: sums.rows,
          largest_norm: clipNorm!,
        };
        return {
          fields: { count, ...fields(job, whole.replicas), ...clip },
          tiles: Math.ceil(count / workgroup),
        };
      }),
  });
  return optimizer;
}

/**
 * Prepares a step of Adam for either kind of kernel: the moments, the fields of `update` in
 * `shaders/adam_update.wgsl`, and the storages it reads and writes. As in PyTorch, ε is added after
 * the bias correction and decay is applied before the update.
 */
function prepare(
  graph: Graph,
  parameters: ParameterSet,
  gradient: Tensor,
  { learningRate, weightDecay = 0, target }: AdamOptions,
): { optimizer: Optimizer; fields: ParameterUpdate["fields"]; storages: Storage[] } {
  const mean = parameters.like();
  const square = parameters.like();
  const rate = graph.scalar((k) => learningRate(k) / (1 - beta1 ** (k + 1)));
  const correction = graph.scalar((k) => 1 / Math.sqrt(1 - beta2 ** (k + 1)));
  const decay = graph.scalar((k) => 1 - learningRate(k) * weightDecay);
  const averageRate = graph.scalar(target?.rate ?? constant(0));
  const storages = [
    parameters.storage,
    mean,
    square,
    ...(target ? [target.parameters.storage] : []),
  ];
  const wholes = storages.map((storage) => new Tensor(parameters.whole, storage));
  return {
    optimizer: { mean, square, gradient },
    storages,
    fields: (job, jobs) => {
      const [parameter, meanAt, squareAt, average = 0] = wholes.map((whole) => whole.at(job, jobs));
      return {
        gradient: gradient.at(job, jobs),
        parameter: parameter!,
        mean: meanAt!,
        square: squareAt!,
        rate,
        correction,
        decay,
        beta1,
        one_minus_beta1: 1 - beta1,
        beta2,
        one_minus_beta2: 1 - beta2,
        epsilon,
        average,
        average_rate: averageRate,
      };
    },
  };
}

/** Learning rate that decreases from `rate` to 0 along half a cosine over `period` updates. */
export function cosine(rate: number, period: number): (update: number) => number {
  return (update) => 0.5 * rate * (1 + Math.cos((Math.PI * update) / period));
}

/** Constant rate. */
export function constant(rate: number): (update: number) => number {
  return () => rate;
}

/** Rate `rate` at updates `first`, `first + every`, `first + 2 every`, …, and 0 at all others. */
export function periodic(
  rate: number,
  { every, first }: { readonly every: number; readonly first: number },
): (update: number) => number {
  return (update) => update >= first && (update - first) % every === 0 ? rate : 0;
}
