/**
 * Sums over groups of neighbouring replicas.
 *
 * @module
 */
import source from "../../../shaders/fold_replicas.wgsl" with { type: "text" };
import type { Graph } from "../graph.ts";
import { Tensor } from "../tensor.ts";
import { elementwiseJobs, shapeOf } from "./elementwise.ts";

/**
 * x `[m·R, rows, columns]` → `[R, rows, columns]`, each the sum of m neighbouring replicas: the
 * gradient of a tensor that m networks read.
 */
export function foldReplicas(graph: Graph, x: Tensor, replicas: number): Tensor {
  const members = x.replicas / replicas;
  const y = new Tensor({ ...shapeOf(x), replicas });
  graph.record({
    name: "fold replicas",
    inputs: [x],
    reads: [x],
    writes: [y],
    kernel: () => ({ name: "fold replicas", source }),
    jobs: () =>
      elementwiseJobs(y, (job) => ({
        members,
        x: x.at(job * members, x.replicas),
        x_stride: x.stride,
        x_replica: x.storage.replicaSize / 4,
      })),
  });
  return y;
}
