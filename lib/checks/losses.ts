/**
 * Checks of the losses: value, reported metrics and gradient.
 *
 * @module
 */
import {
  advantageWeightedLoss,
  advantageWeightedLossReference,
} from "../algorithms/losses/advantage_weighted.ts";
import { expectileLoss, expectileLossReference } from "../algorithms/losses/expectile.ts";
import {
  temporalDifferenceLoss,
  temporalDifferenceLossReference,
} from "../algorithms/losses/temporal_difference.ts";
import {
  scoreDirectionReference,
  type ScoreRegularization,
  scoreRegularizedLoss,
} from "../algorithms/srpo/score_regularized_loss.ts";
import {
  diffusionLoss,
  diffusionLossReference,
  meanSquaredError,
} from "../autodiff/ops/squared_error.ts";
import { type Case, type Check, compared } from "./check.ts";
import { timeFrom } from "./diffusion.ts";
import { type Matrix, mean, scalar, smallest, sum, zip } from "../autodiff/matrix.ts";

const limit = 5e-6;
const rowCounts = [1, 13, 257] as const;
const sizes = [[1, 1], [7, 13], [33, 257]] as const;
const each = (make: (rows: number, columns: number, replicas: number) => Case): Case[] =>
  sizes.flatMap(([rows, columns]) => [1, 3].map((replicas) => make(rows, columns, replicas)));

const difference = (a: Matrix, b: Matrix) => zip(a, b, (x, y) => x - y);

const meanSquared: Check = {
  name: "mean squared error",
  limit,
  cases: each((rows, columns, replicas) =>
    compared({
      shape: `${rows}×${columns}`,
      replicas,
      inputs: { x: { rows, columns, wanted: true }, y: { rows, columns } },
      record: (graph, { x, y }) => ({
        results: {},
        objective: meanSquaredError(graph, "loss", x, y),
      }),
      reference: ({ x, y }) => ({ loss: [scalar(diffusionLossReference(x[0], y[0]) / columns)] }),
    })
  ),
};

const diffusion: Check = {
  name: "diffusion loss",
  limit,
  cases: each((rows, columns, replicas) =>
    compared({
      shape: `${rows}×${columns}`,
      replicas,
      inputs: { x: { rows, columns, wanted: true }, z: { rows, columns } },
      record: (graph, { x, z }) => ({ results: {}, objective: diffusionLoss(graph, "loss", x, z) }),
      reference: ({ x, z }) => ({ loss: [scalar(diffusionLossReference(x[0], z[0]))] }),
    })
  ),
};

const heads = [1, 2];

const valueLoss: Check = {
  name: "expectile loss",
  limit,
  cases: rowCounts.flatMap((rows) =>
    heads.flatMap((heads) =>
      [1, 3].map((replicas) =>
        compared({
          shape: `${rows} rows, ${heads} heads`,
          replicas,
          inputs: { q: { rows, columns: 1, heads }, v: { rows, columns: 1, wanted: true } },
          record: (graph, { q, v }) => ({
            results: {},
            objective: expectileLoss(graph, "loss", q, v, 0.7),
          }),
          reference: ({ q, v }) => ({
            loss: [scalar(expectileLossReference(difference(smallest(q), v[0]), 0.7))],
            q_mean: [scalar(mean(smallest(q)))],
          }),
        })
      )
    )
  ),
};

const temporalDifference: Check = {
  name: "temporal difference loss",
  limit,
  cases: rowCounts.flatMap((rows) =>
    ([[1, "mean"], [2, "mean"], [2, "sum"]] as const).flatMap(([heads, over]) =>
      [1, 3].map((replicas) =>
        compared({
          shape: `${rows} rows, ${over} over ${heads} heads`,
          replicas,
          inputs: {
            q: { rows, columns: 1, heads, wanted: true },
            reward: { rows, columns: 1 },
            terminal: { rows, columns: 1, from: (z) => z > 1 ? 1 : 0 },
            nextValue: { rows, columns: 1 },
          },
          record: (graph, { q, reward, terminal, nextValue }) => ({
            results: {},
            objective: temporalDifferenceLoss(
              graph,
              "loss",
              q,
              { reward, terminal, nextValue },
              0.99,
              over,
            ),
          }),
          reference: ({ q, reward: [reward], terminal: [terminal], nextValue: [nextValue] }) => {
            const transition = { reward, terminal, nextValue };
            return {
              loss: [scalar(temporalDifferenceLossReference(q, transition, 0.99, over))],
              v_mean: [scalar(mean(nextValue))],
            };
          },
        })
      )
    )
  ),
};

