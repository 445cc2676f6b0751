/** Actors for the tests of exports, which cover every part of the actor format. */
import { type Actor, readActor } from "../../lib/nn/host/actor.ts";
import { normal } from "../../lib/autodiff/random.ts";
import type { SafeTensor } from "../../lib/runs/safetensors.ts";
import { mlpTensors } from "../nn/host/networks.ts";

/** ReLU layers and a tanh output, as SRPO trains them. */
export const plain = readActor({
  source: "plain",
  tensors: mlpTensors("net", 11, 32, 32, 3),
  metadata: {},
});

/** Normalized and clipped observations, tanh layers without bias, clipped and scaled actions. */
export const scaled = readActor({
  source: "scaled",
  tensors: new Map<string, SafeTensor>([
    ...[...mlpTensors("net", 5, 16, 2)].filter(([name]) => !name.endsWith("bias")),
    ["obs_rms.mean", { dtype: "F64", shape: [5], data: Float64Array.of(1, -20, 0.5, 0, 3) }],
    ["obs_rms.var", { dtype: "F64", shape: [5], data: Float64Array.of(4, 0.25, 100, 1, 1e-3) }],
  ]),
  metadata: {
    activation: "tanh",
    output: "clip",
    bias: "none",
    obs_epsilon: "1e-8",
    obs_clip: "1.5",
    action_low: "[-2, 0]",
    action_high: "[2, 5]",
  },
});

/** A single linear layer whose outputs are not limited. */
export const linear = readActor({
  source: "linear",
  tensors: mlpTensors("net", 4, 2),
  metadata: { output: "none" },
});

/** Returns `rows` float32 observations, spread widely enough to reach every limit. */
export function observationsFor({ network, normalization }: Actor, rows: number): Float32Array {
  const { inputs } = network;
  return Float32Array.from(
    normal(1, 16, 0, rows * inputs),
    (value, i) =>
      normalization === null
        ? 2 * value
        : normalization.mean[i % inputs]! + 2 * value * normalization.scale[i % inputs]!,
  );
}
