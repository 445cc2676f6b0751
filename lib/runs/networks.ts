/**
 * The networks of a stage: their initial values, and their tensors under the names of checkpoints.
 *
 * @module
 */
import type { Network } from "../algorithms/algorithm.ts";
import type { ParameterShape, ParameterValues } from "../autodiff/parameters.ts";
import { UserError } from "../errors.ts";
import { floatTensor, type SafeTensor, type SafeTensors } from "./safetensors.ts";

const moments = { mean: "adam.mean.", square: "adam.square." } as const;

/** The tensors of a stage. */
export interface Checkpoint {
  /** The file they were read from, or where else they are from, for messages. */
  readonly path: string;
  /** Tensors, matrices `[rows, columns]` and vectors `[columns]`, and metadata. */
  readonly file: SafeTensors;
  /** Completed steps; null if they are not stated (an official checkpoint). */
  readonly step: number | null;
}

/** Writes the initial values of one replica of the networks that a stage trains. */
export function initialize(
  networks: readonly Network[],
  place: number,
  seed: number,
): void {
  for (const { prefixes, parameters, initial } of networks) {
    if (initial === undefined) continue;
    // Twin networks are adjacent replicas with one seed. Each has its own initial values.
    prefixes.forEach((_, member) =>
      parameters.write(
        parameters.store,
        place * prefixes.length + member,
        initial(parameters.shapes, seed, member),
      )
    );
  }
}

/**
 * Writes the first values of one replica's networks at the start of a stage: those that it trains
 * are initialized, the others are loaded from the checkpoints of earlier stages.
 *
 * @throws {UserError} As {@linkcode loadNetworks}.
 */
export function startNetworks(
  stage: string,
  networks: readonly Network[],
  replica: number,
  seed: number,
  earlier: readonly Checkpoint[],
): void {
  initialize(networks, replica, seed);
  const frozen = networks.filter(({ initial }) => initial === undefined);
  loadNetworks(stage, frozen, replica, earlier, false);
}

/**
 * Loads the networks of one replica.
 *
 * @param stage Name of the stage, for messages.
 * @param replica Index on the replica axis.
 * @param checkpoints Files to search. A network is loaded from the first file with its tensors.
 * @param withMoments Whether to load Adam's moments too, to continue a stage.
 * @throws {UserError} If a tensor is missing, has the wrong type or shape, or has a value that is
 * not finite.
 */
export function loadNetworks(
  stage: string,
  networks: readonly Network[],
  replica: number,
  checkpoints: readonly Checkpoint[],
  withMoments: boolean,
): void {
  for (const { prefixes, parameters, optimizer } of networks) {
    const { store } = parameters;
    prefixes.forEach((prefix, member) => {
      const place = replica * prefixes.length + member;
      const values = valuesIn(stage, checkpoints, prefix, parameters.shapes);
      parameters.write(store, place, values(""));
      if (withMoments && optimizer) {
        parameters.write(store, place, values(moments.mean), optimizer.mean);
        parameters.write(store, place, values(moments.square), optimizer.square);
      }
    });
  }
}

/**
 * Checks that checkpoints have the networks that a stage takes from earlier stages.
 *
 * @throws {UserError} As {@linkcode loadNetworks}.
 */
export function checkEarlier(
  stage: string,
  networks: readonly Network[],
  checkpoints: readonly Checkpoint[],
): void {
  for (const { prefixes, parameters, initial } of networks) {
    if (initial !== undefined) continue;
    for (const prefix of prefixes) valuesIn(stage, checkpoints, prefix, parameters.shapes)("");
  }
}

/**
 * Finds the checkpoint with a network. Returns a function that reads its parameters, or others with
 * `before` in front of their names.
 */
function valuesIn(
  stage: string,
  checkpoints: readonly Checkpoint[],
  prefix: string,
  shapes: readonly ParameterShape[],
): (before: string) => ParameterValues {
  const probe = prefix + shapes[0]!.name;
  const checkpoint = checkpoints.find(({ file }) => file.tensors.has(probe));
  if (!checkpoint) {
    throw new UserError(
      `no tensor "${probe}" in ${checkpoints.map(({ path }) => path).join(", ")}: ` +
        `the ${stage} stage needs the networks ${prefix}*`,
    );
  }
  return (before) =>
    new Map(shapes.map((shape) => {
      const name = before + prefix + shape.name;
      const values = floatTensor(checkpoint.file, name, shapeOf(shape), checkpoint.path);
      assertFiniteTensor(checkpoint.path, name, values);
      return [shape.name, values];
    }));
}

/**
 * Reads the networks that a stage trains.
 *
 * @param source Where they are from, for messages.
 * @param withMoments Whether to read Adam's moments too, to continue the stage.
 * @returns The tensors of each replica by name.
 * @throws {UserError} If a tensor has a value that is not finite.
 */
export async function readNetworks(
  source: string,
  networks: readonly Network[],
  replicas: number,
  withMoments: boolean,
): Promise<Map<string, SafeTensor>[]> {
  const tensors = Array.from({ length: replicas }, () => new Map<string, SafeTensor>());
  for (const { prefixes, parameters, optimizer, initial } of networks) {
    if (initial === undefined) continue;
    const parts: [string, ParameterValues[]][] = [["", await parameters.read()]];
    if (withMoments && optimizer) {
      parts.push(
        [moments.mean, await parameters.read(parameters.store, optimizer.mean)],
        [moments.square, await parameters.read(parameters.store, optimizer.square)],
      );
    }
    for (const [before, values] of parts) {
      values.forEach((network, place) => {
        const replica = Math.floor(place / prefixes.length);
        const prefix = before + prefixes[place % prefixes.length];
        for (const shape of parameters.shapes) {
          const data = network.get(shape.name)!;
          assertFiniteTensor(source, prefix + shape.name, data);
          tensors[replica]!.set(prefix + shape.name, {
            dtype: "F32",
            shape: shapeOf(shape),
            data,
          });
        }
      });
    }
  }
  return tensors;
}

function assertFiniteTensor(source: string, name: string, values: Float32Array): void {
  const at = values.findIndex((value) => !Number.isFinite(value));
  if (at < 0) return;
  throw new UserError(`${source}: tensor ${name} has the value ${values[at]} at entry ${at}`);
}

/** Returns the shape in files: one axis for vectors, two for matrices. */
export function shapeOf({ rows, segments, vector }: ParameterShape): number[] {
  const columns = segments.reduce((total, width) => total + width, 0);
  return vector ? [columns] : [rows, columns];
}
