/**
 * The global norm of several tensors, for example of all gradients of a network.
 *
 * @module
 */
import reduceSource from "../../../shaders/reduce.wgsl" with { type: "text" };
import normSource from "../../../shaders/squared_norm.wgsl" with { type: "text" };
import type { Graph } from "../graph.ts";
import { type Matrix, sum } from "../matrix.ts";
import { registerOperation } from "../operations.ts";
import { Tensor } from "../tensor.ts";
import { sumRows } from "./broadcast.ts";
import { requireActivation } from "./elementwise.ts";
import { sqrt } from "./entrywise.ts";

const name = registerOperation("squared norms");

/**
 * Returns √Σ x² over all entries of several tensors: `[R, 1, 1]` for the graph's replicas. The
 * heads of a seed are combined. Not differentiable.
 */
export function globalNorm(graph: Graph, tensors: readonly Tensor[]): Tensor {
  for (const tensor of tensors) requireActivation(name, tensor);
  const seeds = graph.replicas;
  // One row per tensor and head.
  const heads = tensors.map(({ replicas }) => replicas / seeds);
  const firsts = heads.map((_, i) => heads.slice(0, i).reduce((a, b) => a + b, 0));
  const rows = heads.reduce((a, b) => a + b, 0);
  const squares = new Tensor({ replicas: seeds, rows, columns: 1 });
  graph.record({
    name,
    inputs: [],
    reads: [...tensors],
    writes: [squares],
    kernel: () => ({
      name: "squared norm",
      source: reduceSource + normSource,
      constants: { WORKGROUP: 64 },
    }),
    // Ordered by seed, so that each slice of the arenas gets its own jobs.
    jobs: () =>
      Array.from(
        { length: seeds },
        (_, seed) =>
          tensors.flatMap((x, i) =>
            Array.from({ length: heads[i]! }, (_, head) => ({
              fields: {
                rows: x.rows,
                width: x.width / 4,
                x: x.at(seed * heads[i]! + head, x.replicas),
                x_stride: x.stride,
                out: squares.at(seed, seeds) + (firsts[i]! + head) * squares.stride,
              },
              tiles: 1,
            }))
          ),
      ).flat(),
  });
  return sqrt(graph, sumRows(graph, squares));
}

/** Global norm of matrices in double precision. */
export function globalNormReference(matrices: readonly Matrix[]): number {
  return Math.sqrt(matrices.reduce((total, each) => total + sum(each, (x) => x * x), 0));
}
