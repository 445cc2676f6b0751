/**
 * Parameter shapes of layers and their initial values, both as PyTorch's defaults.
 *
 * @module
 */
import type { ParameterShape, ParameterValues } from "../autodiff/parameters.ts";
import { normal, uniform } from "../autodiff/random.ts";

/** Random streams of the initial values. */
const streams = { initialisation: 1, fourier: 2 } as const;

/** Weight and bias of a linear layer; its input may be a concatenation (`inputs`). */
export function linearShapes(
  name: string,
  inputs: readonly number[],
  outputs: number,
): ParameterShape[] {
  return [
    { name: `${name}.weight`, rows: outputs, segments: inputs, vector: false },
    { name: `${name}.bias`, rows: 1, segments: [outputs], vector: true },
  ];
}

/** Gain (`weight`) and shift (`bias`) of a layer normalisation. */
export function layerNormShapes(name: string, columns: number): ParameterShape[] {
  return [
    { name: `${name}.weight`, rows: 1, segments: [columns], vector: true },
    { name: `${name}.bias`, rows: 1, segments: [columns], vector: true },
  ];
}

/**
 * Initial values of one network: linear layers uniform in ±1/√(inputs), layer normalisations 1 and 0.
 *
 * @param network A number for the network, so that networks of one seed differ.
 */
export function initialise(
  shapes: readonly ParameterShape[],
  seed: number,
  network: number,
): ParameterValues {
  const values: ParameterValues = new Map();
  let bound: number | null = null;
  shapes.forEach((shape, i) => {
    const columns = shape.segments.reduce((total, width) => total + width, 0);
    const count = shape.rows * columns;
    const isWeight = shape.name.endsWith(".weight");
    if (isWeight) bound = shape.vector ? null : 1 / Math.sqrt(columns);
    if (bound === null) {
      values.set(shape.name, new Float32Array(count).fill(isWeight ? 1 : 0));
      return;
    }
    const range = bound;
    const step = network * 1024 + i;
    const numbers = uniform(seed, streams.initialisation, step, count);
    values.set(shape.name, Float32Array.from(numbers, (u) => (2 * u - 1) * range));
  });
  return values;
}

/** How the networks of a family start: values of one of them, `member`, for a seed. */
export type Initial = (
  shapes: readonly ParameterShape[],
  seed: number,
  member: number,
) => ParameterValues;

/**
 * The values of {@linkcode initialise} for networks that are numbered from `first`. Families of one
 * number start equal, as target networks do.
 */
export function numbered(first: number): Initial {
  return (shapes, seed, member) => initialise(shapes, seed, first + member);
}

/** The values of {@linkcode initialFrequencies} for a family of one parameter, the frequencies. */
export function frequencyValues(scale: number): Initial {
  return (shapes, seed) => {
    const [{ name, segments }] = shapes as [ParameterShape];
    return new Map([[name, initialFrequencies(seed, segments[0]!, scale)]]);
  };
}

/** Random Fourier frequencies, normal with the given scale. */
export function initialFrequencies(seed: number, count: number, scale: number): Float32Array {
  return Float32Array.from(normal(seed, streams.fourier, 0, count), (z) => z * scale);
}
