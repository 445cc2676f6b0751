/**
 * The diffusion behavior model on the CPU, for inference: without dropout.
 *
 * @module
 */
import { UserError } from "../../errors.ts";
import { type BehaviorDetails, srpoDetails } from "../behavior_details.ts";
import type { BehaviorShape } from "../behavior_model.ts";
import { layerNorm } from "./layer_norm.ts";
import { Linear } from "./linear.ts";
import { mish } from "./mish.ts";
import { type NamedTensors, tensor } from "./tensors.ts";

/** One residual block: h + fc2(activation(fc1(LN(h)))). */
interface Block {
  readonly gain: Float32Array;
  readonly shift: Float32Array;
  readonly widen: Linear;
  readonly narrow: Linear;
}

/** Intermediate arrays, allocated for the largest number of rows so far. */
interface Workspace {
  readonly features: Float32Array;
  readonly hiddenCondition: Float32Array;
  readonly condition: Float32Array;
  readonly input: Float32Array;
  readonly stream: Float32Array;
  readonly normalized: Float32Array;
  readonly wide: Float32Array;
  readonly branch: Float32Array;
  readonly noise: Float32Array;
}

/**
 * ε̂(x, t | s): a residual network of action, state and embedded time. The time features are sin
 * and cos of 2π t W, embedded by two linear layers with an activation between them.
 */
export class NoiseModel {
  /** Number of entries in an action and in the predicted noise. */
  readonly actionSize: number;
  /** Number of entries in a state. */
  readonly stateSize: number;
  /** Activation and layer normalization. */
  readonly details: BehaviorDetails;
  readonly #frequencies: Float32Array;
  readonly #condition: readonly [Linear, Linear];
  readonly #enter: Linear;
  readonly #blocks: readonly Block[];
  readonly #leave: Linear;
  #rows = 0;
  #space: Workspace | null = null;

  /**
   * Takes the tensors `<name>.embed.0.W`, `<name>.cond_model.{0,2}.*`, `<name>.main.fc.*`,
   * `<name>.main.blocks.<i>.{layer_norm,fc1,fc2}.*` (for all blocks present) and
   * `<name>.main.out_fc.*`.
   *
   * @throws {UserError} A tensor is missing, has a wrong shape or belongs to a block after a gap.
   */
  constructor(from: NamedTensors, name: string, details: BehaviorDetails = srpoDetails) {
    this.details = details;
    this.#frequencies = tensor(from, `${name}.embed.0.W`, [null]).data;
    const first = new Linear(from, `${name}.cond_model.0`, {
      inputs: 2 * this.#frequencies.length,
    });
    const second = new Linear(from, `${name}.cond_model.2`, { inputs: first.outputs });
    this.#condition = [first, second];
    this.#enter = new Linear(from, `${name}.main.fc`);
    const width = this.#enter.outputs;
    const blocks: Block[] = [];
    while (from.tensors.has(`${name}.main.blocks.${blocks.length}.fc1.weight`)) {
      const block = `${name}.main.blocks.${blocks.length}`;
      const widen = new Linear(from, `${block}.fc1`, { inputs: width });
      const narrow = new Linear(from, `${block}.fc2`, { inputs: widen.outputs });
      if (narrow.outputs !== width) {
        throw new UserError(
          `${from.source}: tensor ${block}.fc2.weight should have ${width} output entries, the ` +
            `width of the residual stream, but has ${narrow.outputs}`,
        );
      }
      blocks.push({
        gain: tensor(from, `${block}.layer_norm.weight`, [width]).data,
        shift: tensor(from, `${block}.layer_norm.bias`, [width]).data,
        widen,
        narrow,
      });
    }
    const pattern = new RegExp(`^${name.replaceAll(".", "\\.")}\\.main\\.blocks\\.(\\d+)\\.`);
    const stray = [...from.tensors.keys()]
      .find((key) => Number(pattern.exec(key)?.[1]) >= blocks.length);
    if (stray !== undefined) {
      throw new UserError(
        `${from.source}: unexpected tensor ${stray}; found ${blocks.length} residual blocks`,
      );
    }
    this.#blocks = blocks;
    this.#leave = new Linear(from, `${name}.main.out_fc`, { inputs: width });
    this.actionSize = this.#leave.outputs;
    this.stateSize = this.#enter.inputs - this.actionSize - second.outputs;
    if (this.stateSize < 0) {
      throw new UserError(
        `${from.source}: tensor ${name}.main.fc.weight takes ${this.#enter.inputs} entries, fewer ` +
          `than the action (${this.actionSize}) and the time embedding (${second.outputs}) together`,
      );
    }
  }

