/**
 * Parameters of layers, named as in PyTorch: their shapes and initial values: PyTorch's defaults,
 * orthogonal matrices, or Glorot's and LeCun's distributions.
 *
 * @module
 */
import type { LinearParameters } from "../autodiff/ops/linear.ts";
import type { ParameterSet, ParameterShape, ParameterValues } from "../autodiff/parameters.ts";
import { normal, uniform } from "../autodiff/random.ts";

/** Random streams of the initial values. The streams of training begin at 16. */
const streams = { initialization: 1, fourier: 2 };

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

/** Returns the parameters of a linear layer, `<name>.weight` and `<name>.bias`. */
export function layerOf(parameters: ParameterSet, name: string): LinearParameters {
  return { weight: parameters.get(`${name}.weight`), bias: parameters.get(`${name}.bias`) };
}

/** Returns gain (`weight`) and shift (`bias`) of a layer normalization. */
export function layerNormShapes(name: string, columns: number): ParameterShape[] {
  return [
    { name: `${name}.weight`, rows: 1, segments: [columns], vector: true },
    { name: `${name}.bias`, rows: 1, segments: [columns], vector: true },
  ];
}

/**
 * Returns the initial values of a network. Linear layers are uniform in ±1/√(inputs); layer
 * normalizations start with gain 1 and shift 0.
 *
 * @param network Index of the network, so that networks with the same seed differ.
 */
export function initialize(
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
    const numbers = uniform(seed, streams.initialization, step, count);
    values.set(shape.name, Float32Array.from(numbers, (u) => (2 * u - 1) * range));
  });
  return values;
}

/** Initializes a family of networks: returns the values of network `member` for a seed. */
export type Initial = (
  shapes: readonly ParameterShape[],
  seed: number,
  member: number,
) => ParameterValues;

/**
 * Initializes networks by {@linkcode initialize} with indices from `first`. Families with the same
 * `first` start with equal values, as target networks must.
 */
export function numbered(first: number): Initial {
  return (shapes, seed, member) => initialize(shapes, seed, first + member);
}

/**
 * Matrices of orthogonal rows or columns, whichever are fewer, of length `gain` (Saxe et al., 2014,
 * arXiv 1312.6120; distributed uniformly), and vectors of 0. For perceptrons: gains of layer
 * normalizations would be 0 too.
 *
 * @param first Numbers the networks, as in {@linkcode numbered}.
 */
export function orthogonal(first: number, gain: number): Initial {
  return (shapes, seed, member) =>
    new Map(shapes.map(({ name, rows, segments, vector }, i) => {
      const columns = segments.reduce((total, width) => total + width, 0);
      if (vector) return [name, new Float32Array(rows * columns)] as const;
      const [count, length] = rows < columns ? [rows, columns] : [columns, rows];
      const step = (first + member) * 1024 + i;
      const basis = orthonormal(normal(seed, streams.initialization, step, rows * columns), length);
      const values = new Float32Array(rows * columns);
      for (let vector = 0; vector < count; vector++) {
        for (let entry = 0; entry < length; entry++) {
          const [row, column] = rows < columns ? [vector, entry] : [entry, vector];
          values[row * columns + column] = gain * basis[vector * length + entry]!;
        }
      }
      return [name, values] as const;
    }));
}

/**
 * Weights by Glorot and Bengio (2010), uniform in ±√(6 / (inputs + outputs)), or by LeCun as Flax
 * draws them: a normal distribution truncated at two standard deviations, with variance 1 / inputs.
 * Layer normalizations start with gain 1 and shift 0, biases with 0.
 *
 * @param first Numbers the networks, as in {@linkcode numbered}.
 * @param isLecun Returns whether the weight of this name uses LeCun's initialization.
 */
export function glorot(first: number, isLecun: (name: string) => boolean = () => false): Initial {
  return (shapes, seed, member) =>
    new Map(shapes.map((shape, i) => {
      const { name, rows, segments, vector } = shape;
      const columns = segments.reduce((total, width) => total + width, 0);
      const count = rows * columns;
      if (vector) return [name, new Float32Array(count).fill(name.endsWith(".weight") ? 1 : 0)];
      const step = (first + member) * 1024 + i;
      if (isLecun(name)) {
        const deviation = Math.sqrt(1 / columns) / truncatedDeviation;
        return [name, truncatedNormal(seed, step, count).map((z) => deviation * z)];
      }
      const bound = Math.sqrt(6 / (rows + columns));
      const numbers = uniform(seed, streams.initialization, step, count);
      return [name, Float32Array.from(numbers, (u) => (2 * u - 1) * bound)];
    }));
}

/** Standard deviation of the standard normal distribution truncated at ±2. */
const truncatedDeviation = 0.8796256610342398;

/** Draws from the standard normal distribution truncated at ±2. */
function truncatedNormal(seed: number, step: number, count: number): Float32Array {
  // One in 22 lies outside: twice as many and some more have enough inside.
  const numbers = normal(seed, streams.initialization, step, 2 * count + 16);
  return Float32Array.from(numbers.filter((z) => Math.abs(z) <= 2).subarray(0, count));
}

/** Makes vectors of `length` entries orthonormal, one after another (Gram–Schmidt). */
function orthonormal(vectors: Float64Array, length: number): Float64Array {
  const vectorAt = (i: number) => vectors.subarray(i * length, (i + 1) * length);
  const dot = (a: Float64Array, b: Float64Array) => {
    let sum = 0;
    for (let i = 0; i < length; i++) sum += a[i]! * b[i]!;
    return sum;
  };
  for (let i = 0; i * length < vectors.length; i++) {
    const vector = vectorAt(i);
    // A second pass removes what rounding left in the first.
    for (let pass = 0; pass < 2; pass++) {
      for (let j = 0; j < i; j++) {
        const earlier = vectorAt(j);
        const along = dot(vector, earlier);
        for (let k = 0; k < length; k++) vector[k]! -= along * earlier[k]!;
      }
    }
    const norm = Math.sqrt(dot(vector, vector));
    for (let k = 0; k < length; k++) vector[k]! /= norm;
  }
  return vectors;
}

/** Initializes a family with a single parameter by {@linkcode initialFrequencies}. */
export function frequencyValues(scale: number): Initial {
  return (shapes, seed) => {
    const [{ name, segments }] = shapes as [ParameterShape];
    return new Map([[name, initialFrequencies(seed, segments[0]!, scale)]]);
  };
}

/**
 * Returns random Fourier frequencies `[count]`, normally distributed with standard deviation
 * `scale`.
 */
export function initialFrequencies(seed: number, count: number, scale: number): Float32Array {
  return Float32Array.from(normal(seed, streams.fourier, 0, count), (z) => z * scale);
}
