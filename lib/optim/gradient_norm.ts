/**
 * The global norm of a gradient, for clipping.
 *
 * @module
 */
import normSource from "../../shaders/gradient_norm.wgsl" with { type: "text" };
import reduceSource from "../../shaders/reduce.wgsl" with { type: "text" };
import type { Graph } from "../autodiff/graph.ts";
import type { ParameterSet } from "../autodiff/parameters.ts";
import { registerOperation } from "../autodiff/operations.ts";
import { Tensor } from "../autodiff/tensor.ts";

const name = registerOperation("gradient norm");
const workgroup = 64;
// Vec4s per invocation.
const vectors = 16;

/**
 * Records partial sums of the squares of a gradient in the layout of the parameters.
 *
 * @returns `[R, sums, 4]` for the graph's R replicas. The sum over all entries of a replica is the
 * squared norm over all parameters of all networks of a seed, for example of both Q-heads.
 */
export function squaredNormSums(graph: Graph, parameters: ParameterSet, gradient: Tensor): Tensor {
  const members = parameters.replicas / graph.replicas;
  const parts = parameters.tensorsIn(gradient.storage);
  const tiles = parts.map(({ rows, width }) => Math.ceil(rows * width / 4 / workgroup / vectors));
  const rows = tiles.reduce((total, count) => total + count, 0);
  const sums = new Tensor({ replicas: graph.replicas, rows: members * rows, columns: 4 });
  graph.record({
    name,
    inputs: [],
    reads: [gradient],
    writes: [sums],
    kernel: () => ({
      name,
      source: reduceSource + normSource,
      constants: { WORKGROUP: workgroup, VECTORS: vectors },
    }),
    jobs: () =>
      Array.from({ length: parameters.replicas }, (_, replica) => {
        let row = (replica % members) * rows;
        return parts.map((part, p) => {
          const fields = {
            rows: part.rows,
            width: part.width / 4,
            gradient: part.at(replica, parameters.replicas),
            gradient_stride: part.stride,
            sums: sums.at(replica, parameters.replicas) + row,
          };
          row += tiles[p]!;
          return { fields, tiles: tiles[p]! };
        });
      }).flat(),
  });
  return sums;
}
