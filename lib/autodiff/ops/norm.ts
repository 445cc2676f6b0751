/**
 * The global norm of several tensors, for example of all gradients of a network.
 *
 * @module
 */
import reduceSource from "../../../shaders/reduce.wgsl" with { type: "text" };
import sumsSource from "../../../shaders/squared_sums.wgsl" with { type: "text" };
import type { Graph } from "../graph.ts";
import { type Matrix, sum } from "../matrix.ts";
import { registerOperation } from "../operations.ts";
import { Tensor } from "../tensor.ts";
import { sumColumns, sumRows } from "./broadcast.ts";
import { sqrt } from "./entrywise.ts";

const name = registerOperation("squared sums");
const workgroup = 64;
// Vec4s per invocation.
const vectors = 16;

/**
 * Returns √Σ x² over all entries of several tensors: `[R, 1, 1]` for the graph's replicas. The
 * heads of a seed are combined. Not differentiable.
 */
export function globalNorm(graph: Graph, tensors: readonly Tensor[]): Tensor {
  if (tensors.every(({ columns }) => columns === 0)) {
    throw new Error(`globalNorm: there are no entries in ${tensors.join(", ") || "no tensors"}`);
  }
  return sqrt(graph, sumRows(graph, sumColumns(graph, squaredSums(graph, tensors))));
}

/**
 * Records partial sums of the squares of the entries of several tensors. Not differentiable.
 *
 * @returns `[R, sums, 4]` for the graph's R replicas. The sum over the entries of a replica is that
 * over all tensors and heads of a seed.
 */
export function squaredSums(graph: Graph, tensors: readonly Tensor[]): Tensor {
  const seeds = graph.replicas;
  const tilesOf = ({ rows, width }: Tensor) => Math.ceil(rows * width / 4 / workgroup / vectors);
  const rows = tensors.reduce((total, x) => total + x.replicas / seeds * tilesOf(x), 0);
  const sums = new Tensor({ replicas: seeds, rows, columns: 4 });
  graph.record({
    name,
    inputs: [],
    reads: [...tensors],
    writes: [sums],
    kernel: () => ({
      name,
      source: reduceSource + sumsSource,
      constants: { WORKGROUP: workgroup, VECTORS: vectors },
    }),
    // Ordered by seed, so that each slice of the arenas gets its own jobs.
    jobs: () =>
      Array.from({ length: seeds }, (_, seed) => {
        let row = 0;
        return tensors.flatMap((x) => {
          const heads = x.replicas / seeds;
          return Array.from({ length: heads }, (_, head) => {
            const fields = {
              rows: x.rows,
              width: x.width / 4,
              x: x.at(seed * heads + head, x.replicas),
              x_stride: x.stride,
              sums: sums.at(seed, seeds) + row * sums.stride,
            };
            row += tilesOf(x);
            return { fields, tiles: tilesOf(x) };
          });
        });
      }).flat(),
  });
  return sums;
}

/** Global norm of matrices in double precision. */
export function globalNormReference(matrices: readonly Matrix[]): number {
  return Math.sqrt(matrices.reduce((total, each) => total + sum(each, (x) => x * x), 0));
}
