/**
 * Checks of Adam, AdamW and moving averages over several steps.
 *
 * @module
 */
import { Graph } from "../autodiff/graph.ts";
import { ParameterSet } from "../autodiff/parameters.ts";
import { Tensor } from "../autodiff/tensor.ts";
import { adam, constant, cosine, periodic } from "../optim/adam.ts";
import { movingAverage } from "../optim/average.ts";
import { type Case, type Check, drawn, relativeError, seedsOf } from "./check.ts";
import type { Session } from "./session.ts";

const steps = 4;
// Large, so that the updates are not small compared with the parameters.
const learningRate = cosine(0.1, 10);

interface Options {
  readonly weightDecay: number;
  /** Weight of the parameters in the average; 0 disables averaging. */
  readonly rate: (update: number) => number;
  /** Whether the average is a separate operation. */
  readonly apart?: boolean;
  /**
   * Maximum gradient norm of a seed, over its two networks. Without clipping, a seed has one
   * network.
   */
  readonly clipNorm?: number;
}

/** Adam as published, with decoupled decay, for a single parameter. */
function reference(
  parameter: number,
  average: number,
  gradients: readonly number[],
  { weightDecay, rate }: Options,
): { parameter: number; average: number } {
  let [mean, square] = [0, 0];
  gradients.forEach((gradient, k) => {
    mean = 0.9 * mean + 0.1 * gradient;
    square = 0.999 * square + 0.001 * gradient * gradient;
    const corrected = {
      mean: mean / (1 - 0.9 ** (k + 1)),
      square: square / (1 - 0.999 ** (k + 1)),
    };
    parameter *= 1 - learningRate(k) * weightDecay;
    parameter -= (learningRate(k) * corrected.mean) / (Math.sqrt(corrected.square) + 1e-8);
    average = rate(k) * parameter + (1 - rate(k)) * average;
  });
  return { parameter, average };
}

/** Clips the gradient of each seed, `size` numbers, to the maximum norm. */
function clip(gradients: Float32Array, size: number, norm = Infinity): number[] {
  return Array.from({ length: gradients.length / size }, (_, seed) => {
    const own = gradients.subarray(seed * size, (seed + 1) * size);
    const length = Math.sqrt(own.reduce((total, value) => total + value ** 2, 0));
    return Array.from(own, (value) => value * Math.min(1, norm / (length + 1e-6)));
  }).flat();
}

function optimized(rows: number, columns: number, replicas: number, options: Options): Case {
  return {
    shape: `${rows}×${columns}, ${steps} steps`,
    replicas,
    measure: (session) => measure(session, rows, columns, replicas, options),
  };
}

async function measure(
  session: Session,
  rows: number,
  columns: number,
  seeds: number,
  options: Options,
): Promise<number> {
  const graph = new Graph({ seeds: seedsOf(seeds) });
  const { weightDecay, rate, apart, clipNorm } = options;
  const members = clipNorm === undefined ? 1 : 2;
  const replicas = members * seeds;
  const shapes = [{ name: "weight", rows, segments: [columns], vector: false }];
  const parameters = new ParameterSet(graph, shapes, replicas);
  const averages = new ParameterSet(graph, shapes, replicas);
  const { replicaSize, sharing } = parameters.storage;
  const storage = graph.persist({ arena: "activations", replicaSize, replicas, sharing });
  const gradient = new Tensor({ replicas, rows: 1, columns: replicaSize }, storage);
  const target = { parameters: averages, rate };
  adam(graph, parameters, gradient, {
    learningRate,
    weightDecay,
    ...(!apart && { target }),
    ...(clipNorm !== undefined && { clipNorm }),
  });
  if (apart) movingAverage(graph, parameters, target);
  session.note(graph);
  const program = await session.engine.compile(graph);

  const size = rows * columns;
  const values = (number: number) => drawn({ rows, columns }, replicas, number);
  const write = (set: ParameterSet, all: Float32Array, to = set.storage) => {
    for (let replica = 0; replica < replicas; replica++) {
      const own = all.subarray(replica * size, (replica + 1) * size);
      set.write(program, replica, new Map([["weight", own]]), to);
    }
  };
  const [start, startAverage] = [values(0), values(1)];
  write(parameters, start);
  write(averages, startAverage);
  const gradients: Float32Array[] = [];
  for (let step = 0; step < steps; step++) {
    // Growing, because Adam's steps do not change if all gradients share a factor.
    gradients.push(values(2 + step).map((value) => (step + 1) * value));
    write(parameters, gradients[step]!, storage);
    await program.submit(step, 1);
  }
  const read = async (set: ParameterSet) =>
    (await set.read(program)).flatMap((found) => [...found.get("weight")!]);
  const [moved, movedAverage] = await Promise.all([read(parameters), read(averages)]);
  program.destroy();

  const clipped = gradients.map((all) => clip(all, size * members, clipNorm));
  const expected = Array.from(
    start,
    (value, i) => reference(value, startAverage[i]!, clipped.map((g) => g[i]!), options),
  );
  return Math.max(
    relativeError(moved, expected.map(({ parameter }) => parameter)),
    relativeError(movedAverage, expected.map(({ average }) => average)),
  );
}

function optimizer(name: string, options: Options): Check {
  return {
    name,
    limit: 1e-6,
    cases: [[1, 1], [7, 13], [33, 257]].flatMap(([rows, columns]) =>
      [1, 3].map((replicas) => optimized(rows!, columns!, replicas, options))
    ),
  };
}

/** Checks of the optimizers. */
export const optimizerChecks: readonly Check[] = [
  optimizer("adam", { weightDecay: 0, rate: constant(0) }),
  optimizer("adamw", { weightDecay: 0.01, rate: constant(0) }),
  optimizer("adam, target average", { weightDecay: 0, rate: constant(0.005) }),
  optimizer("adam, average every second step", {
    weightDecay: 0,
    rate: periodic(0.2, { every: 2, first: 1 }),
  }),
  optimizer("adam, clipped norm", { weightDecay: 0, rate: constant(0), clipNorm: 2 }),
  optimizer("moving average", {
    weightDecay: 0,
    rate: periodic(0.2, { every: 2, first: 1 }),
    apart: true,
  }),
];
