/**
 * The algorithm interface: how an algorithm is trained, stage by stage, and how a trained run acts.
 * Runs, commands, sweeps, the stage cache, evaluations and pictures use algorithms only through it.
 *
 * @module
 */
import type { Graph } from "../autodiff/graph.ts";
import type { ParameterSet } from "../autodiff/parameters.ts";
import type { Tensor } from "../autodiff/tensor.ts";
import type { ReplayBuffer } from "../data/replay_buffer.ts";
import type { RewardRule } from "../data/rewards.ts";
import type { NamedTensors } from "../nn/host/tensors.ts";
import type { Initial } from "../nn/initialization.ts";
import type { Optimizer } from "../optim/adam.ts";
import type { GraphActor } from "../nn/graph_policy.ts";
import type { HyperparameterTable, HyperparameterValues } from "./hyperparameters.ts";
import type { Policy } from "../nn/host/policy.ts";

/** A set of networks with the same shape in a stage. */
export interface Network {
  /**
   * Prefixes of the parameters' names in files: one per network of a seed (twin Q-networks have
   * two). The networks of a seed are adjacent replicas.
   */
  readonly prefixes: readonly string[];
  /** The parameters of all replicas. */
  readonly parameters: ParameterSet;
  /** Absent for networks that are not trained by gradients. */
  readonly optimizer?: Optimizer;
  /** Initial values. Absent for networks that come from an earlier stage. */
  readonly initial?: Initial;
}

/** The description of one step of a stage. */
export interface Stage {
  /** All networks of the step. */
  readonly networks: readonly Network[];
  /**
   * Further graphs of the step, in the order in which they run after the given graph: updates that
   * do not run in every step, or programs that share the networks. They have the given graph's
   * seeds and parameter store.
   */
  readonly more?: readonly Graph[];
  /** Intermediate results by name, for inspection and tests. */
  readonly tensors: Readonly<Record<string, Tensor>>;
}

/** Metrics of a stage that estimate discounted returns, whose magnitude the rewards bound. */
export interface BoundedValues {
  /** Names of the metrics. */
  readonly metrics: readonly string[];
  /** Name of the hyperparameter for the discount factor. */
  readonly discount: string;
  /** What to do if they leave the bound, in one or two sentences. */
  readonly advice: string;
}

/** A stage of training: a step that is described once and repeated. */
export interface StageDefinition<H extends HyperparameterValues = HyperparameterValues> {
  /** Name in flags (`--stage critic`), files and metrics. */
  readonly name: string;
  /** The result of the stage in words: `critic`, `behavior model`. */
  readonly product: string;
  /** Earlier stages whose networks it uses. */
  readonly needs: readonly string[];
  /** The replica axis: one replica per seed, or one per seed and variant of a sweep. */
  readonly over: "seeds" | "variants";
  /**
   * Groups of the hyperparameter table that its result depends on, besides the checkpoints of
   * earlier stages. They are part of the stage cache's key.
   */
  readonly groups: readonly string[];
  /** Name of the hyperparameter for its number of steps. */
  readonly steps: string;
  /** Name of the hyperparameter for the rows per minibatch. */
  readonly batchSize: string;
  /**
   * Files of the official PyTorch code with networks of this stage: their usual names, and the
   * prefixes of tensors here and there. Absent if the official code writes none.
   */
  readonly officialFiles?: readonly {
    readonly name: string;
    readonly prefixes: readonly (readonly [ours: string, official: string])[];
  }[];
  /** Names of the hyperparameters that determine its networks' shapes, for stages that use them. */
  readonly shapedBy?: readonly string[];
  /** Metrics in the progress line, in order. */
  readonly shown: readonly string[];
  /** Name of the actor that is evaluated during and after training; absent if there is none. */
  readonly evaluated?: string;
  /**
   * Whether that actor acts so slowly that it is evaluated only after training, in the run that
   * trains the stage.
   */
  readonly evaluatedOnce?: boolean;
  /** Metrics that reveal diverging values; absent if it has none. */
  readonly bounded?: BoundedValues;
  /**
   * Describes a step on minibatches of `buffer`. It may import modules dynamically, so that a
   * program that only acts does not load the GPU code.
   *
   * @param h Hyperparameters that all replicas share.
   * @param variants Hyperparameters of each replica of the graph. Only swept ones differ from `h`.
   */
  describe(
    graph: Graph,
    buffer: ReplayBuffer,
    h: H,
    variants: readonly H[],
  ): Stage | Promise<Stage>;
}

/** An integer option of an actor, for example its number of candidates. */
export interface ActorOption {
  /** One line for `--help`. */
  readonly help: string;
  /** Smallest allowed value. */
  readonly min: number;
  /** Largest allowed value. */
  readonly max: number;
  /** Default value. */
  readonly fallback: number;
}

