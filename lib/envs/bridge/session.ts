/**
 * Answers the messages of one client, independently of the transport: the handshake, then one
 * answer per request. A message that fails validation changes nothing.
 *
 * @module
 */
import type { EnvironmentBatch } from "../environment.ts";
import {
  decodeRequest,
  encodeObservations,
  encodeState,
  encodeStep,
  headerBytes,
  type Request,
} from "./frames.ts";
import {
  decodeHello,
  encodeRefusal,
  encodeWelcome,
  limits,
  Refusal,
  type Shape,
} from "./protocol.ts";

/** Creates `count` environments of one kind. Throws an error with the reason if it cannot. */
export type MakeEnvironment = (id: string, count: number) => Promise<EnvironmentBatch>;

/**
 * Number of environments that all connections of a server hold, counted before they are created.
 */
export interface EnvironmentBudget {
  /** Environments that exist or are being created. */
  used: number;
}

/** A session's answer, and whether the connection stays open after it. */
export interface Answer {
  /** The message: text or a frame. */
  readonly data: string | ArrayBuffer;
  /** False after a refused hello: the caller must close the connection. */
  readonly goesOn: boolean;
}

/** One client's environments, from the hello until `close`. */
export class Session {
  readonly #makeEnvironment: MakeEnvironment;
  readonly #budget: EnvironmentBudget;
  readonly #versions: Readonly<Record<string, string>>;
  #served: { batch: EnvironmentBatch; shape: Shape; running: Uint8Array } | null = null;

  /**
   * Creates a session that counts its environments in `budget` and adds `versions` to its welcome.
   */
  constructor(
    makeEnvironment: MakeEnvironment,
    budget: EnvironmentBudget,
    versions: Readonly<Record<string, string>>,
  ) {
    this.#makeEnvironment = makeEnvironment;
    this.#budget = budget;
    this.#versions = versions;
  }

  /**
   * Answers a message: a string for text, an ArrayBuffer for binary. Never rejects. Wait for each
   * answer before passing the next message.
   */
  async answer(data: unknown): Promise<Answer> {
    try {
      if (this.#served === null) return { data: await this.#greet(data), goesOn: true };
      return { data: await this.#act(this.#served, data), goesOn: true };
    } catch (error) {
      const refusal = error instanceof Refusal
        ? error
        : new Refusal("simulation", `the server failed: ${text(error)}`);
      return { data: encodeRefusal(refusal), goesOn: this.#served !== null };
    }
  }

  /** Closes the client's environments and releases them from the server's budget. */
  async close(): Promise<void> {
    const served = this.#served;
    if (served === null) return;
    this.#served = null;
    this.#budget.used -= served.shape.count;
    await served.batch.close();
  }

  async #greet(data: unknown): Promise<string> {
    const { environment, count } = decodeHello(data);
    if (this.#budget.used + count > limits.environments) {
      throw new Refusal(
        "limit",
        `this server holds at most ${limits.environments} environments, ${this.#budget.used} are ` +
          `in use, got a request for ${count} more; close some, or start another server`,
      );
    }
    this.#budget.used += count;
    let batch: EnvironmentBatch | null = null;
    try {
      try {
        batch = await this.#makeEnvironment(environment, count);
      } catch (error) {
        throw new Refusal("environment", text(error));
      }
      const shape = await shapeOf(batch);
      const versions = { ...this.#versions, ...batch.spec.versions };
      const welcome = encodeWelcome({ ...batch.spec, versions }, count, shape.stateSize);
      this.#served = { batch, shape, running: new Uint8Array(count) };
      return welcome;
    } catch (error) {
      this.#budget.used -= count;
      await batch?.close();
      throw error;
    }
  }

  async #act(
    { batch, shape, running }: { batch: EnvironmentBatch; shape: Shape; running: Uint8Array },
    data: unknown,
  ): Promise<ArrayBuffer> {
    if (!(data instanceof ArrayBuffer)) {
      throw new Refusal("malformed", "requests after the welcome must be binary frames, got text");
    }
    const request = decodeRequest(data, shape);
    const { id, indices } = request;
    const n = indices.length;
    const run = <T>(computed: Promise<T>): Promise<T> =>
      computed.catch((error) => {
        // The environments may have changed only in part, so their episodes end.
        for (const index of indices) running[index] = 0;
        throw new Refusal("simulation", text(error), { request: id });
      });
    switch (request.kind) {
      case "reset":
      case "resetTo": {
        const observations = await run(start(batch, request));
        for (const index of indices) running[index] = 1;
        return encodeObservations(request.kind, id, n, observations);
      }
      case "step": {
        const waiting = indices.find((index) => running[index] === 0);
        if (waiting !== undefined) {
          throw new Refusal(
            "finished",
            `environment ${waiting} has no episode in progress; reset it first`,
            { request: id, environment: waiting },
          );
        }
        const step = await run(batch.step(request.actions, indices));
        indices.forEach((index, k) => {
          if (step.terminated[k] || step.truncated[k]) running[index] = 0;
        });
        return encodeStep(id, n, step);
      }
      case "state":
        return encodeState(id, n, (await run(batch.state(indices)))!);
    }
  }
}

function start(
  batch: EnvironmentBatch,
  request: Request & { kind: "reset" | "resetTo" },
): Promise<Float64Array> {
  return request.kind === "reset"
    ? batch.reset(request.seeds, request.indices)
    : batch.resetTo(request.qpos, request.qvel, request.indices) as Promise<Float64Array>;
}

/**
 * Returns the sizes of a batch's frames. Refuses a batch whose frames exceed the message limits.
 */
async function shapeOf(batch: EnvironmentBatch): Promise<Shape> {
  const { count, spec: { observationSize, actionSize } } = batch;
  const state = await batch.state([0]);
  const stateSize = state && { qpos: state.qpos.length, qvel: state.qvel.length };
  const stateEntries = stateSize === null ? 0 : stateSize.qpos + stateSize.qvel;
  const request = headerBytes + count * (8 * Math.max(actionSize, stateEntries, 1) + 4);
  const answer = headerBytes + count * Math.max(8 * (observationSize + 1) + 2, 8 * stateEntries);
  if (request > limits.requestBytes || answer > limits.answerBytes) {
    throw new Refusal(
      "limit",
      `${count} environments with ${observationSize} observations and ${actionSize} actions ` +
        `need messages of ${request} and ${answer} bytes; the limits are ${limits.requestBytes} and ` +
        `${limits.answerBytes}; request fewer environments`,
    );
  }
  return { count, observationSize, actionSize, stateSize };
}

function text(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
