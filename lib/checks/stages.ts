/**
 * End-to-end checks of SRPO's losses: a training step of each stage. The losses are compared with
 * double precision, and the gradients with respect to the networks' parameters with central finite
 * differences.
 *
 * @module
 */
import { behavior } from "../algorithms/srpo/behavior.ts";
import { critic } from "../algorithms/srpo/critic.ts";
import { type Hyperparameters, hyperparametersFor } from "../algorithms/srpo/hyperparameters.ts";
import { policy, regularizationOf } from "../algorithms/srpo/policy.ts";
import type { Case, Check } from "./check.ts";
import { timeFrom } from "./diffusion.ts";
import { keepMask } from "./elementwise.ts";
import { advantageWeightedLossReference } from "../algorithms/losses/advantage_weighted.ts";
import { expectileLossReference } from "../algorithms/losses/expectile.ts";
import { scoreDirectionReference } from "../algorithms/srpo/score_regularized_loss.ts";
import { noisingReference } from "../autodiff/ops/noising.ts";
import { diffusionLossReference } from "../autodiff/ops/squared_error.ts";
import {
  beside,
  map,
  mapRows,
  type Matrix,
  matrix,
  mean,
  nudged,
  smallest,
  sum,
  zip,
} from "../autodiff/matrix.ts";
import { type NetworkValues, noiseModel, perceptron, tanhPolicy } from "./networks.ts";
import { type Networks, type StageCase, stageCase, step } from "./stage_case.ts";

const rows = 7;
const observations = 5;
const actions = 3;
const state = { rows, columns: observations };
const action = { rows, columns: actions, from: Math.tanh };
const noise = { rows, columns: actions };

const h: Hyperparameters = hyperparametersFor("locomotion", "paper", {
  criticWidth: 9,
  policyWidth: 9,
  behaviorWidth: 6,
  behaviorBlocks: 2,
  fourierFrequencies: 3,
  embeddingWidth: 5,
  beta: 0.3,
});

function criticCase(
  replicas: number,
  family: number,
  metric: string,
  loss: StageCase<"s" | "a" | "r" | "d" | "next">["loss"],
): Case {
  return stageCase({
    shape: `${rows} rows, ${observations}+${actions}→9→9`,
    replicas,
    inputs: {
      s: state,
      a: action,
      r: { rows, columns: 1 },
      d: { rows, columns: 1, from: (z) => z > 1 ? 1 : 0 },
      next: state,
    },
    describe: (graph, { s, a, r, d, next }) =>
      critic(graph, { state: s, action: a, reward: r, terminal: d, nextState: next }, h),
    family,
    metric,
    loss,
  });
}

// Families of the critic stage, in its order: Q, target Q, V, policy.
const [Q, TARGET, V, PI] = [0, 1, 2, 3] as const;

function criticCheck(
  name: string,
  family: number,
  metric: string,
  loss: StageCase<"s" | "a" | "r" | "d" | "next">["loss"],
): Check {
  return {
    name,
    limit: 1e-5,
    cases: [1, 3].map((replicas) => criticCase(replicas, family, metric, loss)),
  };
}

const heads = (networks: Networks, family: number, input: Matrix) =>
  networks[family]!.map((network) => perceptron(network, input));
const one = (networks: Networks, family: number) => networks[family]![0]!;

const valueLoss = criticCheck("critic: V", V, "loss_v", ({ before }, { s, a }) => {
  const q = smallest(heads(before, TARGET, beside(a, s)));
  return (moved) => {
    const v = perceptron(one(moved, V), s);
    return expectileLossReference(zip(q, v, (x, y) => x - y), h.expectile);
  };
});

const qLoss = criticCheck("critic: Q", Q, "loss_q", ({ before }, { s, a, r, d, next }) => {
  const v = perceptron(one(before, V), next);
  const target = map(r, (reward, i) => reward + h.discount * (1 - d.values[i]!) * v.values[i]!);
  return (moved) => {
    const [q1, q2] = heads(moved, Q, beside(a, s));
    return (diffusionLossReference(q1!, target) + diffusionLossReference(q2!, target)) / 2;
  };
});

/** The advantage is computed with the updated networks. */
const policyRegression = criticCheck(
  "critic: advantage-weighted policy",
  PI,
  "loss_awr",
  ({ after }, { s, a }) => {
    const q = smallest(heads(after, TARGET, beside(a, s)));
    const v = perceptron(one(after, V), s);
    return (moved) => {
      const pi = tanhPolicy(one(moved, PI), s);
      return advantageWeightedLossReference(pi, a, q, v, h.awrTemperature, h.awrClip);
    };
  },
);

