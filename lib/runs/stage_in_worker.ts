/**
 * Sessions in worker threads. A software GPU that computes in the thread that submits uses one CPU
 * per worker, so stages that do not need each other can be trained at the same time.
 *
 * @module
 */
import type { StepMetrics } from "../autodiff/training_step.ts";
import type { BufferedData } from "../data/replay_buffer.ts";
import { missingPermission, UserError } from "../errors.ts";
import { GpuLostError } from "../gpu/device.ts";
import type { Target } from "../gpu/target.ts";
import type { OpenSession, StageRequest, StageSession, StageSize } from "./stage_session.ts";

/** What a worker trains on. */
export interface WorkerInputs {
  /** Name of a registered algorithm. */
  readonly algorithm: string;
  /** The data set. */
  readonly data: BufferedData;
  /** The rewards to train on, `[N]`. */
  readonly rewards: Float32Array;
  /** The kernel variants. */
  readonly target: Target;
}

/** Messages to the worker. `open` comes first, and `stop` ends a `run` early. */
export type StageMessage =
  | { readonly open: WorkerInputs & { readonly request: StageRequest } }
  | { readonly run: { readonly start: number; readonly end: number } }
  | { readonly stop: true }
  | {
    readonly encode: {
      readonly step: number;
      readonly metadata: readonly Readonly<Record<string, string>>[];
    };
  };

/**
 * Messages of the worker: one answer to `open`, `run` and `encode` each, and `steps` during a
 * `run`, about every 50 ms. `kind` is the class of an error: of the user, of a lost GPU, or
 * another.
 */
export type StageAnswer =
  | { readonly opened: StageSize }
  | { readonly steps: { readonly first: number; readonly values: readonly StepMetrics[] } }
  | { readonly ran: number }
  | { readonly encoded: readonly Uint8Array[] }
  | { readonly error: { readonly message: string; readonly kind: "user" | "lost" | "other" } };

/** Returns a function that opens sessions in workers. The data set is copied to each. */
export function sessionsInWorkers(inputs: WorkerInputs): OpenSession {
  return async (request) => {
    const link = new Link();
    try {
      const opened = await link.ask({ open: { ...inputs, request } });
      return new WorkerSession(link, (opened as { opened: StageSize }).opened);
    } catch (error) {
      link.close();
      throw error;
    }
  };
}

class WorkerSession implements StageSession {
  readonly size: StageSize;
  readonly #link: Link;

  constructor(link: Link, size: StageSize) {
    this.#link = link;
    this.size = size;
  }

  async run({ start, end, onStep, shouldStop }: Parameters<StageSession["run"]>[0]) {
    const answer = await this.#link.ask({ run: { start, end } }, (first, values) => {
      values.forEach((each, i) => onStep(first + i, each));
      if (shouldStop(first + values.length - 1)) this.#link.tell({ stop: true });
    });
    return (answer as { ran: number }).ran;
  }

  async encode(step: number, metadata: readonly Readonly<Record<string, string>>[]) {
    const answer = await this.#link.ask({ encode: { step, metadata } });
    return [...(answer as { encoded: readonly Uint8Array[] }).encoded];
  }

  destroy(): void {
    this.#link.close();
  }
}

/** The connection to a worker. */
class Link {
  readonly #worker = new Worker(new URL("./stage_worker.ts", import.meta.url), { type: "module" });
  #fail: (error: Error) => void = () => {};
  /** Why the worker has ended, if it has. */
  #failure: Error | null = null;

  constructor() {
    this.#worker.onerror = (event) => {
      event.preventDefault();
      const failure = new Error(`the training worker failed: ${event.message}`);
      this.#fail(this.#failure = missingPermission(failure) ?? failure);
    };
  }

  /** Sends a message and waits for its answer. */
  ask(
    message: StageMessage,
    onSteps?: (first: number, values: readonly StepMetrics[]) => void,
  ): Promise<StageAnswer> {
    const { promise, resolve, reject } = Promise.withResolvers<StageAnswer>();
    this.#worker.onmessage = ({ data }: MessageEvent<StageAnswer>) => {
      try {
        if ("steps" in data) onSteps?.(data.steps.first, data.steps.values);
        else if ("error" in data) {
          const { message, kind } = data.error;
          const kinds = { user: UserError, lost: GpuLostError, other: Error };
          reject(new kinds[kind](message));
        } else resolve(data);
      } catch (error) {
        reject(error);
      }
    };
    this.#fail = reject;
    if (this.#failure) reject(this.#failure);
    else this.tell(message);
    return promise;
  }

  /** Sends a message without an answer. */
  tell(message: StageMessage): void {
    this.#worker.postMessage(message);
  }

  close(): void {
    this.#worker.terminate();
  }
}
