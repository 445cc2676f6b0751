/**
 * The schedule: which operations share a dispatch, and the order of the dispatches.
 *
 * Independent operations with the same kernel become jobs of one dispatch; for example, the hidden
 * layers of all networks of a step run together. Matrix products do so even if their tiles differ.
 * A kernel is delayed while more of its operations can become ready without it, so weight gradients
 * accumulate until the end of a backward pass.
 *
 * @module
 */
import { groupKey, type KernelSpec } from "../gpu/kernel.ts";
import { type Target, tileOf } from "../gpu/target.ts";
import type { Operation } from "./graph.ts";
import type { Lifetime } from "./memory.ts";
import type { Storage } from "./tensor.ts";

/** Operations that run in one dispatch. */
export interface Stage {
  readonly kernel: KernelSpec;
  readonly operations: readonly Operation[];
}

/**
 * Groups operations into stages and orders these. The result is equivalent to running the
 * operations in the given order.
 */
export function schedule(operations: readonly Operation[], target: Target): Stage[] {
  const nodes = operations.flatMap((operation) => {
    const kernel = operation.kernel(target);
    return kernel ? [{ operation, kernel, key: groupKey(kernel) }] : [];
  });
  const before = nodes.map(({ operation }, n) =>
    nodes.flatMap((earlier, e) => e < n && conflicts(earlier.operation, operation) ? [e] : [])
  );
  const ancestors: Set<number>[] = [];
  for (const direct of before) {
    ancestors.push(new Set(direct.flatMap((e) => [e, ...ancestors[e]!])));
  }
  const height = heights(before);

  const done = new Set<number>();
  const stages: Stage[] = [];
  while (done.size < nodes.length) {
    const groups = new Map<string, number[]>();
    nodes.forEach(({ key }, n) => {
      if (done.has(n) || before[n]!.some((e) => !done.has(e))) return;
      groups.set(key, [...(groups.get(key) ?? []), n]);
    });
    const candidates = [...groups.values()].map((group) => ({
      group,
      // Number of operations of this kernel that could still join the group if it waited.
      late: nodes.filter(({ key }, n) =>
        !done.has(n) && key === nodes[group[0]!]!.key && !group.includes(n) &&
        !group.some((member) =>
          ancestors[n]!.has(member)
        )
      ).length,
      height: Math.max(...group.map((n) => height[n]!)),
    }));
    candidates.sort((a, b) => Math.sign(a.late) - Math.sign(b.late) || b.height - a.height);
    const chosen = candidates[0]!.group;
    chosen.forEach((n) => done.add(n));
    stages.push({
      kernel: kernelOf(chosen.map((n) => nodes[n]!)),
      operations: chosen.map((n) => nodes[n]!.operation),
    });
  }
  return stages;
}

/**
 * Returns the kernel of a group: with the tile of the operation that has the most arithmetic, or a
 * larger one if the group has many results.
 */
function kernelOf(
  group: readonly { readonly operation: Operation; readonly kernel: KernelSpec }[],
): KernelSpec {
  const flops = ({ operation }: { readonly operation: Operation }) => operation.flops ?? 0;
  const { kernel } = group.reduce((most, next) => flops(next) > flops(most) ? next : most);
  if (!kernel.largerTiles) return kernel;
  const results = group.reduce((total, { operation: { writes } }) => {
    const { replicas, rows, columns } = writes[0]!;
    return total + replicas * rows * columns;
  }, 0);
  const larger = kernel.largerTiles.findLast(({ from }) => results >= from);
  return larger ? { ...kernel, tile: tileOf(larger.tile)! } : kernel;
}

/** Returns the first and last stage that read or write each storage. */
export function lifetimesOf(stages: readonly Stage[]): Map<Storage, Lifetime> {
  const lifetimes = new Map<Storage, Lifetime>();
  stages.forEach(({ operations }, stage) => {
    for (const { reads, writes } of operations) {
      for (const { storage } of [...reads, ...writes]) {
        const lifetime = lifetimes.get(storage);
        if (lifetime) lifetime.last = stage;
        else lifetimes.set(storage, { first: stage, last: stage });
      }
    }
  });
  return lifetimes;
}

/**
 * Whether `later` must wait for `earlier`: one of them writes memory that the other reads or
 * writes.
 */
function conflicts(earlier: Operation, later: Operation): boolean {
  const touch = (written: Operation["writes"], touched: Operation["writes"]) =>
    written.some((a) => touched.some((b) => a.overlaps(b)));
  return touch(earlier.writes, later.reads) || touch(earlier.writes, later.writes) ||
    touch(earlier.reads, later.writes);
}

/** Returns, for each operation, the length of the longest chain of operations that depend on it. */
function heights(before: readonly number[][]): number[] {
  const height = before.map(() => 0);
  for (let n = before.length - 1; n >= 0; n--) {
    for (const e of before[n]!) height[e] = Math.max(height[e]!, height[n]! + 1);
  }
  return height;
}
