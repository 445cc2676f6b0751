/**
 * Moving averages of networks in a dispatch of their own, for targets that follow in other steps than
 * those in which an optimizer moves the networks. (Where it is the same step, {@linkcode minimize}
 * takes the average along.)
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
 * Records `average ← rate · parameters + (1 − rate) · average`, of the parameters as they are at this
 * place of the step.
 */
export function movingAverage(graph: Graph, parameters: ParameterSet, average: Average): void {
  const from = parameters.whole;
  const to = average.parameters.whole;
  if (from.replicas !== to.replicas || from.columns !== to.columns) {
    throw new Error(`movingAverage: parameters ${from} cannot be averaged in ${to}`);
  }
  const rate = graph.scalar(average.rate);
  graph.record({
    name,
    inputs: [],
    reads: [from, to],
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
