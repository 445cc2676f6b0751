/**
 * What an algorithm is: a value that says how it is trained, stage by stage, and how a trained run acts.
 * Runs, commands, sweeps, the stage cache, evaluations and pictures know algorithms only through it.
 *
 * @module
 */
import type { Graph } from "../autodiff/graph.ts";
import type { ParameterSet } from "../autodiff/parameters.ts";
import type { Tensor } from "../autodiff/tensor.ts";
import type { ReplayBuffer } from "../data/replay_buffer.ts";
import type { RewardRule } from "../data/rewards.ts";
import type { NamedTensors } from "../nn/host/tensors.ts";
import type { Initial } from "../nn/initialisation.ts";
import type { Optimizer } from "../optim/adam.ts";
import type { GraphActor } from "../nn/graph_policy.ts";
import type { HyperparameterTable, HyperparameterValues } from "./hyperparameters.ts";
import type { Policy } from "../nn/host/policy.ts";

/** One family of networks of a stage. */
export interface Network {
  /**
   * What precedes each parameter's name in files: one prefix for each of the networks that are
   * neighbouring replicas of one seed (twin Q-networks are two).
   */
  readonly prefixes: readonly string[];
  /** The parameters of all replicas. */
  readonly parameters: ParameterSet;
  /** Absent for networks that are not trained by gradients. */
  readonly optimizer?: Optimizer;
  /** Initial values. Absent for networks that come from an earlier stage. */
  readonly initial?: Initial;
}

/** One step of a stage as it was described. */
export interface Stage {
  /** All networks of the step. */
  readonly networks: readonly Network[];
  /**
   * Further graphs of the step, in the order in which they run after the one that was given: updates
   * that are not made in every step, or programs that share the networks. They have its seeds and its
   * store.
   */
  readonly more?: readonly Graph[];
  /** Intermediate results by name, for whoever wants to look. */
  readonly tensors: Readonly<Record<string, Tensor>>;
}

/** A part of training with a loss of its own: a step that is described once and repeated. */
export interface StageDefinition<H extends HyperparameterValues = HyperparameterValues> {
  /** Names the stage in flags (`--stage critic`), files and metrics. */
  readonly name: string;
  /** What it leaves, in words: `critic`, `behavior model`. */
  readonly product: string;
  /** Stages whose networks it takes over. */
  readonly needs: readonly string[];
  /** What is trained side by side: one replica a seed, or one for each variant of a sweep and seed. */
  readonly over: "seeds" | "variants";
  /**
   * Groups of the hyperparameter table that its result follows from, besides what the stages before
   * hand on. A finished stage is taken from the cache where these are the same.
   */
  readonly groups: readonly string[];
  /** The hyperparameter that gives its steps. */
  readonly steps: string;
  /** The hyperparameter that gives the rows of its minibatches. */
  readonly batchSize: string;
  /** The hyperparameters that its networks' shapes follow from, for stages that take them over. */
  readonly shapedBy?: readonly string[];
  /** The metrics that the progress line shows, in order. */
  readonly shown: readonly string[];
  /** The actor that is evaluated while and after it is trained; absent where it has none. */
  readonly evaluated?: string;
  /**
   * Describes a step on minibatches of `buffer`. What it needs may be imported here, so that a program
   * that only acts loads nothing of the GPU.
   *
   * @param h What all replicas share.
   * @param variants Hyperparameters of each of the graph's replicas; only swept ones differ from `h`.
   */
  describe(
    graph: Graph,
    buffer: ReplayBuffer,
    h: H,
    variants: readonly H[],
  ): Stage | Promise<Stage>;
}

/** A choice of whole numbers in how an actor acts, for example the candidates it draws. */
export interface ActorOption {
  /** One line for `--help`. */
  readonly help: string;
  /** Smallest value. */
  readonly min: number;
  /** Largest value. */
  readonly max: number;
  /** The value where none is given. */
  readonly fallback: number;
}

