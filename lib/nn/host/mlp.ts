/**
 * Multi-layer perceptrons on the CPU: policies, Q and V.
 *
 * @module
 */
import { UserError } from "../../errors.ts";
import { Linear } from "./linear.ts";
import type { NamedTensors } from "./tensors.ts";

/** Activations of the hidden layers. */
export const activations = ["relu", "tanh"] as const;

/** One of {@linkcode activations}. */
export type Activation = (typeof activations)[number];

/** Activations of the output layer. `clip` limits each output to [−1, 1]. */
export const outputActivations = ["tanh", "clip", "none"] as const;

/** One of {@linkcode outputActivations}. */
export type OutputActivation = (typeof outputActivations)[number];

/** Linear layers with activations between them. */
export class Mlp {
  /** Number of entries in an input row. */
  readonly inputs: number;
  /** Number of entries in an output row. */
  readonly outputs: number;
  /** The linear layers in order. */
  readonly layers: readonly Linear[];
  /** Activation between the layers. */
  readonly activation: "relu" | "tanh";
  /** Activation of the output layer; `clip` limits each output to [−1, 1]. */
  readonly output: "tanh" | "clip" | "none";
  /** Output of each layer, allocated for the largest number of rows so far. */
  #values: Float32Array[] = [];
  #rows = 0;

  /**
   * Takes the tensors `<name>.0.weight`, `<name>.0.bias`, `<name>.2.weight`, … of all layers
   * present. The indices are even because PyTorch's `Sequential` also counts the activations.
   *
   * @param output Activation of the output layer.
   * @param options.activation Activation of the hidden layers; defaults to ReLU.
   * @param options.bias Whether the layers have biases; defaults to true.
   * @throws {UserError} The first layer is missing, or a layer does not fit the previous one.
   */
  constructor(
    from: NamedTensors,
    name: string,
    output: OutputActivation,
    { activation = "relu", bias = true }: {
      readonly activation?: Activation;
      readonly bias?: boolean;
    } = {},
  ) {
    const layers = [new Linear(from, `${name}.0`, { bias })];
    while (from.tensors.has(`${name}.${2 * layers.length}.weight`)) {
      const inputs = layers.at(-1)!.outputs;
      layers.push(new Linear(from, `${name}.${2 * layers.length}`, { inputs, bias }));
    }
    const pattern = new RegExp(`^${name.replaceAll(".", "\\.")}\\.(\\d+)\\.(weight|bias)$`);
    const stray = [...from.tensors.keys()].find((key) => {
      const index = pattern.exec(key)?.[1];
      return index !== undefined &&
        (Number(index) % 2 === 1 || Number(index) >= 2 * layers.length ||
          (!bias && key.endsWith(".bias")));
    });
    if (stray !== undefined) {
      throw new UserError(
        `${from.source}: unexpected tensor ${stray}; found ${layers.length} linear layers ` +
          `${name}.0, ${name}.2, …${bias ? "" : " without bias"}, which alternate with activations`,
      );
    }
    this.inputs = layers[0]!.inputs;
    this.outputs = layers.at(-1)!.outputs;
    this.layers = layers;
    this.activation = activation;
    this.output = output;
  }

  /** Number of entries in the input and in each layer's output. */
  get sizes(): number[] {
    return [this.inputs, ...this.layers.map(({ outputs }) => outputs)];
  }

  /**
   * Computes `rows` rows. Memory is allocated only when `rows` exceeds all previous calls.
   *
   * @param input `[rows, inputs]`, row-major.
   * @returns `[rows, outputs]`; the array may be longer. The next call overwrites it.
   */
  forward(input: Float32Array, rows: number): Float32Array {
    if (rows > this.#rows) {
      this.#values = this.layers.map(({ outputs }) => new Float32Array(rows * outputs));
      this.#rows = rows;
    }
    let values = input;
    for (let depth = 0; depth < this.layers.length; depth++) {
      const layer = this.layers[depth]!;
      const next = this.#values[depth]!;
      layer.forward(values, rows, next);
      const count = rows * layer.outputs;
      apply(depth < this.layers.length - 1 ? this.activation : this.output, next, count);
      values = next;
    }
    return values;
  }
}

/** Applies an activation in place to the first `count` values. */
function apply(
  activation: Activation | OutputActivation,
  values: Float32Array,
  count: number,
): void {
  switch (activation) {
    case "relu":
      for (let i = 0; i < count; i++) if (values[i]! < 0) values[i] = 0;
      return;
    case "tanh":
      for (let i = 0; i < count; i++) values[i] = Math.tanh(values[i]!);
      return;
    case "clip":
      for (let i = 0; i < count; i++) values[i] = Math.max(-1, Math.min(1, values[i]!));
      return;
    case "none":
      return;
  }
}

/** Two Q-functions of state and action, combined by their minimum (clipped double Q-learning). */
export class TwinQ {
  /** Number of entries in a state. */
  readonly stateSize: number;
  /** Number of entries in an action. */
  readonly actionSize: number;
  readonly #first: Mlp;
  readonly #second: Mlp;
  #input = new Float32Array();

  /**
   * Takes the tensors `<name>.q1.*` and `<name>.q2.*`. Their input is the action followed by the
   * state, as in the official code.
   *
   * @throws {UserError} A tensor is missing or has a wrong shape.
   */
  constructor(from: NamedTensors, name: string, actionSize: number) {
    this.#first = new Mlp(from, `${name}.q1`, "none");
    this.#second = new Mlp(from, `${name}.q2`, "none");
    const inputs = this.#first.inputs;
    if (
      inputs <= actionSize || this.#second.inputs !== inputs || this.#first.outputs !== 1 ||
      this.#second.outputs !== 1
    ) {
      const shape = ({ inputs, outputs }: Mlp) => `${inputs} to ${outputs}`;
      throw new UserError(
        `${from.source}: ${name}.q1 and ${name}.q2 should both map an action of ${actionSize} ` +
          `entries and a state to 1 value, but they map ${shape(this.#first)} and ` +
          `${shape(this.#second)} entries`,
      );
    }
    this.stateSize = inputs - actionSize;
    this.actionSize = actionSize;
  }

  /** Number of entries in the input and in each layer's output, equal for both networks. */
  get sizes(): number[] {
    return this.#first.sizes;
  }

  /**
   * Computes the minimum of both Q-values.
   *
   * @param states `[rows, stateSize]`.
   * @param actions `[rows, actionSize]`.
   * @param values Receives `[rows]`.
   */
  minimum(states: Float32Array, actions: Float32Array, rows: number, values: Float32Array): void {
    const { stateSize, actionSize } = this;
    const width = stateSize + actionSize;
    if (this.#input.length < rows * width) this.#input = new Float32Array(rows * width);
    const input = this.#input;
    for (let row = 0; row < rows; row++) {
      for (let i = 0; i < actionSize; i++) input[row * width + i] = actions[row * actionSize + i]!;
      for (let i = 0; i < stateSize; i++) {
        input[row * width + actionSize + i] = states[row * stateSize + i]!;
      }
    }
    const first = this.#first.forward(input, rows);
    const second = this.#second.forward(input, rows);
    for (let row = 0; row < rows; row++) values[row] = Math.min(first[row]!, second[row]!);
  }
}
