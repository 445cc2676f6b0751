/**
 * Policies on the GPU. One program computes the whole action, including the candidates and the
 * choice among them. It computes the actions of a batch of observations in one submission.
 *
 * @module
 */
import { readTensor, writeInput } from "../autodiff/compile.ts";
import type { Engine } from "../autodiff/engine.ts";
import { Graph } from "../autodiff/graph.ts";
import type { ParameterSet, ParameterValues } from "../autodiff/parameters.ts";
import type { ParameterStore } from "../autodiff/parameter_store.ts";
import type { Tensor } from "../autodiff/tensor.ts";
import type { Program } from "../gpu/program.ts";
import type { Draws, PolicyFacts, RemotePolicy } from "./host/policy.ts";

/** A policy that can be described in a graph. */
export interface GraphActor extends PolicyFacts {
  /**
   * Number of standard normal draws per action. The policy uses them in the same order as on the
   * CPU.
   */
  readonly draws: number;
  /** Maximum observations per submission. It determines the memory of the program. */
  readonly mostRows: number;
  /** Storage of the networks' parameters, for one replica. */
  readonly store: ParameterStore;
  /** The networks, with the parameter values of each replica. */
  readonly networks: readonly {
    readonly parameters: ParameterSet;
    readonly values: readonly ParameterValues[];
  }[];
  /**
   * Describes the policy.
   *
   * @param observations `[1, rows, observationSize]`.
   * @param draws `[1, rows, draws]`.
   * @returns Actions `[1, rows, actionSize]`, and the policy's additional inputs with their values.
   */
  describe(graph: Graph, observations: Tensor, draws: Tensor): {
    readonly actions: Tensor;
    readonly inputs: readonly (readonly [Tensor, Float32Array])[];
  };
}

/** A program for at most `rows` observations. */
interface Compiled {
  readonly program: Program;
  readonly rows: number;
  readonly observations: Tensor;
  readonly draws: Tensor;
  readonly actions: Tensor;
}

/** A policy on the GPU. Its actions match those of the same policy on the CPU to 1e-5. */
export class GraphPolicy implements RemotePolicy {
  readonly observationSize: number;
  readonly actionSize: number;
  readonly flops?: number;
  readonly #engine: Engine;
  readonly #actor: GraphActor;
  readonly #programs = new Map<number, Promise<Compiled>>();
  #written = false;

  /** Creates the policy of an actor. Programs are compiled when first needed. */
  constructor(engine: Engine, actor: GraphActor) {
    this.#engine = engine;
    this.#actor = actor;
    this.observationSize = actor.observationSize;
    this.actionSize = actor.actionSize;
    if (actor.flops !== undefined) this.flops = actor.flops;
  }

  /** See {@linkcode RemotePolicy.act}. */
  async act(observations: Float64Array, random: readonly Draws[]): Promise<Float64Array> {
    const { observationSize, actionSize, mostRows } = this.#actor;
    const rows = observations.length / observationSize;
    const actions = new Float64Array(rows * actionSize);
    for (let first = 0; first < rows; first += mostRows) {
      const count = Math.min(mostRows, rows - first);
      const part = observations.subarray(
        first * observationSize,
        (first + count) * observationSize,
      );
      const found = await this.#actTogether(part, random.slice(first, first + count));
      actions.set(found, first * actionSize);
    }
    return actions;
  }

  async #actTogether(
    observations: Float64Array,
    random: readonly Draws[],
  ): Promise<Float32Array> {
    const count = random.length;
    const rows = Math.min(this.#actor.mostRows, roundedUp(count));
    const compiled = await this.#compiled(rows);
    const { program } = compiled;
    const { draws } = this.#actor;
    const numbers = new Float32Array(rows * draws);
    random.forEach((stream, row) => {
      for (let i = 0; i < draws; i++) numbers[row * draws + i] = stream.normal();
    });
    const seen = new Float32Array(rows * this.observationSize);
    seen.set(observations);
    writeInput(program, compiled.observations, seen);
    writeInput(program, compiled.draws, numbers);
    const [, actions] = await Promise.all([
      program.submit(0, 1),
      readTensor(program, compiled.actions),
    ]);
    return actions.subarray(0, count * this.actionSize);
  }

  #compiled(rows: number): Promise<Compiled> {
    const known = this.#programs.get(rows);
    if (known) return known;
    const compiled = this.#compile(rows);
    this.#programs.set(rows, compiled);
    // A failed compilation, for example for lack of memory, is not remembered.
    compiled.catch(() => this.#programs.delete(rows));
    return compiled;
  }

  async #compile(rows: number): Promise<Compiled> {
    const { draws, describe } = this.#actor;
    const graph = new Graph({ seeds: [0], store: this.#actor.store });
    const observations = graph.input(rows, this.observationSize);
    const drawn = graph.input(rows, draws);
    const { actions, inputs } = describe(graph, observations, drawn);
    const program = await this.#engine.compile(graph, [actions]);
    this.#writeNetworks();
    for (const [tensor, values] of inputs) writeInput(program, tensor, values);
    return { program, rows, observations, draws: drawn, actions };
  }

  /** Writes the networks once, after the first compilation has allocated their store. */
  #writeNetworks(): void {
    if (this.#written) return;
    const { store, networks } = this.#actor;
    for (const { parameters, values } of networks) {
      values.forEach((each, replica) => parameters.write(store, replica, each));
    }
    this.#written = true;
  }

  /** Frees the memory of the programs and the networks. */
  async [Symbol.asyncDispose](): Promise<void> {
    // Whoever asked for a program has got the error of its compilation.
    for (const compiled of await Promise.allSettled(this.#programs.values())) {
      if (compiled.status === "fulfilled") compiled.value.program.destroy();
    }
    this.#programs.clear();
    this.#actor.store.destroy();
  }
}

/**
 * Rounds up to a number with four significant bits: 1 to 16, 18, 20 and so on to 32, 36, 40.
 * Episodes end one by one. To compile a program for every count would take longer than it saves:
 * about as long as one of IDQL's actions.
 */
function roundedUp(count: number): number {
  const unit = 2 ** Math.max(0, Math.floor(Math.log2(count)) - 3);
  return Math.ceil(count / unit) * unit;
}
