/**
 * The methods of Figures 2 to 5 and 9 to 12, and the actions of their policies for all targets.
 *
 * @module
 */
import type { Engine } from "../autodiff/engine.ts";
import { type Behavior, behaviorHyperparameters, trainBehavior } from "./behavior.ts";
import type { BanditBudget } from "./budget.ts";
import { hostModel, regressionRows, samplePoints } from "./diffusion_policy.ts";
import { regressionWeights, reverseKlPoint, weightedGaussian } from "./gaussian.ts";
import { optimizeMmdPolicies } from "./mmd.ts";
import type { Point } from "./optimum.ts";
import { LearnedPrediction } from "./prediction.ts";
import {
  ensemble,
  optimizePoints,
  type PointRegularization,
  singleTime,
  smallTime,
} from "./score_points.ts";
import { optimizeVaePoints, trainVae } from "./vae.ts";

/** Titles of the methods by name. */
export const methods = {
  score: "SRPO, Eq. 10",
  ensemble: "SRPO, Eq. 15",
  withoutBaseline: "Eq. 15 without −ε",
  singleTime: "SRPO, one diffusion time",
  forwardGaussian: "Forward KL, Gaussian",
  forwardDiffusion: "Forward KL, diffusion",
  reverseGaussian: "Reverse KL, Gaussian μ",
  reverseVae: "Reverse KL, VAE μ",
  mmd: "MMD",
} as const;

/** A method's name. */
export type Method = keyof typeof methods;

/** The actions of one method and temperature. */
export interface ActionSet {
  /** The method. */
  readonly method: Method;
  /** 1/β. */
  readonly inverseBeta: number;
  /** Single diffusion time, if it has one. */
  readonly time?: number;
  /** Actions `[K m, 2]`: K consecutive ones for each of m targets. */
  readonly actions: Float32Array;
}

/** What the methods have in common. */
export interface Setting {
  /** GPU. */
  readonly engine: Engine;
  /** Points of the data, `[n, 2]`. */
  readonly points: Float32Array;
  /** Targets, `[m, 2]`. */
  readonly targets: Float32Array;
  /** Sizes. */
  readonly budget: BanditBudget;
  /** Seed. */
  readonly seed: number;
  /** Starts a part of the experiment with this many steps. */
  readonly part: (name: string, steps: number) => {
    readonly onStep: (step: number) => void;
    readonly shouldStop: () => boolean;
  };
}

/** 1/β of the methods other than SRPO, except for MMD, whose squared discrepancy is at most 2. */
export const comparedInverseBeta = 4;
/** Values of 1/β by Eq. 10. At 0, a policy is its target. */
export const inverseBetas = [0.1, 0.25, 0.5, 1, comparedInverseBeta];
/** Values of 1/β by Eq. 15 with ω = σ². */
const ensembleInverseBetas = [1, 3, 10, 30, 100];
/** 1/β by Eq. 15 without subtracting ε, and of the single diffusion times. */
const comparedEnsembleInverseBeta = 10;
/** Single diffusion times. */
const singleTimes = [0.05, 0.1, 0.25, 0.5, 0.75, 0.98];
const mmdInverseBetas = [10, 100];
/** Actions per target that are sampled from the diffusion policy, and its sampler's steps. */
const sampled = { actions: 4, steps: 15 } as const;

