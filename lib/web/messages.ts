/**
 * The messages between the page and the worker that computes.
 *
 * @module
 */
import type { Hyperparameters } from "../algorithms/srpo/hyperparameters.ts";
import type { BanditBudget } from "../bandit/budget.ts";
import type { FigurePanel } from "../bandit/figure3_panels.ts";
import type { AdapterMeasurement } from "../checks/adapter.ts";
import type { ToyName } from "../data/toy.ts";

/** Figure 3 on a density. */
export interface BanditRequest {
  readonly kind: "bandit";
  readonly density: ToyName;
  readonly budget: BanditBudget;
  readonly seed: number;
}

/** The maze demo. */
export interface MazeRequest {
  readonly kind: "maze";
  readonly seed: number;
  /** Hyperparameters that replace the demo's. */
  readonly hyperparameters: Partial<Hyperparameters>;
}

/** A task of the worker. One runs at a time. */
export type TaskRequest = BanditRequest | MazeRequest | { readonly kind: "checks" };

/** A message from the page: a task to start, or a command for the running task. */
export type Request =
  | TaskRequest
  | { readonly kind: "pause" }
  | { readonly kind: "resume" }
  | { readonly kind: "stop" };

/** The metrics of one step. */
export interface StepRow {
  /** Step, counted from 1. */
  readonly step: number;
  /** Metrics by name; empty if the part has none. */
  readonly metrics: Readonly<Record<string, number>>;
}

/** A table's header and rows. */
export interface ShownTable {
  readonly header: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** What the worker reports: `ready` at its start, and `end` or `error` at the end of every task. */
export type Report =
  | { readonly kind: "ready" }
  | { readonly kind: "note"; readonly text: string }
  | { readonly kind: "gpu"; readonly text: string }
  | {
    readonly kind: "steps";
    readonly part: string;
    readonly steps: number;
    readonly rows: readonly StepRow[];
  }
  | { readonly kind: "panels"; readonly panels: readonly FigurePanel[] }
  | { readonly kind: "check"; readonly measurement: AdapterMeasurement }
  | { readonly kind: "table"; readonly table: ShownTable }
  | { readonly kind: "end"; readonly text: string }
  | { readonly kind: "error"; readonly message: string };
