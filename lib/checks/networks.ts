/**
 * The networks in double precision.
 *
 * @module
 */
import { fourierFeaturesReference } from "../autodiff/ops/fourier_features.ts";
import { layerNormReference } from "../autodiff/ops/layer_norm.ts";
import { affine, beside, map, type Matrix, mish, relu, zip } from "../autodiff/matrix.ts";

/** Parameters of one network by name. A vector is a matrix with one row. */
export type NetworkValues = ReadonlyMap<string, Matrix>;

function layer(network: NetworkValues, name: string, x: Matrix): Matrix {
  return affine(x, network.get(`${name}.weight`)!, network.get(`${name}.bias`)!);
}

/** Applies a perceptron with ReLU between its layers. */
export function perceptron(network: NetworkValues, x: Matrix): Matrix {
  const layers = network.size / 2;
  let h = x;
  for (let i = 0; i < layers; i++) {
    h = layer(network, String(2 * i), h);
    if (i < layers - 1) h = map(h, relu);
  }
  return h;
}

/** Applies a policy: a perceptron with a final tanh. */
export function tanhPolicy(network: NetworkValues, state: Matrix): Matrix {
  return map(perceptron(network, state), Math.tanh);
}

/**
 * Applies the noise prediction network. `keep` returns the dropout factor of each entry of a
 * block's input.
 */
export function noiseModel(
  network: NetworkValues,
  frequencies: Matrix,
  { action, state, t }: Record<"action" | "state" | "t", Matrix>,
  keep?: (block: number) => Matrix,
): Matrix {
  const features = fourierFeaturesReference(t, frequencies);
  const embedding = layer(
    network,
    "cond_model.2",
    map(layer(network, "cond_model.0", features), mish),
  );
  let h = layer(network, "main.fc", beside(action, state, embedding));
  for (let block = 0; network.has(`main.blocks.${block}.fc1.weight`); block++) {
    const name = `main.blocks.${block}`;
    const dropped = keep ? zip(h, keep(block), (value, factor) => value * factor) : h;
    const normal = layerNormReference(
      dropped,
      network.get(`${name}.layer_norm.weight`)!,
      network.get(`${name}.layer_norm.bias`)!,
    );
    const branch = layer(network, `${name}.fc2`, map(layer(network, `${name}.fc1`, normal), mish));
    h = zip(h, branch, (a, b) => a + b);
  }
  return layer(network, "main.out_fc", map(h, mish));
}
