/**
 * Parameter shapes of layers and their initial values, both matching PyTorch's defaults.
 *
 * @module
 */
import type { ParameterShape, ParameterValues } from "../autodiff/parameters.ts";
import { normal, uniform } from "../autodiff/random.ts";

/** Random streams of the initial values. The streams of training begin at 16. */
const streams = { initialisation: 1, fourier: 2 };

/** Returns weight and bias of a linear layer. Its input may be a concatenation of `inputs`. */
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

/** Returns gain (`weight`) and shift (`bias`) of a layer normalisation. */
export function layerNormShapes(name: string, columns: number): ParameterShape[] {
  return [
    { name: `${name}.weight`, rows: 1, segments: [columns], vector: true },
    { name: `${name}.bias`, rows: 1, segments: [columns], vector: true },
  ];
}

/**
 * Returns the initial values of a network. Linear layers are uniform in ±1/√(inputs); layer
 * normalisations start with gain 1 and shift 0.
 *
 * @param network Index of the network, so that networks with the same seed differ.
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

/** Initialises a family of networks: returns the values of network `member` for a seed. */
export type Initial = (
  shapes: readonly ParameterShape[],
  seed: number,
  member: number,
) => ParameterValues;

/**
 * Initialises networks by {@linkcode initialise} with indices from `first`. Families with the same
 * `first` start with equal values, as target networks must.
 */
export function numbered(first: number): Initial {
  return (shapes, seed, member) => initialise(shapes, seed, first + member);
}

/** Initialises a family with a single parameter by {@linkcode initialFrequencies}. */
export function frequencyValues(scale: number): Initial {
  return (shapes, seed) => {
    const [{ name, segments }] = shapes as [ParameterShape];
    return new Map([[name, initialFrequencies(seed, segments[0]!, scale)]]);
  };
}

/** Returns random Fourier frequencies, normally distributed with standard deviation `scale`. */
export function initialFrequencies(seed: number, count: number, scale: number): Float32Array {
  return Float32Array.from(normal(seed, streams.fourier, 0, count), (z) => z * scale);
}