/** Optimizes SRPO's policies, all in one program. */
export async function regularizedActions(
  { engine, targets, budget, seed, part }: Setting,
  { shape, values }: Behavior,
): Promise<ActionSet[]> {
  type Kind = Omit<ActionSet, "actions"> & { readonly how: PointRegularization };
  const kinds: Kind[] = [
    ...inverseBetas.map((inverseBeta): Kind => ({
      method: "score",
      inverseBeta,
      how: smallTime(1 / inverseBeta),
    })),
    ...ensembleInverseBetas.map((inverseBeta): Kind => ({
      method: "ensemble",
      inverseBeta,
      how: ensemble(1 / inverseBeta),
    })),
    {
      method: "withoutBaseline",
      inverseBeta: comparedEnsembleInverseBeta,
      how: { ...ensemble(1 / comparedEnsembleInverseBeta), subtractBaseline: false },
    },
    ...singleTimes.map((time): Kind => ({
      method: "singleTime",
      inverseBeta: comparedEnsembleInverseBeta,
      time,
      how: singleTime(1 / comparedEnsembleInverseBeta, time),
    })),
  ];
  const moved = await optimizePoints(
    engine,
    new LearnedPrediction(shape, values),
    targets,
    kinds.map(({ how }) => how),
    { ...budget.point, seed, ...part("points", budget.point.steps) },
  );
  return [
    { method: "score", inverseBeta: 0, actions: targets },
    ...kinds.map(({ how: _, ...kind }, i) => ({ ...kind, actions: moved[i]! })),
  ];
}

/**
 * Computes the policies of the other methods. If `shouldStop` returned true, the results are not
 * usable.
 */
export async function comparedActions(setting: Setting): Promise<ActionSet[]> {
  const { engine, points, targets, budget, seed, part } = setting;
  const beta = 1 / comparedInverseBeta;
  const fitted = weightedGaussian(points);
  const forwardGaussian = eachTarget(targets, (target) => {
    const weights = regressionWeights(points, target, beta);
    return weightedGaussian(points, (row) => weights[row]!).mean;
  });
  const forwardDiffusion = await diffusionActions(setting, beta);
  const vae = await trainVae(engine, points, budget.vae, seed, part("VAE", budget.vae.steps));
  const options = { ...budget.point, seed };
  const [reverseVae] = await optimizeVaePoints(engine, vae, targets, [beta], {
    ...options,
    ...part("VAE points", budget.point.steps),
  });
  const mmdBetas = mmdInverseBetas.map((inverse) => 1 / inverse);
  const mmd = await optimizeMmdPolicies(engine, vae, targets, mmdBetas, {
    ...options,
    ...part("MMD policies", budget.point.steps),
  });
  const compared = { inverseBeta: comparedInverseBeta };
  return [
    { method: "forwardGaussian", ...compared, actions: forwardGaussian },
    { method: "forwardDiffusion", ...compared, actions: forwardDiffusion },
    {
      method: "reverseGaussian",
      ...compared,
      actions: eachTarget(targets, (target) => reverseKlPoint(fitted, target, beta)),
    },
    { method: "reverseVae", ...compared, actions: reverseVae! },
    ...mmd.map((actions, i): ActionSet => ({
      method: "mmd",
      inverseBeta: mmdInverseBetas[i]!,
      actions,
    })),
  ];
}

/** Trains the diffusion policy and samples its actions. */
async function diffusionActions(
  { engine, points, targets, budget, seed, part }: Setting,
  beta: number,
): Promise<Float32Array> {
  const count = targets.length / 2;
  const rows = regressionRows(points, targets, beta, Math.floor(budget.points / count), seed);
  const watch = part("diffusion policy", budget.policy.steps);
  const h = behaviorHyperparameters(budget.policy);
  const policy = await trainBehavior(engine, rows, h, seed, watch);
  const states = Float32Array.from(
    { length: 2 * count * sampled.actions },
    (_, i) => targets[2 * Math.floor(i / 2 / sampled.actions) + i % 2]!,
  );
  return samplePoints(hostModel(policy), states, count * sampled.actions, sampled.steps, seed);
}

/** Returns the action of each target, `[m, 2]`. */
function eachTarget(targets: Float32Array, policy: (target: Point) => Point): Float32Array {
  const actions = new Float32Array(targets.length);
  for (let i = 0; i < targets.length; i += 2) {
    actions.set(policy([targets[i]!, targets[i + 1]!]), i);
  }
  return actions;
}
