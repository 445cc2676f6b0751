import type { SafeTensor } from "../../../lib/runs/safetensors.ts";

function float(shape: readonly number[], salt: number): SafeTensor {
  const length = shape.reduce((product, size) => product * size, 1);
  const scale = 1 / Math.sqrt(shape.at(-1) ?? 1);
  const data = Float32Array.from({ length }, (_, i) => scale * Math.sin(salt + i * (salt + 1)));
  return { dtype: "F32", shape, data };
}

/** Returns the tensors of a linear layer, with weights computed by a formula. */
export function linearTensors(
  name: string,
  inputs: number,
  outputs: number,
): [string, SafeTensor][] {
  const salt = name.length + inputs;
  return [
    [`${name}.weight`, float([outputs, inputs], salt)],
    [`${name}.bias`, float([outputs], salt + 1)],
  ];
}

/** Returns the tensors of an MLP with the given sizes, named as in PyTorch's `Sequential`. */
export function mlpTensors(name: string, ...sizes: number[]): Map<string, SafeTensor> {
  return new Map(
    sizes.slice(1).flatMap((outputs, layer) =>
      linearTensors(`${name}.${2 * layer}`, sizes[layer]!, outputs)
    ),
  );
}

/** Returns the tensors of a diffusion model with one block. */
export function noiseModelTensors(
  name: string,
  stateSize: number,
  actionSize: number,
  width: number,
) {
  const layers: [string, number, number][] = [
    ["cond_model.0", 8, 6],
    ["cond_model.2", 6, 6],
    ["main.fc", actionSize + stateSize + 6, width],
    ["main.blocks.0.fc1", width, 4 * width],
    ["main.blocks.0.fc2", 4 * width, width],
    ["main.out_fc", width, actionSize],
  ];
  return new Map<string, SafeTensor>([
    [`${name}.embed.0.W`, float([4], 3)],
    [`${name}.main.blocks.0.layer_norm.weight`, float([width], 4)],
    [`${name}.main.blocks.0.layer_norm.bias`, float([width], 5)],
    ...layers.flatMap(([layer, inputs, outputs]) =>
      linearTensors(`${name}.${layer}`, inputs, outputs)
    ),
  ]);
}
