/**
 * Requests to contestants. A task is plain JSON, because contestants are other processes, in
 * several languages. Its text identifies the task.
 *
 * @module
 */

/** A training step of one stage, or one of a perceptron. */
export interface StepTask {
  readonly step: "mlp" | "critic" | "behavior" | "policy";
  /** Seeds trained together; only our engine trains more than one. */
  readonly seeds?: number;
  /** Uses networks and batches so small that arithmetic is negligible. */
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

/** A contestant's first message and its answers to requests. */
export interface Replies {
  /** First line of the output: the device. */
  readonly hello: { readonly device: string };
  /** Time in seconds of a number of steps. */
  readonly time: { readonly steps: number; readonly seconds: number };
  /** All losses, step by step. */
  readonly losses: { readonly losses: number[] };
  /** Properties of a task other than its time. */
  readonly describe: { readonly dispatches?: number; readonly bytes?: number };
}

/** A request to a contestant: one line of its input. */
export type Request =
  | { readonly ask: "time"; readonly task: Task; readonly seconds: number }
  | { readonly ask: "losses"; readonly task: Task; readonly steps: number }
  | { readonly ask: "describe"; readonly task: Task };
