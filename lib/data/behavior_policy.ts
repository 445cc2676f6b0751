/**
 * The behavior policy that some of D4RL's files carry, and the log-probabilities of their actions.
 *
 * `metadata/policy` holds the layers `fc0`, `fc1`, …, `last_fc` (the mean) and `last_fc_log_std`,
 * with weights `[outputs, inputs]`, the `nonlinearity` between them and the `output_distribution`.
 * `infos/action_log_probs` has what the collecting program logged. The source is D4RL's
 * `scripts/generation/mujoco/collect_data.py`, whose policies are rlkit's.
 *
 * @module
 */
import { UserError } from "../errors.ts";
import { Linear } from "../nn/host/linear.ts";
import type { NamedTensors } from "../nn/host/tensors.ts";
import type { D4rlFile } from "./hdf5.ts";

/** Field of the logged log-probabilities. */
export const logProbabilities = "infos/action_log_probs";

/** rlkit's limits of the logarithm of the standard deviation. */
const logStdLimits = [-20, 2] as const;

/** rlkit's limit of a tanh-transformed action's magnitude, where its inverse is still finite. */
const actionLimit = 0.999999;

/** A policy with normal noise, in its tanh if `squashed`. */
export class BehaviorPolicy {
  readonly #hidden: readonly Linear[];
  readonly #mean: Linear;
  readonly #logStd: Linear;
  readonly #activation: (value: number) => number;
  readonly #squashed: boolean;

  /**
   * Takes the layers `fc0`, `fc1`, …, `last_fc` and `last_fc_log_std`.
   *
   * @param nonlinearity `relu` or `tanh`.
   * @param distribution `gaussian` or `tanh_gaussian`.
   * @throws {UserError} If a layer is missing or does not fit, or a name is another one.
   */
  constructor(layers: NamedTensors, nonlinearity: string, distribution: string) {
    const activations: Record<string, (value: number) => number> = {
      relu: (value) => Math.max(0, value),
      tanh: Math.tanh,
    };
    const activation = activations[nonlinearity];
    if (activation === undefined || !/^(tanh_)?gaussian$/.test(distribution)) {
      throw new UserError(
        `${layers.source}: nonlinearity ${nonlinearity} and output distribution ${distribution}; ` +
          "expected relu or tanh, and gaussian or tanh_gaussian",
      );
    }
    const hidden = [new Linear(layers, "fc0")];
    while (layers.tensors.has(`fc${hidden.length}.weight`)) {
      hidden.push(new Linear(layers, `fc${hidden.length}`, { inputs: hidden.at(-1)!.outputs }));
    }
    const inputs = hidden.at(-1)!.outputs;
    this.#hidden = hidden;
    this.#mean = new Linear(layers, "last_fc", { inputs });
    this.#logStd = new Linear(layers, "last_fc_log_std", { inputs });
    this.#activation = activation;
    this.#squashed = distribution === "tanh_gaussian";
  }

  /** Number of entries in an observation. */
  get observationSize(): number {
    return this.#hidden[0]!.inputs;
  }

  /** Number of entries in an action. */
  get actionSize(): number {
    return this.#mean.outputs;
  }

  /**
   * Returns the logarithm of the density of actions.
   *
   * @param observations `[rows, observationSize]`.
   * @param actions `[rows, actionSize]`.
   * @returns `[rows]`.
   */
  logProbabilities(observations: Float32Array, actions: Float32Array, rows: number): Float64Array {
    let values = observations;
    for (const layer of this.#hidden) {
      const output = new Float32Array(rows * layer.outputs);
      layer.forward(values, rows, output);
      values = output.map(this.#activation);
    }
    const mean = new Float32Array(rows * this.actionSize);
    const logStd = new Float32Array(rows * this.actionSize);
    this.#mean.forward(values, rows, mean);
    this.#logStd.forward(values, rows, logStd);
    const found = new Float64Array(rows);
    for (let i = 0; i < rows * this.actionSize; i++) {
      const deviation = Math.min(logStdLimits[1], Math.max(logStdLimits[0], logStd[i]!));
      const action = this.#squashed
        ? Math.min(actionLimit, Math.max(-actionLimit, actions[i]!))
        : actions[i]!;
      const drawn = this.#squashed ? Math.atanh(action) : action;
      const z = (drawn - mean[i]!) / Math.exp(deviation);
      found[Math.floor(i / this.actionSize)]! += -0.5 * z * z - deviation -
        0.5 * Math.log(2 * Math.PI) - (this.#squashed ? Math.log1p(-action * action) : 0);
    }
    return found;
  }
}

/**
 * Returns the behavior policy in a file's metadata; null if it carries none.
 *
 * @throws {UserError} If a part of it is missing or does not fit the file's sizes.
 */
export function readBehaviorPolicy(file: D4rlFile): BehaviorPolicy | null {
  const prefix = "metadata/policy/";
  const names = file.fields.filter((field) => /^metadata\/policy\/.*\/(weight|bias)$/.test(field));
  if (names.length === 0) return null;
  const tensors = new Map(names.map((name) => {
    const { shape } = file.layout(name);
    const data = new Float32Array(shape.reduce((product, size) => product * size, 1));
    file.read(name, data);
    return [name.slice(prefix.length).replace("/", "."), { shape, data, dtype: "F32" as const }];
  }));
  const policy = new BehaviorPolicy(
    { source: `${file.path}, metadata/policy`, tensors },
    String(file.scalar(`${prefix}nonlinearity`)),
    String(file.scalar(`${prefix}output_distribution`)),
  );
  if (policy.observationSize === file.observationSize && policy.actionSize === file.actionSize) {
    return policy;
  }
  throw new UserError(
    `${file.path}: metadata/policy takes ${policy.observationSize} observation entries and has ` +
      `${policy.actionSize} action entries, but the data have ${file.observationSize} and ` +
      `${file.actionSize}`,
  );
}
