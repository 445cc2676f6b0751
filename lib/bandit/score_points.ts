/**
 * Score-regularized policies of the bandit (Figure 3): one free point per target, moved by Eq. 10
 * or Eq. 15. There is no state, so a deterministic policy is a point. Q(a) = −|a − target|².
 *
 * @module
 */
import {
  meanWeight,
  type ScoreRegularization,
  scoreRegularizedLoss,
  weightAt,
} from "../algorithms/srpo/score_regularized_loss.ts";
import type { Engine } from "../autodiff/engine.ts";
import { gradients } from "../autodiff/gradients.ts";
import { Graph } from "../autodiff/graph.ts";
import { broadcast, sumColumns } from "../autodiff/ops/broadcast.ts";
import { drawUniform } from "../autodiff/ops/draw.ts";
import { add, multiply, scale, subtract } from "../autodiff/ops/entrywise.ts";
import { noising } from "../autodiff/ops/noising.ts";
import { ParameterSet } from "../autodiff/parameters.ts";
import type { Tensor } from "../autodiff/tensor.ts";
import { TrainingStep } from "../autodiff/training_step.ts";
import { cosine, minimize } from "../optim/adam.ts";
import { runSteps } from "../runs/loop.ts";
import { type Prediction, writeNetworks } from "./prediction.ts";

/** How the points of one replica are regularized. */
export interface PointRegularization
  extends Pick<ScoreRegularization, "weighting" | "subtractBaseline" | "scale"> {
  /** Temperature β, a positive number. */
  readonly beta: number;
  /** Bounds of the uniform diffusion times; equal for a single time. */
  readonly times: readonly [low: number, high: number];
}

const ensembleTimes = [0.02, 0.98] as const;

/** Eq. 10: the score at a small time, which stands for t → 0 (Section 4.2). */
export function smallTime(beta: number, t = 0.02): PointRegularization {
  return { beta, weighting: "alpha_over_sigma", subtractBaseline: true, times: [t, t] };
}

/** A single diffusion time whose weight is the mean of σ² over the times of Eq. 15. */
export function singleTime(beta: number, t: number): PointRegularization {
  const scale = meanWeight("sigma2", ...ensembleTimes) / weightAt("alpha_over_sigma", t);
  return { ...smallTime(beta, t), scale };
}

/** Eq. 15 with ω(t) = σ_t²: the score of an ensemble of diffusion times. */
export function ensemble(beta: number): PointRegularization {
  return { beta, weighting: "sigma2", subtractBaseline: true, times: ensembleTimes };
}

/** Options of {@linkcode optimizePoints}. */
export interface PointOptions {
  /** Steps of Adam, and the period of its cosine schedule. */
  readonly steps: number;
  /** Draws of (t, ε) per point and step. */
  readonly draws: number;
  /** Seed of the draws. */
  readonly seed: number;
  /** Called after each step. */
  readonly onStep?: (step: number) => void;
  /** Stops between steps if it returns true. Defaults to never. */
  readonly shouldStop?: () => boolean;
  /** Awaited between chunks of steps. `read` reads the points as they are now. */
  readonly between?: (read: () => Promise<Float32Array[]>) => Promise<void>;
}

/** Initial learning rate of the points. */
export const pointLearningRate = 0.05;

const streams = { time: 60, noise: 61 } as const;

/**
 * Optimizes one point per target and regularization, all in one program. The points start at their
 * targets.
 *
 * @param targets `[n, 2]`.
 * @returns The points of each regularization, `[n, 2]`.
 */
export async function optimizePoints(
  engine: Engine,
  prediction: Prediction,
  targets: Float32Array,
  regularizations: readonly PointRegularization[],
  { steps, draws, seed, onStep = () => {}, shouldStop = () => false, between }: PointOptions,
): Promise<Float32Array[]> {
  const replicas = regularizations.length;
  const graph = new Graph({ seeds: [seed] });
  const points = pointSet(graph, targets, replicas);
  const rows = draws * (targets.length / 2);
  const model = prediction.describe(graph);
  const action = broadcast(graph, points.get("point"), { replicas, rows, columns: 2 });
  const q = quadratic(graph, action, targets);
  const upstream = graph.constant(rows, 1, 1, replicas);
  const [qGradient] = gradients(graph, { tensor: q, upstream }, [action]);

  // Replicas share their draws, so that they differ by their regularization alone.
  const place = drawUniform(graph, { rows, columns: 1, stream: streams.time });
  const bound = (of: (regularization: PointRegularization) => number) =>
    graph.constant(1, 1, (replica) => of(regularizations[replica]!), replicas);
  const t = add(
    graph,
    multiply(graph, place, bound(({ times: [low, high] }) => high - low)),
    bound(({ times: [low] }) => low),
  );
  const { xt, z } = noising(graph, action, t, { stream: streams.noise });
  const noiseHat = model.predict(xt, t);
  const loss = scoreRegularizedLoss(
    graph,
    "loss",
    action,
    { noiseHat, z, t, qGradient: qGradient!, q },
    (replica) => ({ ...regularizations[replica]!, normalizeQ: false }),
  );
  minimize(graph, loss, points, { learningRate: cosine(pointLearningRate, steps) });

  using program = new TrainingStep([graph], [await engine.compile(graph)]);
  writeNetworks(model.networks);
  writePoints(points, targets);
  await runSteps(program, {
    stage: "points",
    start: 0,
    end: steps,
    onStep,
    shouldStop,
    ...(between && { between: () => between(() => readPoints(points)) }),
  });
  return await readPoints(points);
}

/** Returns parameters of one point per target and replica. */
export function pointSet(graph: Graph, targets: Float32Array, replicas: number): ParameterSet {
  const shape = { name: "point", rows: targets.length / 2, segments: [2], vector: false };
  return new ParameterSet(graph, [shape], replicas);
}

/** Places the points of all replicas at `places`, `[n, 2]`. */
export function writePoints(points: ParameterSet, places: Float32Array): void {
  for (let replica = 0; replica < points.replicas; replica++) {
    points.write(points.store, replica, new Map([["point", places]]));
  }
}

/** Reads the points of each replica, `[n, 2]`. */
export async function readPoints(points: ParameterSet): Promise<Float32Array[]> {
  return (await points.read()).map((values) => values.get("point")!);
}

/**
 * Records Q(a) = −|a − target|².
 *
 * @param action `[R, K n, 2]`: K consecutive rows per target.
 * @param targets `[n, 2]`.
 */
export function quadratic(
  graph: Graph,
  action: Tensor,
  targets: Float32Array,
): Tensor {
  const { rows, columns } = action;
  const repeated = broadcast(graph, graph.table(targets.length / 2, 2, targets), {
    replicas: 1,
    rows,
    columns,
  });
  const difference = subtract(graph, action, repeated);
  return scale(graph, sumColumns(graph, multiply(graph, difference, difference)), -1);
}
