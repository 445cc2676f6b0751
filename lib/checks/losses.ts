/**
 * Checks of the losses: value, what is reported with it, and gradient.
 *
 * @module
 */
import {
  advantageWeightedLoss,
  diffusionLoss,
  expectileLoss,
  meanSquaredError,
  type ScoreRegularization,
  scoreRegularizedLoss,
  temporalDifferenceLoss,
} from "../autodiff/ops/losses.ts";
import { type Case, type Check, compared } from "./check.ts";
import { scheduleAt, timeFrom } from "./diffusion.ts";
import { map, mapRows, type Matrix, mean, scalar, smallest, sum, zip } from "../autodiff/matrix.ts";

const limit = 5e-6;
const rowCounts = [1, 13, 257] as const;
const sizes = [[1, 1], [7, 13], [33, 257]] as const;
const each = (make: (rows: number, columns: number, replicas: number) => Case): Case[] =>
  sizes.flatMap(([rows, columns]) => [1, 3].map((replicas) => make(rows, columns, replicas)));

/** Mean of |τ − 1(u < 0)| u². */
export function expectile(u: Matrix, tau: number): number {
  return mean(map(u, (value) => (value < 0 ? 1 - tau : tau) * value * value));
}

/** Mean over rows of the sum over columns of (x − y)². */
export function squaredDistance(x: Matrix, y: Matrix): number {
  return sum(zip(x, y, (a, b) => (a - b) ** 2)) / x.rows;
}

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
      reference: ({ x, y }) => ({ loss: [scalar(squaredDistance(x[0], y[0]) / columns)] }),
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
      reference: ({ x, z }) => ({ loss: [scalar(squaredDistance(x[0], z[0]))] }),
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
            loss: [scalar(expectile(difference(smallest(q), v[0]), 0.7))],
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
    heads.flatMap((heads) =>
      [1, 3].map((replicas) =>
        compared({
          shape: `${rows} rows, ${heads} heads`,
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
            ),
          }),
          reference: ({ q, reward, terminal, nextValue }) => {
            const target = map(
              reward[0],
              (r, i) => r + 0.99 * (1 - terminal[0].values[i]!) * nextValue[0].values[i]!,
            );
            const losses = q.map((head) => squaredDistance(head, target));
            return {
              loss: [scalar(losses.reduce((a, b) => a + b, 0) / q.length)],
              v_mean: [scalar(mean(nextValue[0]))],
            };
          },
        })
      )
    )
  ),
};

/** Some rows of an advantage near 1.5 reach the weight's limit. */
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
              scalar(advantageWeightedDistance(policy[0], action[0], smallest(q), v[0], 3, 100)),
            ],
          }),
        })
      )
    )
  ),
};

/** Mean over rows of min(exp(temperature (Q − V)), limit) |π − a|². */
export function advantageWeightedDistance(
  policy: Matrix,
  action: Matrix,
  q: Matrix,
  v: Matrix,
  temperature: number,
  limit: number,
): number {
  const squares = mapRows(
    difference(policy, action),
    (row) => [row.reduce((total, d) => total + d * d, 0)],
  );
  return mean(
    map(
      squares,
      (square, r) =>
        Math.min(Math.exp(temperature * (q.values[r]! - v.values[r]!)), limit) * square,
    ),
  );
}

/** ω(t) (ε̂ − ε) − β ∇Q, row by row: the direction the action is moved against. */
export function scoreDirection(
  { noiseHat, z, t, qGradient }: Record<"noiseHat" | "z" | "t" | "qGradient", Matrix>,
  { beta, weighting, subtractBaseline, normalizeQ }: ScoreRegularization,
): Matrix {
  return mapRows(noiseHat, (row, r) => {
    const { alpha, sigma } = scheduleAt(t.values[r]!);
    const omega = { sigma2: sigma * sigma, constant: 1, alpha_over_sigma: alpha / sigma }[
      weighting
    ];
    const start = r * noiseHat.columns;
    const gradient = qGradient.values.subarray(start, start + row.length);
    const rootMeanSquare = Math.sqrt(
      gradient.reduce((total, g) => total + g * g, 0) / gradient.length,
    );
    return Array.from(
      row,
      (noise, i) =>
        omega * (noise - (subtractBaseline ? z.values[start + i]! : 0)) -
        (beta * gradient[i]!) / (normalizeQ ? rootMeanSquare : 1),
    );
  });
}

const regularizations: readonly ScoreRegularization[] =
  (["sigma2", "constant", "alpha_over_sigma"] as const)
    .flatMap((weighting) =>
      [false, true].flatMap((subtractBaseline) =>
        [false, true].map((normalizeQ) => ({ beta: 0.3, weighting, subtractBaseline, normalizeQ }))
      )
    );

const scoreRegularized: Check = {
  name: "score-regularized loss",
  // α/σ at small times is large, and the sum over rows of both signs is small beside its terms.
  limit: 2e-5,
  cases: regularizations.flatMap((regularization) =>
    [[1, 1, 1], [7, 3, 3], [33, 8, 1], [257, 13, 3]].map(([rows, columns, replicas]) => {
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
          qGradient: shape,
          q: { rows: rows!, columns: 1, heads: 2 },
        },
        record: (graph, { action, ...terms }) => ({
          results: {},
          objective: scoreRegularizedLoss(graph, "loss", action, terms, () => regularization),
        }),
        reference: ({ action, noiseHat, z, t, qGradient, q }) => {
          const direction = scoreDirection(
            { noiseHat: noiseHat[0], z: z[0], t: t[0], qGradient: qGradient[0] },
            regularization,
          );
          return {
            loss: [scalar(sum(zip(direction, action[0], (d, a) => d * a)) / rows!)],
            q_mean: [scalar((mean(q[0]) + mean(q[1]!)) / 2)],
          };
        },
      });
    })
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
