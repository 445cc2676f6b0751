/**
 * What contestants are asked to do. A task is plain JSON: it crosses to contestants in other processes
 * and languages, and its text tells tasks apart.
 *
 * @module
 */

/** A training step of one stage, or one of a perceptron. */
export interface StepTask {
  readonly step: "mlp" | "critic" | "behavior" | "policy";
  /** Seeds trained side by side; only ours trains more than one. */
  readonly seeds?: number;
  /** Networks and batches so small that what remains is not arithmetic. */
  readonly tiny?: boolean;
}

/** A matrix product of a linear layer with `inputs` and `outputs` units on a batch of `rows`. */
export interface ProductTask {
  readonly step: "product";
  /** `forward`: y = x Wᵀ + b. `input`: dy W. `weight`: dyᵀ x, with the column sums of dy. */
  readonly form: "forward" | "input" | "weight";
  readonly rows: number;
  readonly inputs: number;
  readonly outputs: number;
}

/** Any task. */
export type Task = StepTask | ProductTask;

/** What a contestant says of itself, and its answers to requests. */
export interface Replies {
  /** First line of its output: what it computes on. */
  readonly hello: { readonly device: string };
  /** `steps` took `seconds`. */
  readonly time: { readonly steps: number; readonly seconds: number };
  /** The losses of each step, steps first. */
  readonly losses: { readonly losses: number[] };
  /** What is to be said of a task besides its time. */
  readonly describe: { readonly dispatches?: number; readonly bytes?: number };
}

/** A request to a contestant, one line of its input. */
export type Request =
  | { readonly ask: "time"; readonly task: Task; readonly seconds: number }
  | { readonly ask: "losses"; readonly task: Task; readonly steps: number }
  | { readonly ask: "describe"; readonly task: Task };
