/**
 * The Diffusion-QL policy on the CPU. It samples candidates from the actor and draws one of them
 * with probability softmax(Q), where Q is the smaller output of the two target Q-networks.
 *
 * @module
 */
import { ancestralSteps, sampleAncestral } from "../../diffusion/ddpm.ts";
import { UserError } from "../../errors.ts";
import { flopsOfCandidates, flopsOfMlp } from "../../nn/flops.ts";
import { Linear } from "../../nn/host/linear.ts";
import { mish } from "../../nn/host/mish.ts";
import type { Policy } from "../../nn/host/policy.ts";
import { type NamedTensors, tensor } from "../../nn/host/tensors.ts";
import { embeddingSize, layers, timeFeatures } from "./layers.ts";

/** Linear layers with Mish activations between them. */
class Perceptron {
  readonly inputs: number;
  readonly outputs: number;
  readonly #layers: readonly Linear[];

  constructor(from: NamedTensors, names: readonly string[], inputs?: number) {
    const layers: Linear[] = [];
    for (const name of names) {
      const before = layers.at(-1)?.outputs ?? inputs;
      layers.push(new Linear(from, name, before === undefined ? {} : { inputs: before }));
    }
    this.#layers = layers;
    this.inputs = layers[0]!.inputs;
    this.outputs = layers.at(-1)!.outputs;
  }

  /** Number of entries in the input and in each layer's output. */
  get sizes(): number[] {
    return [this.inputs, ...this.#layers.map(({ outputs }) => outputs)];
  }

  forward(input: Float32Array, rows: number): Float32Array {
    return this.#layers.reduce((values, layer, i) => {
      const next = new Float32Array(rows * layer.outputs);
      layer.forward(values, rows, next);
      if (i < this.#layers.length - 1) mish(next, next.length);
      return next;
    }, input);
  }
}

/** The networks of a Diffusion-QL run that are needed for acting. */
export class Networks {
  /** Number of entries in a state. */
  readonly stateSize: number;
  /** Number of entries in an action. */
  readonly actionSize: number;
  /** β_1 … β_T. */
  readonly betas: readonly number[];
  /** Hidden units of all networks. */
  readonly width: number;
  readonly #noise: Perceptron;
  readonly #embedded: Float32Array;
  readonly #q: readonly [Perceptron, Perceptron];

  /**
   * Reads the networks from a checkpoint.
   *
   * @throws {UserError} If a tensor is missing or has the wrong shape, or the sizes of the actor
   * and the critic differ.
   */
  constructor(from: NamedTensors) {
    const at = (name: string) => (layer: string) => `${name}.${layer}`;
    const betas = tensor(from, "schedule.betas", [null]).data;
    const time = new Perceptron(from, layers.time.map(at("actor.model")), embeddingSize);
    this.#noise = new Perceptron(from, layers.noise.map(at("actor.model")));
    const critic = (name: string) =>
      new Perceptron(from, layers.q.map(at(name)), this.stateSize + this.actionSize);
    this.betas = [...betas];
    this.actionSize = this.#noise.outputs;
    this.stateSize = this.#noise.inputs - embeddingSize - this.actionSize;
    this.width = this.#noise.sizes[1]!;
    this.#q = [critic("critic_target.q1_model"), critic("critic_target.q2_model")];
    if (time.outputs !== embeddingSize || this.#q.some(({ outputs }) => outputs !== 1)) {
      throw new UserError(
        `${from.source}: expected ${embeddingSize} outputs of the time embedding and 1 of each ` +
          `Q-network, found ${time.outputs} and ${
            this.#q.map(({ outputs }) => outputs).join(", ")
          }`,
      );
    }
    this.#embedded = time.forward(timeFeatures(betas.length), betas.length);
  }

  /** Predicts the noise in x `[rows, actionSize]` at time t. All rows have the same state. */
  noise(x: Float32Array, state: Float64Array, t: number): Float32Array {
    const embedded = this.#embedded.subarray(t * embeddingSize, (t + 1) * embeddingSize);
    const rows = x.length / this.actionSize;
    const { inputs } = this.#noise;
    const input = new Float32Array(rows * inputs);
    for (let row = 0; row < rows; row++) {
      const action = x.subarray(row * this.actionSize, (row + 1) * this.actionSize);
      input.set(action, row * inputs);
      input.set(embedded, row * inputs + this.actionSize);
      input.set(state, row * inputs + this.actionSize + embeddingSize);
    }
    return this.#noise.forward(input, rows);
  }

  /** Returns the smaller target Q of each action `[rows, actionSize]` in one state. */
  q(actions: Float32Array, state: Float64Array): Float32Array {
    const width = this.stateSize + this.actionSize;
    const rows = actions.length / this.actionSize;
    const input = new Float32Array(rows * width);
    for (let row = 0; row < rows; row++) {
      input.set(state, row * width);
      const action = actions.subarray(row * this.actionSize, (row + 1) * this.actionSize);
      input.set(action, row * width + this.stateSize);
    }
    const [first, second] = this.#q.map((q) => q.forward(input, rows)) as [
      Float32Array,
      Float32Array,
    ];
    return first.map((value, row) => Math.min(value, second[row]!));
  }

  /** Returns the FLOPs of one action. */
  flops(candidates: number): number {
    const embedding = flopsOfMlp([embeddingSize, 2 * embeddingSize, embeddingSize]);
    return flopsOfCandidates({
      model: { time: embedding, row: flopsOfMlp(this.#noise.sizes) },
      q: flopsOfMlp(this.#q[0].sizes),
      heads: 2,
      candidates,
      steps: this.betas.length,
    });
  }
}

/**
 * Returns the policy. For each action it draws normal numbers in this order: the initial values of
 * all candidates, the noise of each sampling step except the last, and two numbers per candidate
 * for the choice.
 *
 * The chosen candidate maximizes Q − log E, where E is exponentially distributed. Candidate k is
 * then chosen with probability softmax(Q)_k (Gumbel, 1954). E is half the sum of the squares of two
 * normal numbers.
 */
export function diffusionPolicy(networks: Networks, candidates: number): Policy {
  const { stateSize, actionSize, betas } = networks;
  const steps = ancestralSteps(betas, "posterior");
  let actions = new Float64Array();
  return {
    observationSize: stateSize,
    actionSize,
    flops: networks.flops(candidates),
    act(observations, random) {
      const rows = observations.length / stateSize;
      if (actions.length !== rows * actionSize) actions = new Float64Array(rows * actionSize);
      for (let row = 0; row < rows; row++) {
        const state = observations.subarray(row * stateSize, (row + 1) * stateSize);
        const normal = () => random[row]!.normal();
        const x = Float32Array.from({ length: candidates * actionSize }, normal);
        sampleAncestral(x, (at, t) => networks.noise(at, state, t), steps, "prediction", normal);
        const scores = Array.from(
          networks.q(x, state),
          (value) => value - Math.log((normal() ** 2 + normal() ** 2) / 2),
        );
        let chosen = 0; // Also if the scores are NaN, as the actions then are.
        for (let k = 1; k < candidates; k++) if (scores[k]! > scores[chosen]!) chosen = k;
        actions.set(
          x.subarray(chosen * actionSize, (chosen + 1) * actionSize),
          row * actionSize,
        );
      }
      return actions;
    },
  };
}
