/**
 * Tensors of random numbers, drawn anew in each step.
 *
 * @module
 */
import drawSource from "../../../shaders/draw.wgsl" with { type: "text" };
import normalSource from "../../../shaders/normal.wgsl" with { type: "text" };
import randomSource from "../../../shaders/random.wgsl" with { type: "text" };
import sineSource from "../../../shaders/sine.wgsl" with { type: "text" };
import stepSource from "../../../shaders/step.wgsl" with { type: "text" };
import type { Graph } from "../graph.ts";
import { registerOperation } from "../operations.ts";
import { Tensor } from "../tensor.ts";
import { argmax } from "./argmax.ts";
import { elementwiseJobs } from "./elementwise.ts";

export { normal as normalReference, uniform as uniformReference } from "../random.ts";

const uniformName = registerOperation("uniform numbers");
const normalName = registerOperation("normal numbers");
const source = randomSource + sineSource + normalSource + stepSource + drawSource;

/** The shape and the random stream of drawn numbers. */
export interface Draw {
  /** Rows per replica. */
  readonly rows: number;
  /** Columns. */
  readonly columns: number;
  /** Random stream of the numbers. */
  readonly stream: number;
  /** Networks per seed, each with its own numbers. Defaults to 1. */
  readonly heads?: number;
}

/** Draws numbers uniform in [low, high): `[heads · R, rows, columns]`. */
export function drawUniform(
  graph: Graph,
  draw: Draw,
  [low, high]: readonly [low: number, high: number] = [0, 1],
): Tensor {
  return drawn(graph, uniformName, [], draw, { low, high });
}

/** Draws standard normal numbers: `[heads · R, rows, columns]`. */
export function drawNormal(graph: Graph, draw: Draw): Tensor {
  return drawn(graph, normalName, ["NORMAL"], draw, {});
}

/**
 * Draws uniform random integers 0 … count − 1, `[R, rows, 1]`: the index of the largest of `count`
 * uniform numbers.
 */
export function drawIndex(
  graph: Graph,
  { rows, count, stream }: {
    readonly rows: number;
    readonly count: number;
    readonly stream: number;
  },
): Tensor {
  return argmax(graph, drawUniform(graph, { rows, columns: count, stream }));
}

function drawn(
  graph: Graph,
  name: typeof uniformName,
  directives: readonly string[],
  { rows, columns, stream, heads = 1 }: Draw,
  range: Record<string, number>,
): Tensor {
  const y = new Tensor({ replicas: heads * graph.replicas, rows, columns });
  graph.record({
    name,
    inputs: [],
    reads: [],
    writes: [y],
    kernel: () => ({ name: "draw", source, directives }),
    jobs: () =>
      elementwiseJobs(y, (job) => ({
        ...range,
        columns,
        seed: graph.seed(job, y.replicas),
        stream,
        first: (job % heads) * rows * (y.width / 4),
      })),
  });
  return y;
}
