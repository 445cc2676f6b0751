/**
 * Compares a step of a stage with its loss in double precision.
 *
 * @module
 */
import { writeInput } from "../autodiff/compile.ts";
import { Graph } from "../autodiff/graph.ts";
import type { ParameterSet, ParameterValues } from "../autodiff/parameters.ts";
import type { Tensor } from "../autodiff/tensor.ts";
import type { Stage } from "../algorithms/algorithm.ts";
import { type Case, drawn, type DrawnInput, entriesOf, relativeError, seedsOf } from "./check.ts";
import { type Matrix, matrix, nudged } from "../autodiff/matrix.ts";
import type { NetworkValues } from "./networks.ts";
import type { Session } from "./session.ts";

/** All networks of one seed: for each family of the stage, its members. */
export type Networks = readonly (readonly NetworkValues[])[];

/** The networks of one seed before and after the step. */
export interface Moments {
  /** Networks before the step. */
  readonly before: Networks;
  /** Networks after the step. */
  readonly after: Networks;
}

/** A loss of a stage and its reference. */
export interface StageCase<Name extends string> {
  /** Sizes, as shown in the report. */
  readonly shape: string;
  /** Number of seeds, computed in parallel. */
  readonly replicas: number;
  /** Contents of the stage's minibatch. */
  readonly inputs: Readonly<Record<Name, DrawnInput>>;
  /** Describes the step. */
  describe(graph: Graph, inputs: Readonly<Record<Name, Tensor>>): Stage;
  /** Index of the trained family among the stage's networks. */
  readonly family: number;
  /** Name of its loss among the metrics. */
  readonly metric: string;
  /**
   * Returns the loss as a function of the networks before the step, with one parameter of the
   * trained family perturbed. Terms that the loss treats as constants are computed once, from the
   * moments.
   */
  loss(
    moments: Moments,
    inputs: Readonly<Record<Name, Matrix>>,
  ): (moved: Networks) => number;
}

/** Perturbation of a parameter for a finite difference. */
export const step = 1e-5;

/**
 * Creates a case that computes one step of a stage. It compares the loss with its reference, and
 * the gradients with respect to the trained family's parameters with finite differences.
 */
export function stageCase<Name extends string>(checked: StageCase<Name>): Case {
  const { shape, replicas } = checked;
  return { shape, replicas, measure: (session) => measure(session, checked) };
}

async function measure<Name extends string>(
  session: Session,
  { replicas, inputs, describe, family, metric, loss }: StageCase<Name>,
): Promise<number> {
  const graph = new Graph({ seeds: seedsOf(replicas) });
  const entries = Object.entries(inputs) as [Name, DrawnInput][];
  const tensors = Object.fromEntries(
    entries.map(([name, { rows, columns }]) => [name, graph.input(rows, columns)]),
  ) as Record<Name, Tensor>;
  const stage = describe(graph, tensors);
  session.note(graph);
  const { parameters, optimizer } = stage.networks[family]!;
  const program = await session.engine.compile(graph, [optimizer!.gradient]);

  const values = entries.map(([name, shape], i) => {
    const numbers = drawn(shape, replicas, i);
    writeInput(program, tensors[name], numbers);
    return { name, shape, numbers };
  });
  const start = stage.networks.map(({ parameters }, n) => initialValues(parameters, n));
  stage.networks.forEach(({ parameters }, n) =>
    start[n]!.forEach((network, replica) => parameters.write(program, replica, network))
  );
  const [row, gradient, ...end] = await Promise.all([
    program.submit(0, 1),
    parameters.read(program, optimizer!.gradient.storage),
    ...stage.networks.map(({ parameters }) => parameters.read(program)),
  ]);
  program.destroy();

  const sets = stage.networks.map(({ parameters }) => parameters);
  const networksOf = (all: readonly (readonly ParameterValues[])[], seed: number): Networks =>
    sets.map((set, n) => {
      const members = set.replicas / replicas;
      return all[n]!.slice(seed * members, (seed + 1) * members).map((network) =>
        matricesOf(set, network)
      );
    });
  const { index } = graph.metrics.find(({ name }) => name === metric)!;
  const losses: number[] = [];
  const found: number[] = [];
  const differences: number[] = [];
  for (let seed = 0; seed < replicas; seed++) {
    const given = Object.fromEntries(values.map(({ name, shape: { rows, columns }, numbers }) => {
      const size = rows * columns;
      return [name, matrix(rows, columns, numbers.subarray(seed * size, (seed + 1) * size))];
    })) as Record<Name, Matrix>;
    const before = networksOf(start, seed);
    const after = networksOf(end, seed);
    const lossOf = loss({ before, after }, given);
    losses.push(lossOf(before));
    before[family]!.forEach((network, member) => {
      for (const [name, parameter] of network) {
        for (const entry of entriesOf(parameter.values.length)) {
          const at = (by: number) => {
            const changed = new Map(network).set(name, nudged(parameter, entry, by));
            const moved = before.map((members, n) =>
              n === family ? members.map((same, m) => m === member ? changed : same) : members
            );
            return lossOf(moved);
          };
          differences.push((at(step) - at(-step)) / (2 * step));
          const replica = seed * before[family]!.length + member;
          found.push(gradient[replica]!.get(name)![entry]!);
        }
      }
    });
  }
  return Math.max(
    relativeError(row.subarray(index, index + replicas), losses),
    relativeError(found, differences),
  );
}

/**
 * Draws initial values: matrices small enough that no tanh saturates, gains around 1, and Fourier
 * frequencies with the scale used in training.
 */
function initialValues(parameters: ParameterSet, family: number): ParameterValues[] {
  return Array.from(
    { length: parameters.replicas },
    (_, replica) =>
      new Map(parameters.shapes.map(({ name, rows, segments, vector }, i) => {
        const columns = segments.reduce((total, width) => total + width, 0);
        const from = (z: number) =>
          name.endsWith(".W")
            ? 30 * z
            : name.endsWith("layer_norm.weight")
            ? 1 + 0.2 * z
            : vector
            ? 0.2 * z
            : z / Math.sqrt(columns);
        const number = 1000 + (family * 100 + replica) * 100 + i;
        return [name, drawn({ rows, columns, from }, 1, number)];
      })),
  );
}

function matricesOf(parameters: ParameterSet, values: ParameterValues): NetworkValues {
  return new Map(parameters.shapes.map(({ name, rows, segments }) => {
    const columns = segments.reduce((total, width) => total + width, 0);
    return [name, matrix(rows, columns, values.get(name)!)];
  }));
}
