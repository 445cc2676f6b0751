/**
 * Fusion: joins chains of entrywise operations into one operation if nothing else reads the
 * intermediate results. Those are then never stored.
 *
 * @module
 */
import type { Operation } from "./graph.ts";
import { Entrywise } from "./ops/entrywise_kernel.ts";
import type { Tensor } from "./tensor.ts";

/**
 * Returns the operations with chains of entrywise ones joined. The input is not modified.
 *
 * @param kept Tensors that are read after a step and must therefore be stored.
 */
export function fuse(
  operations: readonly Operation[],
  kept: readonly Tensor[] = [],
): Operation[] {
  const fused: (Operation | null)[] = [...operations];
  for (let first = 0; first < fused.length; first++) {
    const earlier = fused[first];
    if (!(earlier instanceof Entrywise)) continue;
    const [tensor] = earlier.writes;
    if (!tensor.movable || kept.some(({ storage }) => storage === tensor.storage)) continue;
    const touching = fused.flatMap((operation, i) =>
      operation && i !== first && touches(operation, tensor) ? [i] : []
    );
    const [second] = touching;
    if (second === undefined || touching.length > 1 || second < first) continue;
    const later = fused[second]!;
    if (!(later instanceof Entrywise) || overwritten(fused.slice(first, second), earlier)) continue;
    const both = later.including(earlier);
    if (!both) continue;
    fused[first] = null;
    fused[second] = both;
  }
  return fused.filter((operation) => operation !== null);
}

/** Whether an operation reads or writes any part of the tensor's storage. */
function touches({ reads, writes }: Operation, { storage }: Tensor): boolean {
  return [...reads, ...writes].some((other) => other.storage === storage);
}

/** Whether any of `operations` writes a tensor that `reader` reads. */
function overwritten(operations: readonly (Operation | null)[], { reads }: Operation): boolean {
  return operations.some((operation) =>
    operation?.writes.some((written) => reads.some((read) => written.overlaps(read)))
  );
}