function behaviorCase(replicas: number, rate: number): Case {
  const mask = { rows, columns: h.behaviorWidth, from: keepMask };
  return stageCase({
    shape: `${rows} rows, 2 blocks of ${h.behaviorWidth}` + (rate > 0 ? ", dropout" : ""),
    replicas,
    inputs: {
      s: state,
      a: action,
      t: { rows, columns: 1, from: timeFrom },
      z: noise,
      mask0: mask,
      mask1: mask,
    },
    describe: (graph, { s, a, t, z, mask0, mask1 }) =>
      behavior(graph, {
        state: s,
        action: a,
        times: { given: t },
        noise: { given: z },
        ...(rate > 0 && {
          dropout: (block: number) => ({ rate, keep: { mask: [mask0, mask1][block]! } }),
        }),
      }, h),
    family: 0,
    metric: "loss",
    loss: (_, { s, a, t, z, mask0, mask1 }) => (moved) => {
      const found = noiseModel(
        one(moved, 0),
        one(moved, 1).get("embed.0.W")!,
        { action: noisingReference(a, t, z), state: s, t },
        (block) => map([mask0, mask1][block]!, (keep) => rate > 0 ? keep / (1 - rate) : 1),
      );
      return diffusionLossReference(found, z);
    },
  });
}

// The phases of the Fourier features are rounded, and the embedding's first layer amplifies the
// error.
const behaviorLoss: Check = {
  name: "behavior: noise prediction",
  limit: 2e-5,
  cases: [0, 0.1].flatMap((rate) => [1, 3].map((replicas) => behaviorCase(replicas, rate))),
};

/** Returns ∇_a of the mean of the Q-heads, by central differences of each row's own action. */
function actionGradient(networks: readonly NetworkValues[], a: Matrix, s: Matrix): Matrix {
  const q = (input: Matrix) => {
    const values = networks.map((network) => perceptron(network, beside(input, s)));
    return map(values[0]!, (_, r) => mean(matrix(1, 2, values.map((head) => head.values[r]!))));
  };
  return mapRows(a, (row, r) =>
    Array.from(row, (_, column) => {
      const at = (by: number) => q(nudged(a, r * a.columns + column, by)).values[r]!;
      return (at(step) - at(-step)) / (2 * step);
    }));
}

function policyCase(replicas: number, overrides: Partial<Hyperparameters>): Case {
  const settings = { ...h, ...overrides };
  return stageCase({
    shape: `${rows} rows, ${settings.weighting}` +
      (settings.subtractBaseline ? ", baseline" : "") +
      (settings.normalizeBeta ? ", normalized" : ""),
    replicas,
    inputs: {
      s: state,
      t: { rows, columns: 1, from: (z) => 0.02 + 0.96 * timeFrom(z) },
      z: noise,
    },
    describe: (graph, { s, t, z }) =>
      policy(
        graph,
        { state: () => s, times: { given: t }, noise: { given: z } },
        actions,
        settings,
      ),
    family: 0,
    metric: "loss",
    loss: ({ before }, { s, t, z }) => {
      // Eq. 15 multiplies the action's gradient by ∂π/∂θ and treats all else as constant.
      const fixed = tanhPolicy(one(before, 0), s);
      const direction = scoreDirectionReference({
        noiseHat: noiseModel(
          one(before, 2),
          one(before, 3).get("embed.0.W")!,
          { action: noisingReference(fixed, t, z), state: s, t },
        ),
        z,
        t,
        qGradient: actionGradient(before[1]!, fixed, s),
      }, regularizationOf(settings));
      return (moved) => {
        const pi = tanhPolicy(one(moved, 0), s);
        return sum(zip(direction, pi, (d, value) => d * value)) / rows;
      };
    },
  });
}

const policyObjective: Check = {
  name: "policy: score-regularized objective",
  limit: 2e-5,
  cases: [
    policyCase(1, {}),
    policyCase(3, {}),
    policyCase(1, { weighting: "alpha_over_sigma", normalizeBeta: true }),
    policyCase(3, { weighting: "constant", subtractBaseline: false }),
    policyCase(1, { weighting: "sigma4", normalizeWeighting: true }),
    policyCase(1, { weighting: "two_term" }),
  ],
};

/** Checks of SRPO's losses. */
export const stageChecks: readonly Check[] = [
  valueLoss,
  qLoss,
  policyRegression,
  behaviorLoss,
  policyObjective,
];
