/**
 * Squared errors: the mean squared error and the diffusion loss.
 *
 * @module
 */
import reduceSource from "../../../shaders/reduce.wgsl" with { type: "text" };
import squaredErrorSource from "../../../shaders/squared_error.wgsl" with { type: "text" };
import stepSource from "../../../shaders/step.wgsl" with { type: "text" };
import type { Graph, Loss } from "../graph.ts";
import { type Matrix, sum, zip } from "../matrix.ts";
import { registerOperation } from "../operations.ts";
import { Tensor } from "../tensor.ts";
import { requireShape, shapeOf } from "./shapes.ts";
import { rowFields } from "./job_fields.ts";
import { recordLoss } from "./loss.ts";

const operation = registerOperation("squared error");

function squaredError(graph: Graph, name: string, x: Tensor, goal: Tensor, scale: number): Loss {
  requireShape(operation, "goal", goal, x);
  const gradient = new Tensor(shapeOf(x));
  const metric = graph.metric(name, x.replicas);
  recordLoss(
    graph,
    x.replicas,
    { name: operation, source: stepSource + reduceSource + squaredErrorSource },
    { reads: [x, goal], writes: [gradient] },
    (job) => ({
      rows: x.rows,
      width: x.width / 4,
      scale,
      ...rowFields("x", x, job, x.replicas),
      ...rowFields("goal", goal, job, x.replicas),
      ...rowFields("gradient", gradient, job, x.replicas),
      metric: metric.index + job,
    }),
  );
  return { metric, gradients: new Map([[x, gradient]]) };
}

/** Returns the mean squared error over all entries of x and target, both `[R, rows, columns]`. */
export function meanSquaredError(graph: Graph, name: string, x: Tensor, target: Tensor): Loss {
  return squaredError(graph, name, x, target, 1 / (x.rows * x.columns));
}

/**
 * Returns the diffusion loss (Eq. 13): the mean over rows of |ε̂ − z|², both `[R, rows, columns]`.
 */
export function diffusionLoss(graph: Graph, name: string, noiseHat: Tensor, z: Tensor): Loss {
  return squaredError(graph, name, noiseHat, z, 1 / noiseHat.rows);
}

/** Diffusion loss in double precision: the mean over rows of the sum over columns of (x − y)². */
export function diffusionLossReference(x: Matrix, y: Matrix): number {
  return sum(zip(x, y, (a, b) => (a - b) ** 2)) / x.rows;
}