/** A way in which a trained run acts. */
export interface Actor {
  /** Names it for `eval --policy`. */
  readonly name: string;
  /** What tables call it. */
  readonly title: string;
  /** What acts, in a few words, for `--help`. */
  readonly help: string;
  /** A name that it had in an earlier version. */
  readonly formerName?: string;
  /** Stages whose checkpoints it acts from. */
  readonly needs: readonly string[];
  /**
   * Where it is one network in one stage's checkpoint, as docs/policies.md describes: what precedes
   * `net.` (and `obs_rms.`) in its tensors' names. Of an algorithm's own actor a run leaves them in
   * `policy.safetensors`, under their names without it.
   */
  readonly prefix?: string;
  /** What the metadata of such a file say of the network, where it is not the default. */
  readonly metadata?: Readonly<Record<string, string>>;
  /** Its options by name; each is a flag of `eval`. */
  readonly options: Readonly<Record<string, ActorOption>>;
  /**
   * The policy on the processor.
   *
   * @param checkpoints Tensors of the checkpoints of each stage that it needs.
   * @throws {UserError} A tensor is missing or of another shape.
   */
  act(
    checkpoints: Readonly<Record<string, NamedTensors>>,
    options: Readonly<Record<string, number>>,
  ): Policy;
  /**
   * The same policy as a part of a graph, for actors that gain by a GPU. It imports what it needs, so
   * that who acts on the processor loads nothing of the GPU.
   *
   * @returns Null where these options make too much for one program.
   * @throws {UserError} As {@linkcode act}.
   */
  describe?(
    checkpoints: Readonly<Record<string, NamedTensors>>,
    options: Readonly<Record<string, number>>,
  ): Promise<GraphActor | null>;
  /** How the published form of the method acts where this one differs, a sentence for `eval`. */
  readonly published?: string;
}

/** A hyperparameter of which one run can train several values side by side. */
export interface Sweepable {
  /** Name of the list, and of its flag without the dashes: `betas`. */
  readonly list: string;
  /** The hyperparameter. The stages of its group are trained over variants. */
  readonly hyperparameter: string;
  /** Names it in a variant's name: `beta-0.02`. */
  readonly label: string;
  /** One line for `--help`. */
  readonly help: string;
  /** What pictures call it. */
  readonly symbol: string;
  /** How pictures write a value. */
  text(value: number | string | boolean): string;
}

/** V of `rows` states, which are `[rows, observationSize]` row-major. */
export type StateValue = (states: Float32Array, rows: number) => Float32Array;

/** An algorithm. */
export interface Algorithm<H extends HyperparameterValues = HyperparameterValues> {
  /** Names it for `train --algorithm` and in `config.json`. */
  readonly name: string;
  /** What people call it. */
  readonly title: string;
  /** The publication that it is from. */
  readonly citation: string;
  /** Its hyperparameters. */
  readonly hyperparameters: HyperparameterTable<H>;
  /** The stages, each after those that it needs. */
  readonly stages: readonly StageDefinition<H>[];
  /** The ways to act; the first one is the algorithm's own. */
  readonly actors: readonly Actor[];
  /** What can be swept; the slowest to change first. */
  readonly sweeps: readonly Sweepable[];
  /** How the data's rewards become those trained on. */
  rewardRule(h: H): RewardRule;
  /** The state value that pictures of mazes show; absent where it learns none. */
  readonly value?: {
    /** The stage whose checkpoint holds it. */
    readonly stage: string;
    /** Returns V of a checkpoint. */
    of(checkpoint: NamedTensors): StateValue;
  };
}

/** Values to sweep by list; an absent list is not swept. */
export type Sweep = Readonly<Record<string, readonly (number | string | boolean)[]>>;

/** One point of a sweep. */
export interface Variant {
  /** Names it among the sweep's, for example `beta-0.02-weighting-constant`. */
  readonly name: string;
  /** The hyperparameters it is trained with. */
  readonly hyperparameters: HyperparameterValues;
}