/** In some rows the advantage exceeds ln(100) / 3 = 1.54, so that the weight reaches its limit. */
const advantageWeighted: Check = {
  name: "advantage-weighted regression",
  limit: 1e-5,
  cases: [[1, 1], [13, 3], [257, 8]].flatMap(([rows, columns]) =>
    heads.flatMap((heads) =>
      [1, 3].map((replicas) =>
        compared({
          shape: `${rows}×${columns}, ${heads} heads`,
          replicas,
          inputs: {
            policy: { rows: rows!, columns: columns!, wanted: true },
            action: { rows: rows!, columns: columns! },
            q: { rows: rows!, columns: 1, heads },
            v: { rows: rows!, columns: 1 },
          },
          record: (graph, { policy, action, q, v }) => ({
            results: {},
            objective: advantageWeightedLoss(graph, "loss", policy, action, { q, v }, {
              temperature: 3,
              limit: 100,
            }),
          }),
          reference: ({ policy, action, q, v }) => ({
            loss: [
              scalar(
                advantageWeightedLossReference(policy[0], action[0], smallest(q), v[0], 3, 100),
              ),
            ],
          }),
        })
      )
    )
  ),
};

const regularizations: readonly ScoreRegularization[] =
  (["sigma2", "constant", "alpha_over_sigma"] as const)
    .flatMap((weighting) =>
      [false, true].flatMap((subtractBaseline) =>
        [false, true].map((normalizeQ) => ({ beta: 0.3, weighting, subtractBaseline, normalizeQ }))
      )
    );

const scoreRegularized: Check = {
  name: "score-regularized loss",
  // α/σ is large at small times, and the sum over rows of both signs is small compared with its
  // terms.
  limit: 2e-5,
  cases: regularizations.flatMap((regularization) =>
    [[1, 1, 1], [7, 3, 3], [33, 8, 1], [33, 1, 3], [257, 13, 3]].map(
      ([rows, columns, replicas]) => {
        const { weighting, subtractBaseline, normalizeQ } = regularization;
        const shape = { rows: rows!, columns: columns! };
        return compared({
          shape: `${rows}×${columns}, ${weighting}` +
            (subtractBaseline ? ", baseline" : "") + (normalizeQ ? ", normalized" : ""),
          replicas: replicas!,
          inputs: {
            action: { ...shape, wanted: true },
            noiseHat: shape,
            z: shape,
            t: { rows: rows!, columns: 1, from: (z) => 0.02 + 0.96 * timeFrom(z) },
            // With one column, it is zero in some rows.
            qGradient: columns === 1 ? { ...shape, from: (z) => Math.max(z, 0) } : shape,
            q: { rows: rows!, columns: 1, heads: 2 },
          },
          record: (graph, { action, ...terms }) => ({
            results: {},
            objective: scoreRegularizedLoss(graph, "loss", action, terms, () => regularization),
          }),
          reference: ({ action, noiseHat, z, t, qGradient, q }) => {
            const direction = scoreDirectionReference(
              { noiseHat: noiseHat[0], z: z[0], t: t[0], qGradient: qGradient[0] },
              regularization,
            );
            return {
              loss: [scalar(sum(zip(direction, action[0], (d, a) => d * a)) / rows!)],
              q_mean: [scalar((mean(q[0]) + mean(q[1]!)) / 2)],
            };
          },
        });
      },
    )
  ),
};

/** Checks of the losses. */
export const lossChecks: readonly Check[] = [
  meanSquared,
  diffusion,
  valueLoss,
  temporalDifference,
  advantageWeighted,
  scoreRegularized,
];
