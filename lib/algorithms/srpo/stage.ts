/**
 * What a stage is once described: the networks it trains, and how files name them. It knows nothing
 * about files, clocks or terminals.
 *
 * @module
 */
import type { ParameterSet } from "../../autodiff/parameters.ts";
import type { Tensor } from "../../autodiff/tensor.ts";
import type { Optimizer } from "../../optim/adam.ts";

/** The three stages, in the order they are trained. */
export type StageName = "critic" | "behavior" | "policy";

/** The stages in order. */
export const stageNames: readonly StageName[] = ["critic", "behavior", "policy"];

/** One family of networks of a stage. */
export interface Network {
  /**
   * Names of the official state dicts that precede each parameter's: one for each of the networks that
   * are neighbouring replicas of one seed (the twin Q-networks are two).
   */
  readonly prefixes: readonly string[];
  readonly parameters: ParameterSet;
  /** Absent for networks that are not trained by gradients. */
  readonly optimizer?: Optimizer;
  /**
   * Number of the (first) network's initial weights; equal numbers start equal, as target networks do.
   * Absent for networks that come from an earlier stage.
   */
  readonly initial?: number;
}

/** A described stage. */
export interface Stage {
  readonly name: StageName;
  readonly networks: readonly Network[];
  /** Intermediate results by name, for whoever wants to look. */
  readonly tensors: Readonly<Record<string, Tensor>>;
}
