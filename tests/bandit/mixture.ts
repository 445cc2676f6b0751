/**
 * A mixture of Gaussians of equal weight and equal standard deviation, with what diffusion models
 * learn of it in closed form. It stands for the trained behavior model where the exact one is
 * known.
 *
 * @module
 */
import type { Graph } from "../../lib/autodiff/graph.ts";
import {
  add,
  divide,
  exp,
  multiply,
  scale,
  shift,
  sqrt,
  subtract,
} from "../../lib/autodiff/ops/entrywise.ts";
import { linear } from "../../lib/autodiff/ops/linear.ts";
import { softmax } from "../../lib/autodiff/ops/softmax.ts";
import { ParameterSet, type ParameterValues } from "../../lib/autodiff/parameters.ts";
import { alpha, sigma } from "../../lib/diffusion/schedule.ts";
import { layerOf, linearShapes } from "../../lib/nn/initialization.ts";
import type { Prediction, RecordedPrediction } from "../../lib/bandit/prediction.ts";

/** A mixture of Gaussians in the plane. */
export class Mixture implements Prediction {
  /** The center of each Gaussian. */
  readonly centers: readonly (readonly [number, number])[];
  /** Standard deviation of each Gaussian along each axis. */
  readonly deviation: number;

  /** Creates a mixture of Gaussians with these centers, which all have the same weight. */
  constructor(
    { centers, deviation }: {
      readonly centers: readonly (readonly [number, number])[];
      readonly deviation: number;
    },
  ) {
    this.centers = centers;
    this.deviation = deviation;
  }

  /** Returns log μ_t(x, y): the density diffused to time t, or of the mixture itself at t = 0. */
  logDensity(x: number, y: number, t = 0): number {
    const { variance, terms } = this.#terms(x, y, t);
    const largest = Math.max(...terms);
    const sum = terms.reduce((total, term) => total + Math.exp(term - largest), 0);
    return largest + Math.log(sum / terms.length / (2 * Math.PI * variance));
  }

  /** Returns the exact noise prediction ε*(x, y | t) = −σ_t ∇ log μ_t. */
  noise(x: number, y: number, t: number): [number, number] {
    const { variance, terms } = this.#terms(x, y, t);
    const largest = Math.max(...terms);
    const weights = terms.map((term) => Math.exp(term - largest));
    const total = weights.reduce((a, b) => a + b, 0);
    const mean = (axis: 0 | 1) =>
      weights.reduce((sum, weight, i) => sum + weight * this.centers[i]![axis], 0) / total;
    const factor = sigma(t) / variance;
    return [factor * (x - alpha(t) * mean(0)), factor * (y - alpha(t) * mean(1))];
  }

  /** Returns the distance from a point to the nearest center. */
  distance(x: number, y: number): number {
    return Math.min(...this.centers.map(([cx, cy]) => Math.hypot(x - cx, y - cy)));
  }

  /** Records the exact noise prediction; see {@linkcode Prediction.describe}. */
  describe(graph: Graph): RecordedPrediction {
    const { centers, deviation } = this;
    // Products with the centers, and weighted sums of the centers, are linear layers without bias.
    const products = new ParameterSet(graph, linearShapes("centers", [2], centers.length), 1);
    const sums = new ParameterSet(graph, linearShapes("sums", [centers.length], 2), 1);
    const values: ParameterValues = new Map([
      ["centers.weight", Float32Array.from(centers.flat())],
      ["centers.bias", new Float32Array(centers.length)],
      ["sums.weight", Float32Array.from([0, 1].flatMap((axis) => centers.map((c) => c[axis]!)))],
      ["sums.bias", new Float32Array(2)],
    ]);
    return {
      networks: [products, sums].map((parameters) => ({ parameters, values })),
      predict: (xt, t) => {
        const logAlpha = add(
          graph,
          scale(graph, multiply(graph, t, t), -19.9 / 4),
          scale(graph, t, -0.1 / 2),
        );
        const a = exp(graph, logAlpha);
        const a2 = multiply(graph, a, a);
        const sigma2 = shift(graph, scale(graph, a2, -1), 1);
        const variance = add(graph, scale(graph, a2, deviation ** 2), sigma2);
        // log N(x_t; α c, v) up to what all centers share: (α c·x_t − α² |c|²/2) / v.
        const half = graph.table(1, centers.length, centers.map(([x, y]) => (x * x + y * y) / 2));
        const distances = subtract(
          graph,
          linear(graph, xt, layerOf(products, "centers")),
          multiply(graph, half, a),
        );
        const weights = softmax(graph, multiply(graph, distances, divide(graph, a, variance)));
        const mean = multiply(graph, linear(graph, weights, layerOf(sums, "sums")), a);
        const factor = divide(graph, sqrt(graph, sigma2), variance);
        return multiply(graph, subtract(graph, xt, mean), factor);
      },
    };
  }

  #terms(x: number, y: number, t: number): { variance: number; terms: number[] } {
    const variance = (alpha(t) * this.deviation) ** 2 + sigma(t) ** 2;
    const a = alpha(t);
    const terms = this.centers.map(([cx, cy]) =>
      -((x - a * cx) ** 2 + (y - a * cy) ** 2) / (2 * variance)
    );
    return { variance, terms };
  }
}