  /** Sizes of the network. */
  get shape(): BehaviorShape {
    return {
      actionSize: this.actionSize,
      observationSize: this.stateSize,
      width: this.#enter.outputs,
      blocks: this.#blocks.length,
      frequencies: this.#frequencies.length,
      embedding: this.#condition[1].outputs,
    };
  }

  /**
   * Returns the Fourier features of times, which the network embeds.
   *
   * @param times `[rows]`.
   * @returns `[rows, 2 frequencies]`: sin, then cos of 2π t W.
   */
  features(times: Float32Array): Float32Array {
    const half = this.#frequencies.length;
    const features = new Float32Array(times.length * 2 * half);
    this.#feature(times, features);
    return features;
  }

  /**
   * Predicts the noise in noised actions. Memory is allocated only when `rows` exceeds all previous
   * calls.
   *
   * @param actions `[rows, actionSize]`, noised: α_t a + σ_t ε.
   * @param states `[rows, stateSize]`.
   * @param times `[rows]`, or a single time for all rows.
   * @returns `[rows, actionSize]`; the array may be longer. The next call overwrites it.
   */
  predict(
    actions: Float32Array,
    states: Float32Array,
    times: Float32Array,
    rows: number,
  ): Float32Array {
    const space = this.#spaceFor(rows);
    this.#embed(times, space);
    const shared = times.length === 1 ? 0 : 1;
    const { actionSize, stateSize } = this;
    const conditionSize = this.#condition[1].outputs;
    const inputs = this.#enter.inputs;
    for (let row = 0; row < rows; row++) {
      let at = row * inputs;
      for (let i = 0; i < actionSize; i++) space.input[at++] = actions[row * actionSize + i]!;
      for (let i = 0; i < stateSize; i++) space.input[at++] = states[row * stateSize + i]!;
      const from = row * shared * conditionSize;
      for (let i = 0; i < conditionSize; i++) space.input[at++] = space.condition[from + i]!;
    }
    const { stream, normalized, wide, branch, noise } = space;
    const { epsilon } = this.details;
    const activate = activations[this.details.activation];
    const width = this.#enter.outputs;
    this.#enter.forward(space.input, rows, stream);
    for (const { widen, narrow, ...norm } of this.#blocks) {
      layerNorm(stream, norm, epsilon, rows, normalized);
      widen.forward(normalized, rows, wide);
      activate(wide, rows * widen.outputs);
      narrow.forward(wide, rows, branch);
      for (let i = 0; i < rows * width; i++) stream[i] = stream[i]! + branch[i]!;
    }
    activate(stream, rows * width);
    this.#leave.forward(stream, rows, noise);
    return noise;
  }

  #embed(times: Float32Array, space: Workspace): void {
    this.#feature(times, space.features);
    const [first, second] = this.#condition;
    first.forward(space.features, times.length, space.hiddenCondition);
    activations[this.details.activation](space.hiddenCondition, times.length * first.outputs);
    second.forward(space.hiddenCondition, times.length, space.condition);
  }

  #feature(times: Float32Array, features: Float32Array): void {
    const frequencies = this.#frequencies;
    const half = frequencies.length;
    for (let row = 0; row < times.length; row++) {
      for (let i = 0; i < half; i++) {
        const phase = 2 * Math.PI * times[row]! * frequencies[i]!;
        features[row * 2 * half + i] = Math.sin(phase);
        features[row * 2 * half + half + i] = Math.cos(phase);
      }
    }
  }

  #spaceFor(rows: number): Workspace {
    if (this.#space !== null && rows <= this.#rows) return this.#space;
    const [first, second] = this.#condition;
    const array = (width: number) => new Float32Array(rows * width);
    const width = this.#enter.outputs;
    this.#rows = rows;
    this.#space = {
      features: array(2 * this.#frequencies.length),
      hiddenCondition: array(first.outputs),
      condition: array(second.outputs),
      input: array(this.#enter.inputs),
      stream: array(width),
      normalized: array(width),
      wide: array(Math.max(0, ...this.#blocks.map(({ widen }) => widen.outputs))),
      branch: array(width),
      noise: array(this.actionSize),
    };
    return this.#space;
  }
}

/** Activations in place, of the first `count` values. */
const activations = { mish, silu } as const;

/** SiLU in place: x / (1 + e⁻ˣ). */
function silu(values: Float32Array, count: number): void {
  for (let i = 0; i < count; i++) values[i] = values[i]! / (1 + Math.exp(-values[i]!));
}