/** A policy that can be made from a trained run. */
export interface Actor {
  /** Name for `eval --policy`. */
  readonly name: string;
  /** Title in tables. */
  readonly title: string;
  /** A few words for `--help`. */
  readonly help: string;
  /** Its name in an earlier version. */
  readonly formerName?: string;
  /** Stages whose checkpoints it needs. */
  readonly needs: readonly string[];
  /**
   * Prefix of `net.` (and `obs_rms.`) in its tensors' names, if it is one network in one stage's
   * checkpoint (docs/policies.md). For an algorithm's first actor, a run writes these tensors to
   * `policy.safetensors`, without the prefix.
   */
  readonly prefix?: string;
  /** Metadata of that file that describe the network, if it is not the default one. */
  readonly metadata?: Readonly<Record<string, string>>;
  /** Options by name. Each is a flag of `eval`. */
  readonly options: Readonly<Record<string, ActorOption>>;
  /**
   * Returns the policy on the CPU.
   *
   * @param checkpoints Tensors of the checkpoint of each stage in `needs`.
   * @throws {UserError} If a tensor is missing or has the wrong shape.
   */
  act(
    checkpoints: Readonly<Record<string, NamedTensors>>,
    options: Readonly<Record<string, number>>,
  ): Policy;
  /**
   * Returns the same policy as part of a graph, for actors that benefit from a GPU. It imports
   * modules dynamically, so that acting on the CPU does not load the GPU code.
   *
   * @returns Null if the options make it too large for one program.
   * @throws {UserError} As {@linkcode act}.
   */
  describe?(
    checkpoints: Readonly<Record<string, NamedTensors>>,
    options: Readonly<Record<string, number>>,
  ): Promise<GraphActor | null>;
  /** Column of Table 1 of the SRPO paper with the scores of this kind of policy; absent if none. */
  readonly column?: string;
  /** A sentence for `eval` on how the published method differs from this actor. */
  readonly published?: string;
}

/** A hyperparameter that can be swept: one run trains several values in parallel. */
export interface Sweepable {
  /** Name of the list and of its flag without dashes: `betas`. */
  readonly list: string;
  /** Name of the hyperparameter. The stages of its group are trained per variant. */
  readonly hyperparameter: string;
  /** Label in a variant's name: `beta` in `beta-0.02`. */
  readonly label: string;
  /** One line for `--help`. */
  readonly help: string;
  /** Symbol in pictures. */
  readonly symbol: string;
  /**
   * The condition under which the hyperparameter has an effect, as flags and as a test of the other
   * values. If it does not hold, one variant stands for all values of the list. Absent if the
   * hyperparameter always has an effect.
   */
  readonly only?: { readonly flags: string; holds(h: HyperparameterValues): boolean };
  /**
   * The end of the range at which the policy follows the critic most, and the data least; absent if
   * that is not what it controls.
   */
  readonly greedy?: "low" | "high";
  /** Formats a value for pictures. */
  text(value: number | string | boolean): string;
}

/** V of `rows` states, which are `[rows, observationSize]` row-major. */
export type StateValue = (states: Float32Array, rows: number) => Float32Array;

/** Q of one state `[observationSize]` and action `[actionSize]`. */
export type ActionValue = (state: Float64Array, action: Float32Array) => number;

/** An algorithm. */
export interface Algorithm<H extends HyperparameterValues = HyperparameterValues> {
  /** Name for `train --algorithm` and `config.json`. */
  readonly name: string;
  /** Title, for example `SRPO`. */
  readonly title: string;
  /** The publication. */
  readonly citation: string;
  /** Table of hyperparameters. */
  readonly hyperparameters: HyperparameterTable<H>;
  /** The stages, each after the stages that it needs. */
  readonly stages: readonly StageDefinition<H>[];
  /** The actors. The first one is the algorithm's own policy. */
  readonly actors: readonly Actor[];
  /** What can be swept. The first one varies slowest. */
  readonly sweeps: readonly Sweepable[];
  /** Returns the rule that transforms the data's rewards. */
  rewardRule(h: H): RewardRule;
  /** The state value for pictures of mazes; absent if the algorithm learns none. */
  readonly value?: {
    /** The stage whose checkpoint contains it. */
    readonly stage: string;
    /** Returns V of a checkpoint. */
    of(checkpoint: NamedTensors): StateValue;
  };
  /** The critic of an algorithm without a state value; absent if it has one, or no critic. */
  readonly actionValue?: {
    /** The stage whose checkpoint contains it. */
    readonly stage: string;
    /** Returns Q of a checkpoint. */
    of(checkpoint: NamedTensors): ActionValue;
  };
}

/** Values to sweep, by list. Absent lists are not swept. */
export type Sweep = Readonly<Record<string, readonly (number | string | boolean)[]>>;

/** One point of a sweep. */
export interface Variant {
  /** Name within the sweep, for example `beta-0.02-weighting-constant`. */
  readonly name: string;
  /** Hyperparameters of the variant. */
  readonly hyperparameters: HyperparameterValues;
}
