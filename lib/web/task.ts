/**
 * Shared parts of the worker's tasks: pausing and stopping, the drawing rate, and the step log.
 *
 * @module
 */
import type { Engine } from "../autodiff/engine.ts";
import type { Report, StepRow } from "./messages.ts";

/** Engine, gate and report function of a task. */
export interface TaskContext {
  /** The open GPU. */
  readonly engine: Engine;
  /** Pauses and stops the task. */
  readonly gate: Gate;
  /** Sends a report to the page. */
  readonly post: (report: Report) => void;
}

/** Lets a task pass, holds it, or tells it to stop. */
export class Gate {
  #held: PromiseWithResolvers<void> | null = null;
  #stopped = false;

  /** Whether the task should stop. */
  get stopped(): boolean {
    return this.#stopped;
  }

  /** Holds the task at its next {@linkcode pass}. */
  hold(): void {
    if (!this.#stopped) this.#held ??= Promise.withResolvers();
  }

  /** Lets the task continue. */
  release(): void {
    this.#held?.resolve();
    this.#held = null;
  }

  /** Tells the task to stop, also if it is held. */
  stop(): void {
    this.#stopped = true;
    this.release();
  }

  /** Waits while the task is held. Lets the event loop deliver messages first. */
  async pass(): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, 0));
    await this.#held?.promise;
  }
}

/** Shortest time between two pictures in milliseconds, and largest share of the time to draw. */
const shortest = 400;
const share = 1 / 6;

/** Limits how often pictures are drawn, so that drawing takes a small part of the time. */
export class Pace {
  #next = 0;

  /** Calls `draw` if it is time. */
  async run(draw: () => Promise<void>): Promise<void> {
    const began = performance.now();
    if (began < this.#next) return;
    await draw();
    const end = performance.now();
    this.#next = end + Math.max(shortest, (end - began) * (1 / share - 1));
  }
}

/** Collects the steps of a part and reports them together. */
export class StepLog {
  readonly #post: (report: Report) => void;
  #part = "";
  #steps = 0;
  #rows: StepRow[] = [];

  /** Creates a log that reports to `post`. */
  constructor(post: (report: Report) => void) {
    this.#post = post;
  }

  /** Adds a step. Step 0 announces a part. */
  add(part: string, step: number, steps: number, metrics: StepRow["metrics"]): void {
    if (part !== this.#part) {
      this.flush();
      [this.#part, this.#steps] = [part, steps];
    }
    if (step > 0) this.#rows.push({ step, metrics });
    else this.flush();
  }

  /** Reports the steps since the last report. */
  flush(): void {
    if (this.#part === "") return;
    this.#post({ kind: "steps", part: this.#part, steps: this.#steps, rows: this.#rows });
    this.#rows = [];
  }
}
