/**
 * Writes an actor as an ONNX model. Field numbers are those of `onnx.proto`.
 *
 * @module
 */
import type { Actor } from "../nn/host/actor.ts";
import { bytesField, message, textField, varintField } from "../protobuf.ts";
import { version } from "../version.ts";
import { parityVectors } from "./parity.ts";

/** Version of the file format: that of ONNX 1.8, which every runtime since 2020 reads. */
const irVersion = 7;
/** Version of the operators: the first with Clip, Gemm and Tanh as they still are. */
const opset = 13;
/** `TensorProto.DataType.FLOAT` */
const float = 1;
/** Name of the size of the batch axis. */
const batch = "batch";

/** Names of the model's input and output. */
export const onnxNames = { input: "observation", output: "action" } as const;

/**
 * Returns an ONNX model with the input `observation`, float32 `[batch, inputs]`, and the output
 * `action`, float32 `[batch, outputs]`. Normalization of observations and scaling of actions are
 * part of the graph. The metadata contain four parity vectors as JSON: `parity_observations` and
 * `parity_actions`.
 */
export function onnxModel(actor: Actor): Uint8Array<ArrayBuffer> {
  const { network, normalization, bounds } = actor;
  const nodes: Uint8Array[] = [];
  const constants: Uint8Array[] = [];
  const constant = (name: string, shape: readonly number[], values: ArrayLike<number>): string => {
    constants.push(bytesField(5, tensorProto(name, shape, values)));
    return name;
  };
  let value: string = onnxNames.input;
  const apply = (
    name: string,
    operator: string,
    inputs: readonly string[] = [],
    transposed = false,
  ) => {
    nodes.push(bytesField(1, nodeProto(name, operator, [value, ...inputs], transposed)));
    value = name;
  };

  if (normalization !== null) {
    const { mean, scale, clip } = normalization;
    apply("centered", "Sub", [constant("observation_mean", [mean.length], mean)]);
    apply("normalized", "Div", [constant("observation_scale", [scale.length], scale)]);
    if (clip < Infinity) {
      apply("clipped", "Clip", [
        constant("lowest_observation", [], [-clip]),
        constant("highest_observation", [], [clip]),
      ]);
    }
  }
  network.layers.forEach(({ weight, bias, inputs, outputs }, depth) => {
    const last = depth === network.layers.length - 1;
    apply(`linear_${depth}`, "Gemm", [
      constant(`weight_${depth}`, [outputs, inputs], weight),
      constant(`bias_${depth}`, [outputs], bias),
    ], true);
    const activation = last ? network.output : network.activation;
    if (activation === "relu") apply(`relu_${depth}`, "Relu");
    if (activation === "tanh") apply(`tanh_${depth}`, "Tanh");
    if (activation === "clip") {
      apply("unit_action", "Clip", [
        constant("lowest_action", [], [-1]),
        constant("highest_action", [], [1]),
      ]);
    }
  });
  if (bounds !== null) {
    const { low, high } = bounds;
    const half = low.map((value, i) => (high[i]! - value) / 2);
    apply("scaled_action", "Mul", [constant("action_half_range", [half.length], half)]);
    const middle = low.map((value, i) => value + half[i]!);
    apply("shifted_action", "Add", [constant("action_middle", [middle.length], middle)]);
  }
  apply(onnxNames.output, "Identity");

  const { observations, actions } = parityVectors(actor, 4);
  const json = (rows: readonly ArrayLike<number>[]) =>
    JSON.stringify(rows.map((row) => Array.from(row)));
  return message([
    varintField(1, irVersion),
    textField(2, "srpo-webgpu"),
    textField(3, version),
    bytesField(
      7,
      message([
        ...nodes,
        textField(2, "actor"),
        ...constants,
        bytesField(11, valueInfo(onnxNames.input, network.inputs)),
        bytesField(12, valueInfo(onnxNames.output, network.outputs)),
      ]),
    ),
    bytesField(8, message([textField(1, ""), varintField(2, opset)])),
    bytesField(
      14,
      message([textField(1, "parity_observations"), textField(2, json(observations))]),
    ),
    bytesField(14, message([textField(1, "parity_actions"), textField(2, json(actions))])),
  ]);
}

/** `NodeProto`. For Gemm, `transposed` sets the attribute transB: y = x Wᵀ + b. */
function nodeProto(
  output: string,
  operator: string,
  inputs: readonly string[],
  transposed: boolean,
): Uint8Array {
  const integer = 2;
  return message([
    ...inputs.map((name) => textField(1, name)),
    textField(2, output),
    textField(3, output),
    textField(4, operator),
    ...(transposed
      ? [
        bytesField(
          5,
          message([textField(1, "transB"), varintField(3, 1), varintField(20, integer)]),
        ),
      ]
      : []),
  ]);
}

/** `TensorProto` with float32 values. */
function tensorProto(
  name: string,
  shape: readonly number[],
  values: ArrayLike<number>,
): Uint8Array {
  const bytes = new Uint8Array(4 * values.length);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < values.length; i++) view.setFloat32(4 * i, values[i]!, true);
  return message([
    ...shape.map((size) => varintField(1, size)),
    varintField(2, float),
    textField(8, name),
    bytesField(9, bytes),
  ]);
}

/** `ValueInfoProto` of a float32 matrix with one row per element of the batch. */
function valueInfo(name: string, columns: number): Uint8Array {
  const shape = message([
    bytesField(1, message([textField(2, batch)])),
    bytesField(1, message([varintField(1, columns)])),
  ]);
  const tensorType = message([varintField(1, float), bytesField(2, shape)]);
  return message([textField(1, name), bytesField(2, message([bytesField(1, tensorType)]))]);
}
