/**
 * A variational autoencoder as the behavior model (as in BCQ and BEAR), and the deterministic
 * policy that its evidence lower bound regularizes in the place of log μ (SPOT: Wu et al., 2022,
 * arXiv 2202.06239): the reverse-KL policy against a VAE of Figures 4 and 9.
 *
 * @module
 */
import type { Engine } from "../autodiff/engine.ts";
import { Graph } from "../autodiff/graph.ts";
import { broadcast, mean, sumColumns } from "../autodiff/ops/broadcast.ts";
import { drawNormal } from "../autodiff/ops/draw.ts";
import { add, clip, exp, multiply, scale, shift, subtract } from "../autodiff/ops/entrywise.ts";
import { lossOf } from "../autodiff/ops/report.ts";
import { slice } from "../autodiff/ops/slice.ts";
import { ParameterSet, type ParameterShape, type ParameterValues } from "../autodiff/parameters.ts";
import type { Tensor } from "../autodiff/tensor.ts";
import { TrainingStep } from "../autodiff/training_step.ts";
import { ReplayBuffer } from "../data/replay_buffer.ts";
import { numbered } from "../nn/initialization.ts";
import { mlp, mlpShapes } from "../nn/mlp.ts";
import { cosine, minimize } from "../optim/adam.ts";
import { runSteps } from "../runs/loop.ts";
import type { Watch } from "./behavior.ts";
import {
  pointLearningRate,
  type PointOptions,
  pointSet,
  quadratic,
  readPoints,
  writePoints,
} from "./score_points.ts";

/** Latent variables: twice the action's entries, as in BEAR. */
export const latents = 4;
/** Standard deviation of an action given the latent variables. */
export const vaeDeviation = 0.25;
/** Bounds of the logarithm of the posterior's standard deviation. */
const logBounds = [-4, 4] as const;
const hidden = 64;
const streams = { batch: 62, latent: 63 } as const;

/** Budget of a VAE. */
export interface VaeBudget {
  /** Training steps. */
  readonly steps: number;
  /** Rows per step. */
  readonly batch: number;
}

/** Returns the parameters of encoder and decoder. */
export function vaeShapes(): ParameterShape[] {
  const within = (name: string, shapes: ParameterShape[]) =>
    shapes.map((shape) => ({ ...shape, name: name + shape.name }));
  const layers = [hidden, hidden];
  return [
    ...within("encoder.", mlpShapes({ inputs: [2], hidden: layers, outputs: 2 * latents })),
    ...within("decoder.", mlpShapes({ inputs: [latents], hidden: layers, outputs: 2 })),
  ];
}

/** Records the decoder's mean action `[R, rows, 2]` for latent variables `[R, rows, 4]`. */
export function decoded(graph: Graph, vae: ParameterSet, latent: Tensor): Tensor {
  return mlp(graph, vae, latent, "none", "decoder.");
}

/**
 * Records one draw of the evidence lower bound of log μ(a) up to a constant, `[R, rows, 1]`:
 * −|a − decoded(z)|² / 2s² − KL[q(z|a) ‖ N(0, I)].
 */
export function evidenceBound(graph: Graph, vae: ParameterSet, action: Tensor): Tensor {
  const encoded = mlp(graph, vae, action, "none", "encoder.");
  const center = slice(graph, encoded, 0, latents);
  const log = clip(graph, slice(graph, encoded, latents, latents), ...logBounds);
  const heads = action.replicas / graph.replicas;
  const draw = drawNormal(graph, {
    rows: action.rows,
    columns: latents,
    stream: streams.latent,
    heads,
  });
  const deviation = exp(graph, log);
  const latent = add(graph, center, multiply(graph, deviation, draw));
  const missed = subtract(graph, action, decoded(graph, vae, latent));
  const reconstruction = scale(
    graph,
    sumColumns(graph, multiply(graph, missed, missed)),
    -1 / (2 * vaeDeviation ** 2),
  );
  // −KL = ½ Σ (1 + 2 log s − m² − s²).
  const terms = shift(
    graph,
    subtract(
      graph,
      scale(graph, log, 2),
      add(graph, multiply(graph, center, center), multiply(graph, deviation, deviation)),
    ),
    1,
  );
  return add(graph, reconstruction, scale(graph, sumColumns(graph, terms), 0.5));
}

/** Trains a VAE on points `[rows, 2]` and returns its parameters. */
export async function trainVae(
  engine: Engine,
  points: Float32Array,
  { steps, batch }: VaeBudget,
  seed: number,
  { onStep = () => {}, shouldStop = () => false }: Watch = {},
): Promise<ParameterValues> {
  const rows = points.length / 2;
  const buffer = new ReplayBuffer(engine.gpu, {
    rows,
    observationSize: 0,
    actionSize: 2,
    observations: new Float32Array(),
    actions: points,
    terminals: new Float32Array(rows),
    transitions: Uint32Array.from({ length: rows }, (_, row) => row),
  }, new Float32Array(rows));
  try {
    const graph = new Graph({ seeds: [seed] });
    const vae = new ParameterSet(graph, vaeShapes(), 1);
    const action = buffer.minibatch(graph, { rows: batch, stream: streams.batch }).action();
    const bound = mean(graph, evidenceBound(graph, vae, action));
    minimize(graph, lossOf(graph, "loss", scale(graph, bound, -1)), vae, {
      learningRate: cosine(1e-3, steps),
    });
    using program = new TrainingStep([graph], [await engine.compile(graph)]);
    vae.write(vae.store, 0, numbered(8)(vae.shapes, seed, 0));
    await runSteps(program, {
      stage: "vae",
      start: 0,
      end: steps,
      onStep: (step, { loss }) => onStep(step, loss![0]!),
      shouldStop,
    });
    return (await vae.read())[0]!;
  } finally {
    buffer.destroy();
  }
}

/**
 * Optimizes one point per target and β: the maximum of Q(a) + bound(a) / β. The points start at
 * their targets.
 *
 * @param targets `[n, 2]`.
 * @returns The points of each β, `[n, 2]`.
 */
export async function optimizeVaePoints(
  engine: Engine,
  values: ParameterValues,
  targets: Float32Array,
  betas: readonly number[],
  { steps, draws, seed, onStep = () => {}, shouldStop = () => false }: PointOptions,
): Promise<Float32Array[]> {
  const replicas = betas.length;
  const graph = new Graph({ seeds: [seed] });
  const points = pointSet(graph, targets, replicas);
  const vae = new ParameterSet(graph, vaeShapes(), 1);
  const rows = draws * (targets.length / 2);
  const action = broadcast(graph, points.get("point"), { replicas, rows, columns: 2 });
  const q = quadratic(graph, action, targets);
  const inverse = graph.constant(1, 1, (replica) => 1 / betas[replica]!, replicas);
  const bound = multiply(graph, evidenceBound(graph, vae, action), inverse);
  const objective = mean(graph, add(graph, q, bound));
  minimize(graph, lossOf(graph, "loss", scale(graph, objective, -1)), points, {
    learningRate: cosine(pointLearningRate, steps),
  });
  using program = new TrainingStep([graph], [await engine.compile(graph)]);
  vae.write(vae.store, 0, values);
  writePoints(points, targets);
  await runSteps(program, { stage: "vae points", start: 0, end: steps, onStep, shouldStop });
  return await readPoints(points);
}
