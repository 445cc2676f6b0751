/**
 * Gaussian policies kept close to the data by a sample-based maximum mean discrepancy, as in BEAR
 * (Kumar et al., 2019, arXiv 1906.00949): one of the methods of Figures 4 and 9.
 *
 * @module
 */
import type { Engine } from "../autodiff/engine.ts";
import { Graph } from "../autodiff/graph.ts";
import { broadcast, mean, sumColumns } from "../autodiff/ops/broadcast.ts";
import { drawNormal } from "../autodiff/ops/draw.ts";
import { abs, add, clip, exp, multiply, scale, subtract } from "../autodiff/ops/entrywise.ts";
import { lossOf } from "../autodiff/ops/report.ts";
import { ParameterSet, type ParameterValues } from "../autodiff/parameters.ts";
import type { Tensor } from "../autodiff/tensor.ts";
import { TrainingStep } from "../autodiff/training_step.ts";
import { cosine, minimize } from "../optim/adam.ts";
import { runSteps } from "../runs/loop.ts";
import { pointLearningRate, type PointOptions, quadratic } from "./score_points.ts";
import { decoded, latents, vaeDeviation, vaeShapes } from "./vae.ts";

/** Width σ of the kernel exp(−|x − y|₁ / 2σ). */
export const kernelWidth = 1;
/** Bounds of the logarithm of the policy's standard deviation. */
const logBounds = [-5, 2] as const;
/** First random stream: two draws of the policy, then latent and noise of two draws of the VAE. */
const firstStream = 66;

/**
 * Records the squared discrepancy of two distributions from two independent draws of each, by the
 * unbiased estimate of one term per row (Gretton et al., 2012, Section 6): k(x, x′) + k(y, y′) −
 * k(x, y′) − k(x′, y), `[R, rows, 1]`.
 *
 * @param x Draws of one distribution, `[R, rows, 2]`.
 * @param y Draws of the other. It may have fewer replicas.
 */
export function discrepancy(
  graph: Graph,
  x: readonly [Tensor, Tensor],
  y: readonly [Tensor, Tensor],
): Tensor {
  const kernel = (a: Tensor, b: Tensor) =>
    exp(
      graph,
      scale(graph, sumColumns(graph, abs(graph, subtract(graph, a, b))), -1 / (2 * kernelWidth)),
    );
  return subtract(
    graph,
    add(graph, kernel(x[0], x[1]), kernel(y[0], y[1])),
    add(graph, kernel(x[0], y[1]), kernel(x[1], y[0])),
  );
}

/**
 * Optimizes one Gaussian policy per target and β: the maximum of E Q(a) − MMD²(π, μ) / β, with
 * actions of μ drawn from a VAE. The policies start at their targets with standard deviation 0.37.
 *
 * @param targets `[n, 2]`.
 * @returns The policies' means for each β, `[n, 2]`.
 */
export async function optimizeMmdPolicies(
  engine: Engine,
  values: ParameterValues,
  targets: Float32Array,
  betas: readonly number[],
  { steps, draws, seed, onStep = () => {}, shouldStop = () => false }: PointOptions,
): Promise<Float32Array[]> {
  const replicas = betas.length;
  const count = targets.length / 2;
  const rows = draws * count;
  const graph = new Graph({ seeds: [seed] });
  const policy = new ParameterSet(
    graph,
    ["mean", "log"].map((name) => ({ name, rows: count, segments: [2], vector: false })),
    replicas,
  );
  const vae = new ParameterSet(graph, vaeShapes(), 1);
  const normal = (place: number, columns: number) =>
    drawNormal(graph, { rows, columns, stream: firstStream + place });
  const repeated = (name: string) =>
    broadcast(graph, policy.get(name), { replicas, rows, columns: 2 });
  const center = repeated("mean");
  const deviation = exp(graph, clip(graph, repeated("log"), ...logBounds));
  const own = (place: number) => add(graph, center, multiply(graph, deviation, normal(place, 2)));
  const theirs = (place: number) =>
    add(
      graph,
      decoded(graph, vae, normal(place, latents)),
      scale(graph, normal(place + 1, 2), vaeDeviation),
    );
  const actions = [own(0), own(1)] as const;
  const distance = discrepancy(graph, actions, [theirs(2), theirs(4)]);
  const inverse = graph.constant(1, 1, (replica) => 1 / betas[replica]!, replicas);
  const q = quadratic(graph, actions[0], targets);
  const objective = mean(graph, subtract(graph, q, multiply(graph, distance, inverse)));
  minimize(graph, lossOf(graph, "loss", scale(graph, objective, -1)), policy, {
    learningRate: cosine(pointLearningRate, steps),
  });
  using program = new TrainingStep([graph], [await engine.compile(graph)]);
  vae.write(vae.store, 0, values);
  const initial = new Map([["mean", targets], ["log", new Float32Array(2 * count).fill(-1)]]);
  for (let replica = 0; replica < replicas; replica++) {
    policy.write(policy.store, replica, initial);
  }
  await runSteps(program, { stage: "mmd policies", start: 0, end: steps, onStep, shouldStop });
  return (await policy.read()).map((each) => each.get("mean")!);
}
