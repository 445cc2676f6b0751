/**
 * What a server does with the messages of one client, whatever carries them: the handshake, then one
 * answer to each request. A message that is refused changes nothing.
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

/** Makes `count` environments of one kind, or throws saying why it cannot. */
export type MakeEnvironment = (id: string, count: number) => Promise<EnvironmentBatch>;

/** Environments that a server's connections hold together, counted before they are made. */
export interface EnvironmentBudget {
  /** Environments held or being made. */
  used: number;
}

/** What a session answers, and whether the connection goes on after that. */
export interface Answer {
  /** The message: text or a frame. */
  readonly data: string | ArrayBuffer;
  /** False after a refused hello: the connection is to be closed. */
  readonly goesOn: boolean;
}

/** One client's environments, from its hello until `close`. */
export class Session {
  readonly #makeEnvironment: MakeEnvironment;
  readonly #budget: EnvironmentBudget;
  readonly #versions: Readonly<Record<string, string>>;
  #served: { batch: EnvironmentBatch; shape: Shape; running: Uint8Array } | null = null;

  /** A session that counts its environments in `budget` and adds `versions` to its welcome. */
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
   * Answers a message: text is a string, binary an ArrayBuffer. Never rejects. Messages are to be
   * given one after the other, each when the last one's answer is there.
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

  /** Closes the client's environments and gives back their share of the server's budget. */
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
        `this server holds ${limits.environments} environments at most, ${this.#budget.used} are ` +
          `in use and ${count} more were asked for; close some, or start another server`,
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
      this.#served = { batch, shape, running: new Uint8Array(count) };
      const versions = { ...this.#versions, ...batch.spec.versions };
      return encodeWelcome({ ...batch.spec, versions }, count, shape.stateSize);
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
      throw new Refusal("malformed", "after the welcome, requests are binary frames, got text");
    }
    const request = decodeRequest(data, shape);
    const { id, indices } = request;
    const n = indices.length;
    const run = <T>(computed: Promise<T>): Promise<T> =>
      computed.catch((error) => {
        // Nobody knows how far it came: these episodes are over.
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
            `environment ${waiting} has no episode running; reset it first`,
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

/** Sizes of a batch's frames, as long as they fit into messages. */
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
        `need messages of ${request} and ${answer} bytes; ${limits.requestBytes} and ` +
        `${limits.answerBytes} are allowed; ask for fewer environments`,
    );
  }
  return { count, observationSize, actionSize, stateSize };
}

function text(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
