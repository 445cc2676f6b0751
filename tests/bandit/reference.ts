/**
 * The bandit on 8gaussians with 9 × 9 targets, beside figures of a PyTorch implementation with the
 * same definitions. As a program (`deno task bandit-reference`, about three minutes on two
 * processor cores) it computes every row. It fails if one with the exact score differs; those with
 * a trained network also depend on the network.
 *
 * @module
 */
import { Engine } from "../../lib/autodiff/engine.ts";
import { hyperparametersFor } from "../../lib/algorithms/srpo/hyperparameters.ts";
import { trainBehavior } from "../../lib/bandit/behavior.ts";
import { Mixture } from "./mixture.ts";
import { LearnedPrediction, type Prediction } from "../../lib/bandit/prediction.ts";
import {
  ensemble,
  optimizePoints,
  type PointRegularization,
  smallTime,
} from "../../lib/bandit/score_points.ts";
import { drawToy, eightGaussians } from "../../lib/data/toy.ts";

const mixture = new Mixture(eightGaussians);

/** The targets: 9 × 9 over [−4, 4]². */
export const referenceTargets = Float32Array.from(
  { length: 162 },
  (_, i) => -4 + (i % 2 === 0 ? (i / 2) % 9 : Math.floor(i / 18)),
);

/** A row of the table. */
export interface ReferenceRow {
  readonly name: string;
  readonly regularization: PointRegularization;
  /** Fraction within two standard deviations of a center. */
  readonly fraction: number;
  /** Mean of Q. */
  readonly q: number;
}

function row(form: "ensemble" | "score", beta: number, fraction: number, q: number): ReferenceRow {
  const regularization = (form === "ensemble" ? ensemble : smallTime)(beta);
  return { name: `${form}, β = ${beta}`, regularization, fraction, q };
}

/** PyTorch's figures with the exact noise prediction: 1500 steps, 32 draws, three seeds. */
export const exactRows: readonly ReferenceRow[] = [
  row("ensemble", 0.01, 0, -5.382),
  row("ensemble", 0.03, 0.165, -3.272),
  row("ensemble", 0.1, 0.494, -1.171),
  row("ensemble", 0.3, 0.247, -0.267),
  row("ensemble", 1, 0.099, -0.034),
  row("score", 0.03, 1, -2.344),
  row("score", 0.1, 1, -2.261),
  row("score", 1, 1, -1.497),
  row("score", 3, 0.691, -0.748),
  {
    name: "ensemble, ε not subtracted, β = 0.1",
    regularization: { ...ensemble(0.1), subtractBaseline: false },
    fraction: 0.453,
    q: -1.178,
  },
];

/** PyTorch's figures with a trained network: 600 steps, 8 draws. */
export const learnedRows: readonly ReferenceRow[] = [
  row("ensemble", 0.1, 0.469, -1.225),
  row("score", 1, 1, -1.638),
];

/**
 * Training of the network of {@linkcode learnedRows}: width 64, two blocks, 12,000 steps of 512
 * with AdamW. PyTorch's learning rate fell from 3e-4 to 1e-4 after 70 % of the steps; here it
 * follows a cosine.
 */
export const referenceTraining = hyperparametersFor("maze2d", "quick", {
  behaviorSteps: 12_000,
  behaviorBatchSize: 512,
  behaviorLearningRate: 3e-4,
  behaviorSchedule: "cosine",
  behaviorDropout: 0,
});

/** Returns the fraction within two standard deviations of a center, and the mean of Q. */
export function figuresOf(points: Float32Array): { fraction: number; q: number } {
  const count = points.length / 2;
  const sums = { fraction: 0, q: 0 };
  for (let i = 0; i < points.length; i += 2) {
    const [x, y] = [points[i]!, points[i + 1]!];
    sums.fraction += Number(mixture.distance(x, y) < 2 * mixture.deviation);
    sums.q -= (x - referenceTargets[i]!) ** 2 + (y - referenceTargets[i + 1]!) ** 2;
  }
  return { fraction: sums.fraction / count, q: sums.q / count };
}

/** Seeds whose figures are averaged, as in PyTorch. */
const seeds = [0, 1, 2];

async function compare(
  engine: Engine,
  title: string,
  prediction: Prediction,
  rows: readonly ReferenceRow[],
  options: { readonly steps: number; readonly draws: number },
  agrees: (found: ReferenceRow, expected: ReferenceRow) => boolean,
): Promise<boolean> {
  const sums = rows.map((row) => ({ ...row, fraction: 0, q: 0 }));
  for (const seed of seeds) {
    const found = await optimizePoints(
      engine,
      prediction,
      referenceTargets,
      rows.map(({ regularization }) => regularization),
      { ...options, seed },
    );
    found.forEach((points, i) => {
      const { fraction, q } = figuresOf(points);
      sums[i]!.fraction += fraction / seeds.length;
      sums[i]!.q += q / seeds.length;
    });
  }
  console.log(`\n${title}: fraction and mean Q here, in PyTorch`);
  return sums.map((own, i) => {
    const expected = rows[i]!;
    const passed = agrees(own, expected);
    console.log(
      `${expected.name.padEnd(36)}  ${own.fraction.toFixed(3)} ${own.q.toFixed(3)}  ` +
        `${expected.fraction.toFixed(3)} ${expected.q.toFixed(3)}  ${passed ? "ok" : "DIFFERS"}`,
    );
    return passed;
  }).every(Boolean);
}

if (import.meta.main) {
  using engine = await Engine.open();
  const exact = await compare(
    engine,
    "exact score",
    mixture,
    exactRows,
    { steps: 1500, draws: 32 },
    (own, { fraction, q }) =>
      Math.abs(own.fraction - fraction) <= 0.02 && Math.abs(own.q / q - 1) <= 0.03,
  );
  const data = { points: drawToy("8gaussians", 200_000, 0), states: new Float32Array() };
  const { shape, values } = await trainBehavior(engine, data, referenceTraining, 0);
  await compare(
    engine,
    "trained network",
    new LearnedPrediction(shape, values),
    learnedRows,
    { steps: 600, draws: 8 },
    (own, { fraction, q }) =>
      Math.abs(own.fraction - fraction) <= 0.05 && Math.abs(own.q - q) <= 0.05,
  );
  if (!exact) Deno.exit(1);
}
