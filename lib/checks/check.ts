/**
 * Checks of GPU results against double precision, and of GPU gradients against central finite
 * differences in double precision.
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
  /** Name in the report. */
  readonly name: string;
  /**
   * Maximum error of any entry of a tensor, relative to the tensor's largest entry. A float32 is
   * exact to 6e-8. Sums over hundreds of terms and the adapters' exp, log and tanh lose a factor of
   * ten to a hundred.
   */
  readonly limit: number;
  /** Its cases: one per size and number of replicas. */
  readonly cases: readonly Case[];
}

/** A case of a check. */
export interface Case {
  /** Sizes, as shown in the report. */
  readonly shape: string;
  /** Number of seeds, computed in parallel. */
  readonly replicas: number;
  /** Returns the largest relative error. */
  measure(session: Session): Promise<number>;
}

/** The matrices of one seed, one per head. */
export type Members = readonly [Matrix, ...Matrix[]];

/** An input and the distribution of its values. */
export interface DrawnInput extends InputShape {
  /** Whether the gradient with respect to it is checked. */
  readonly wanted?: boolean;
  /** Maps a standard normal number to a value of the input. Defaults to the identity. */
  readonly from?: (z: number) => number;
}

/** An operation and its reference. */
export interface Comparison<Name extends string> {
  /** Sizes, as shown in the report. */
  readonly shape: string;
  /** Number of seeds, computed in parallel. */
  readonly replicas: number;
  /** Inputs of the operation. */
  readonly inputs: Readonly<Record<Name, DrawnInput>>;
  /** Records the operation. */
  record(graph: Graph, inputs: Readonly<Record<Name, Tensor>>): Recorded;
  /** Returns the results and metrics of one seed in double precision, one matrix per head. */
  reference(inputs: Readonly<Record<Name, Members>>): Readonly<Record<string, readonly Matrix[]>>;
  /**
   * Size of terms that cancel exactly, if there are any. A GPU that fuses multiplications and
   * additions leaves their rounding errors, so errors are relative to at least this size.
   */
  readonly canceling?: number;
}

/** The seeds of the cases. */
export const seedsOf = (replicas: number): number[] => [5, 11, 4242].slice(0, replicas);

const randomStream = 9001;
const step = 1e-5;
// Finite differences of a zero gradient equal the rounding error of double precision divided by the
// step.
const smallestScale = 1e-5;

/** Up to this size every entry is perturbed; of larger inputs, a sample. */
const everyEntry = 48;

/**
 * Creates a case that compares results, metrics and gradients of an operation with its reference.
 */
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
        const exact = reference.flatMap(({ values }) => [...values]);
        errors.push(relativeError(found, exact, comparison.canceling));
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
        errors.push(relativeError(found, differences, comparison.canceling));
      }
      return Math.max(...errors);
    },
  };
}

/**
 * Returns Σ weight · (high − low). The differences are taken first, so that unchanged values cancel
 * exactly.
 */
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

/**
 * Returns the largest |found − expected| relative to the largest |expected|, or to `smallest` if
 * that is larger; infinity if a value is NaN.
 */
export function relativeError(
  found: ArrayLike<number>,
  expected: ArrayLike<number>,
  smallest = smallestScale,
): number {
  if (found.length !== expected.length) {
    throw new Error(`relativeError: expected ${expected.length} numbers, got ${found.length}`);
  }
  let scale = smallest;
  let worst = 0;
  for (let i = 0; i < expected.length; i++) {
    scale = Math.max(scale, Math.abs(expected[i]!));
    const error = Math.abs(found[i]! - expected[i]!);
    if (Number.isNaN(error)) return Infinity;
    worst = Math.max(worst, error);
  }
  return worst / scale;
}

/** Returns the entries to perturb: all of a small input, a fixed sample of a large one. */
export function entriesOf(size: number): number[] {
  if (size <= everyEntry) return Array.from({ length: size }, (_, i) => i);
  const picks = uniform(2, randomStream, size, 4);
  return [0, size - 1, ...Array.from(picks, (u) => Math.floor(u * size))];
}

/** Draws the values of an input for every seed and head. */
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
