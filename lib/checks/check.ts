/**
 * Checks: what the GPU computes against the same in double precision, and its gradients against
 * central finite differences of that.
 *
 * @module
 */
import type { Graph } from "../autodiff/graph.ts";
import { normal, uniform } from "../autodiff/random.ts";
import type { Tensor } from "../autodiff/tensor.ts";
import { type Matrix, matrix, nudged } from "../autodiff/matrix.ts";
import type { InputShape, Recorded, Session } from "./session.ts";

/** A check of one operation, or of one loss through its networks. */
export interface Check {
  /** What is checked, as the report names it. */
  readonly name: string;
  /**
   * Largest error that passes: of any entry of a tensor, relative to the tensor's largest one. A float32
   * is exact to 6e-8; sums over hundreds of terms and the adapters' exp, log and tanh lose a factor
   * of ten to a hundred.
   */
  readonly limit: number;
  /** Its sizes. */
  readonly cases: readonly Case[];
}

/** One case of a check. */
export interface Case {
  /** The sizes, as the report names them. */
  readonly shape: string;
  /** Seeds computed side by side. */
  readonly replicas: number;
  /** The largest relative error. */
  measure(session: Session): Promise<number>;
}

/** The matrices of one seed: one for each head. */
export type Members = readonly [Matrix, ...Matrix[]];

/** An input with how its numbers are drawn. */
export interface DrawnInput extends InputShape {
  /** Whether the gradient by it is checked. */
  readonly wanted?: boolean;
  /** A standard normal number to the input's number; the same number where absent. */
  readonly from?: (z: number) => number;
}

/** An operation beside its reference. */
export interface Comparison<Name extends string> {
  /** The sizes, as the report names them. */
  readonly shape: string;
  /** Seeds computed side by side. */
  readonly replicas: number;
  /** What it is computed from. */
  readonly inputs: Readonly<Record<Name, DrawnInput>>;
  /** Records the operation. */
  record(graph: Graph, inputs: Readonly<Record<Name, Tensor>>): Recorded;
  /** The results and metrics of one seed in double precision, a matrix for each head. */
  reference(inputs: Readonly<Record<Name, Members>>): Readonly<Record<string, readonly Matrix[]>>;
}

/** The seeds that cases are computed with. */
export const seedsOf = (replicas: number): number[] => [5, 11, 4242].slice(0, replicas);

const randomStream = 9001;
const step = 1e-5;
// Gradients that are zero come out as the rounding of double precision divided by the step.
const smallestScale = 1e-5;

/** Up to here every entry is moved by itself; of larger inputs a sample. */
const everyEntry = 48;

/** A case that compares results, metrics and gradients of an operation with its reference. */
export function compared<Name extends string>(comparison: Comparison<Name>): Case {
  const { shape, replicas, inputs } = comparison;
  const names = Object.keys(inputs) as Name[];
  const wanted = names.filter((name) => inputs[name].wanted);
  return {
    shape,
    replicas,
    async measure(session) {
      const values = Object.fromEntries(
        names.map((name, i) => [name, drawn(inputs[name], replicas, i)]),
      ) as Record<Name, Float32Array>;
      const members = Array.from({ length: replicas }, (_, seed) =>
        Object.fromEntries(
          names.map((name) => [name, membersOf(inputs[name], values[name], replicas, seed)]),
        ) as Record<Name, Members>);
      const expected = members.map((given) => comparison.reference(given));
      const upstream = (count: number) => Float32Array.from(normal(1, randomStream, 0, count));
      const outcome = await session.compute({
        seeds: seedsOf(replicas),
        inputs,
        values,
        wanted,
        upstream,
        record: comparison.record,
      });
      if (outcome.spilled.length > 0) {
        throw new Error(`${shape}: the padding of ${outcome.spilled.join(", ")} is not zero`);
      }

      const errors: number[] = [];
      for (const [name, found] of [...outcome.results, ...outcome.metrics]) {
        const reference = expected.flatMap((results) => results[name] ?? []);
        errors.push(relativeError(found, reference.flatMap(({ values }) => [...values])));
      }
      for (const name of wanted) {
        const { heads = 1, rows, columns } = inputs[name];
        const objective = outcome.objective!;
        const weights = outcome.results.has(objective)
          ? upstream(outcome.results.get(objective)!.length)
          : null;
        const found: number[] = [];
        const differences: number[] = [];
        members.forEach((given, seed) => {
          for (let head = 0; head < heads; head++) {
            for (const entry of entriesOf(rows * columns)) {
              const moved = (by: number) =>
                comparison.reference({
                  ...given,
                  [name]: given[name].map((m, h) => h === head ? nudged(m, entry, by) : m),
                })[objective]!;
              const [high, low] = [moved(step), moved(-step)];
              const start = seed * high.length * high[0]!.values.length;
              differences.push(
                weightedDifference(high, low, (i) => weights?.[start + i] ?? 1) / (2 * step),
              );
              found.push(
                outcome.gradients.get(name)![(seed * heads + head) * rows * columns + entry]!,
              );
            }
          }
        });
        errors.push(relativeError(found, differences));
      }
      return Math.max(...errors);
    },
  };
}

/** Σ weight · (high − low), so that what did not change cancels exactly. */
function weightedDifference(
  high: readonly Matrix[],
  low: readonly Matrix[],
  weight: (i: number) => number,
): number {
  let total = 0;
  let i = 0;
  high.forEach((matrix, head) =>
    matrix.values.forEach((value, entry) => {
      total += weight(i++) * (value - low[head]!.values[entry]!);
    })
  );
  return total;
}

/** Largest |found − expected| relative to the largest |expected|; infinite for NaN. */
export function relativeError(found: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (found.length !== expected.length) {
    throw new Error(`relativeError: ${found.length} numbers, ${expected.length} expected`);
  }
  let scale = smallestScale;
  let worst = 0;
  for (let i = 0; i < expected.length; i++) {
    scale = Math.max(scale, Math.abs(expected[i]!));
    const error = Math.abs(found[i]! - expected[i]!);
    if (Number.isNaN(error)) return Infinity;
    worst = Math.max(worst, error);
  }
  return worst / scale;
}

/** The entries to move: all of a small input, a fixed sample of a large one. */
export function entriesOf(size: number): number[] {
  if (size <= everyEntry) return Array.from({ length: size }, (_, i) => i);
  const picks = uniform(2, randomStream, size, 4);
  return [0, size - 1, ...Array.from(picks, (u) => Math.floor(u * size))];
}

/** Random numbers for an input of every seed and head. */
export function drawn(input: DrawnInput, replicas: number, number: number): Float32Array {
  const count = replicas * (input.heads ?? 1) * input.rows * input.columns;
  const from = input.from ?? ((z: number) => z);
  return Float32Array.from(normal(0, randomStream, number, count), from);
}

function membersOf(
  { rows, columns, heads = 1 }: InputShape,
  values: Float32Array,
  replicas: number,
  seed: number,
): Members {
  const size = values.length / replicas / heads;
  return Array.from({ length: heads }, (_, head) => {
    const start = (seed * heads + head) * size;
    return matrix(rows, columns, values.subarray(start, start + size));
  }) as unknown as Members;
}
