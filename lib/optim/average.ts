/**
 * Moving averages of networks in their own dispatch, for target networks that are updated in other
 * steps than the optimizer's. If both are updated in the same steps, {@linkcode minimize} also
 * updates the average.
 *
 * @module
 */
import averageSource from "../../shaders/moving_average.wgsl" with { type: "text" };
import stepSource from "../../shaders/step.wgsl" with { type: "text" };
import type { Graph } from "../autodiff/graph.ts";
import type { ParameterSet } from "../autodiff/parameters.ts";
import { registerOperation } from "../autodiff/operations.ts";
import type { Average } from "./adam.ts";

const name = registerOperation("moving average");
const workgroup = 64;

/**
 * Records `average ← rate · parameters + (1 − rate) · average`, with the parameters as of this
 * point in the step.
 */
export function movingAverage(graph: Graph, parameters: ParameterSet, average: Average): void {
  const from = parameters.whole;
  const to = average.parameters.whole;
  if (from.replicas !== to.replicas || from.columns !== to.columns) {
    throw new Error(`movingAverage: shapes must agree, got parameters ${from} and averages ${to}`);
  }
  const rate = graph.scalar(average.rate);
  graph.record({
    name,
    inputs: [],
    reads: [from, to],
    parameters: [from, to],
    writes: [to],
    kernel: () => ({ name, source: stepSource + averageSource }),
    jobs: () =>
      Array.from({ length: from.replicas }, (_, job) => {
        const count = from.columns / 4;
        return {
          fields: {
            count,
            parameter: from.at(job, from.replicas),
            average: to.at(job, to.replicas),
            rate,
          },
          tiles: Math.ceil(count / workgroup),
        };
      }),
  });
}
