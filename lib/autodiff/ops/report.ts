/**
 * Metrics, and losses composed of other operations.
 *
 * @module
 */
import reportSource from "../../../shaders/report.wgsl" with { type: "text" };
import stepSource from "../../../shaders/step.wgsl" with { type: "text" };
import type { Graph, Loss, Metric } from "../graph.ts";
import { registerOperation } from "../operations.ts";
import type { Tensor } from "../tensor.ts";

const operation = registerOperation("report");

/** Reports x `[R, 1, 1]` in each step under a name. */
export function report(graph: Graph, name: string, x: Tensor): Metric {
  if (x.rows !== 1 || x.columns !== 1) {
    throw new Error(`report: "${name}" must be one number per replica, got ${x}`);
  }
  const metric = graph.metric(name, x.replicas);
  graph.record({
    name: operation,
    inputs: [],
    reads: [x],
    writes: [],
    kernel: () => ({ name: operation, source: stepSource + reportSource }),
    jobs: () =>
      Array.from({ length: x.replicas }, (_, job) => ({
        fields: {
          x: x.at(job, x.replicas),
          metric: metric.index + job,
          metrics_width: graph.metricsWidth,
        },
        tiles: 1,
      })),
  });
  return metric;
}

/** Makes x `[R, 1, 1]` a loss to minimize, reported under a name. */
export function lossOf(graph: Graph, name: string, x: Tensor): Loss {
  const metric = report(graph, name, x);
  return { metric, gradients: new Map([[x, graph.constant(1, 1, 1, x.replicas)]]) };
}
