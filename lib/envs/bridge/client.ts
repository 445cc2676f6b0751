/**
 * Client of the environment bridge. Presents the environments of a server as an ordinary
 * {@linkcode EnvironmentBatch}.
 *
 * @module
 */
import { UserError } from "../../errors.ts";
import type { BatchStep, EnvironmentBatch, EnvironmentSpec } from "../environment.ts";
import {
  decodeBlocks,
  decodeStep,
  encodeRequest,
  type Request,
  type RequestBody,
} from "./frames.ts";
import {
  closeCodes,
  decodeServerText,
  encodeHello,
  limits,
  Refusal,
  type RefusalCode,
  type Welcome,
} from "./protocol.ts";

/**
 * Kind of bridge error:
 *
 * - `unreachable`: no server answers at the address.
 * - `refused`: the server refuses this client.
 * - `rejected`: the server refused one request; the connection stays open.
 * - `protocol`: the server does not follow the protocol.
 * - `timeout`: the server took too long.
 * - `lost`: the connection broke.
 *
 * After the last three the batch is unusable. Repeat the episode on a new connection.
 */
export type BridgeFault = "unreachable" | "refused" | "rejected" | "protocol" | "timeout" | "lost";

/** An error of the bridge. */
export class BridgeError extends UserError {
  /** Kind of error. */
  readonly fault: BridgeFault;
  /** The server's error code, if it sent one. */
  readonly code: RefusalCode | null;
  /** Index of the environment at fault, if the server named one. */
  readonly environment: number | null;

  /** Creates an error; `refusal` is the server's refusal, if it sent one. */
  constructor(fault: BridgeFault, message: string, refusal?: Refusal) {
    super(message);
    this.fault = fault;
    this.code = refusal?.code ?? null;
    this.environment = refusal?.environment ?? null;
  }
}

/** Timeouts of a client. */
export interface ConnectOptions {
  /** Timeout in milliseconds for connecting and for the handshake. Default: 60,000. */
  readonly connectTimeout?: number;
  /** Timeout in milliseconds for each request. Default: 60,000. */
  readonly requestTimeout?: number;
}

/**
 * Connects to a server and creates a batch of environments there. After an error that ends the
 * connection, connect again.
 *
 * @param url Address that the server announced, including the token.
 * @param id Environment id that the server knows.
 * @param count Number of environments in the batch.
 * @throws {BridgeError} If connecting or the handshake fails. The message names the server and what
 * to do.
 */
export async function connectEnvironment(
  url: string,
  id: string,
  count: number,
  options: ConnectOptions = {},
): Promise<EnvironmentBatch> {
  const { connectTimeout = 60_000, requestTimeout = 60_000 } = options;
  const link = new Link(url);
  await link.open(connectTimeout);
  const answer = await link.exchange(encodeHello({ environment: id, count }), connectTimeout);
  if (typeof answer !== "string") throw link.breach("its welcome is a binary message");
  const welcome = link.understand(() => decodeServerText(answer));
  if (welcome instanceof Refusal) {
    link.close();
    throw new BridgeError("refused", `${link.name}: ${welcome.message}`, welcome);
  }
  if (welcome.spec.id !== id || welcome.count !== count) {
    throw link.breach(
      `the client requested ${count} × ${id}, but the server created ${welcome.count} × ${welcome.spec.id}`,
    );
  }
  return new RemoteBatch(link, welcome, requestTimeout);
}

/** A batch of environments on a server. */
class RemoteBatch implements EnvironmentBatch {
  readonly spec: EnvironmentSpec;
  readonly count: number;
  readonly #link: Link;
  readonly #welcome: Welcome;
  readonly #timeout: number;
  readonly #all: readonly number[];
  #id = 0;

  constructor(link: Link, welcome: Welcome, timeout: number) {
    this.spec = welcome.spec;
    this.count = welcome.count;
    this.#link = link;
    this.#welcome = welcome;
    this.#timeout = timeout;
    this.#all = Array.from({ length: welcome.count }, (_, i) => i);
  }

  async reset(seeds: readonly number[], indices = this.#all): Promise<Float64Array> {
    expectLength("reset: seeds", seeds.length, indices.length);
    return await this.#start({ kind: "reset", seeds }, indices);
  }

  async resetTo(
    qpos: Float64Array,
    qvel: Float64Array,
    indices = this.#all,
  ): Promise<Float64Array | null> {
    const size = this.#welcome.stateSize;
    if (size === null) return null;
    expectLength("resetTo: qpos", qpos.length, indices.length * size.qpos);
    expectLength("resetTo: qvel", qvel.length, indices.length * size.qvel);
    return await this.#start({ kind: "resetTo", qpos, qvel }, indices);
  }

  async step(actions: Float64Array, indices = this.#all): Promise<BatchStep> {
    expectLength("step: actions", actions.length, indices.length * this.spec.actionSize);
    return await this.#ask(
      { kind: "step", actions },
      indices,
      (frame, request) => decodeStep(frame, request, this.#welcome),
    );
  }

  async state(
    indices = this.#all,
  ): Promise<{ qpos: Float64Array; qvel: Float64Array } | null> {
    const size = this.#welcome.stateSize;
    if (size === null) return null;
    const widths = [size.qpos, size.qvel] as const;
    const [qpos, qvel] = await this.#ask(
      { kind: "state" },
      indices,
      (frame, request) => decodeBlocks(frame, request, widths),
    );
    return { qpos, qvel };
  }

  close(): Promise<void> {
    return this.#link.close();
  }

  async #start(
    body: RequestBody & { kind: "reset" | "resetTo" },
    indices: readonly number[],
  ): Promise<Float64Array> {
    const [observations] = await this.#ask(
      body,
      indices,
      (frame, request) => decodeBlocks(frame, request, [this.spec.observationSize]),
    );
    return observations;
  }

  async #ask<T>(
    body: RequestBody,
    indices: readonly number[],
    decode: (frame: ArrayBuffer, request: Request) => T,
  ): Promise<T> {
    this.#id = (this.#id + 1) >>> 0;
    const request: Request = { ...body, id: this.#id, indices };
    const answer = await this.#link.exchange(encodeRequest(request, this.#welcome), this.#timeout);
    if (typeof answer !== "string") return this.#link.understand(() => decode(answer, request));
    const refusal = this.#link.understand(() => decodeServerText(answer));
    if (!(refusal instanceof Refusal) || (refusal.request ?? request.id) !== request.id) {
      throw this.#link.breach(`its answer to ${body.kind} is not an answer to that request`);
    }
    throw new BridgeError("rejected", `${this.#link.name}: ${refusal.message}`, refusal);
  }
}

/**
 * A WebSocket that exchanges requests and answers. After an error, every call throws the first
 * error.
 */
class Link {
  /** Name of the server in messages: its address without the token. */
  readonly name: string;
  readonly #socket: WebSocket;
  readonly #opened = Promise.withResolvers<void>();
  #last: Promise<unknown> = Promise.resolve();
  #waiting: PromiseWithResolvers<string | ArrayBuffer> | null = null;
  #fault: BridgeError | null = null;
  #wasOpen = false;

  constructor(url: string) {
    const address = URL.parse(url);
    if (address === null || !/^wss?:$/.test(address.protocol)) {
      throw new UserError(
        `the address of an environment server must look like ws://127.0.0.1:8765/?token=…, got "${url}"`,
      );
    }
    this.name = `environment server ${address.protocol}//${address.host}`;
    this.#socket = new WebSocket(address);
    this.#socket.binaryType = "arraybuffer";
    this.#opened.promise.catch(() => {}); // `open` reports the error
    this.#socket.onopen = () => {
      this.#wasOpen = true;
      this.#opened.resolve();
    };
    this.#socket.onmessage = ({ data }) => this.#receive(data);
    this.#socket.onerror = (event) => this.#break(this.#brokenBy((event as ErrorEvent).message));
    this.#socket.onclose = ({ code, reason }) =>
      this.#break(
        new BridgeError(
          "lost",
          `${this.name} closed the connection` +
            (reason ? `: ${reason}` : code ? ` (code ${code})` : "") +
            "; the episodes in progress are lost, connect again to repeat them",
        ),
      );
  }

  /** Resolves when the connection is open. */
  open(timeout: number): Promise<void> {
    return this.#within(timeout, this.#opened.promise, "did not open a connection");
  }

  /** Sends a message after all earlier ones are answered, and resolves with its answer. */
  exchange(message: string | ArrayBuffer, timeout: number): Promise<string | ArrayBuffer> {
    const exchanged = this.#last.then(() => {
      if (this.#fault !== null) throw this.#fault;
      this.#waiting = Promise.withResolvers();
      this.#socket.send(message);
      return this.#within(timeout, this.#waiting.promise, "did not answer");
    });
    this.#last = exchanged.catch(() => {});
    return exchanged;
  }

  /** Returns the decoded message. Ends the connection if `decode` throws. */
  understand<T>(decode: () => T): T {
    try {
      return decode();
    } catch (error) {
      throw this.breach((error as Error).message);
    }
  }

  /** Ends the connection because the server violates the protocol. */
  breach(what: string): BridgeError {
    return this.#break(
      new BridgeError("protocol", `${this.name} does not follow the bridge protocol: ${what}`),
    );
  }

  /** Closes the connection. Resolves when the server has closed it too, or after one second. */
  async close(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const socket = this.#socket;
    this.#break(new BridgeError("lost", `${this.name}: the connection is closed`));
    if (socket.readyState === WebSocket.CLOSED) return;
    const timer = setTimeout(resolve, 1000);
    socket.addEventListener("close", () => resolve());
    await promise;
    clearTimeout(timer);
  }

  #receive(data: string | ArrayBuffer): void {
    const waiting = this.#waiting;
    const size = typeof data === "string" ? data.length : data.byteLength;
    if (size > limits.answerBytes) this.breach(`it sent a message of ${size} bytes`);
    else if (waiting === null) this.breach("it sent a message without a request");
    else {
      this.#waiting = null;
      waiting.resolve(data);
    }
  }

  /**
   * Records the first error, rejects the pending request and ends the connection. Returns the first
   * error.
   */
  #break(fault: BridgeError): BridgeError {
    if (this.#fault !== null) return this.#fault;
    this.#fault = fault;
    this.#opened.reject(fault);
    this.#waiting?.reject(fault);
    this.#waiting = null;
    if (this.#socket.readyState <= WebSocket.OPEN) this.#socket.close(closeCodes.normal);
    return fault;
  }

  async #within<T>(timeout: number, awaited: Promise<T>, failed: string): Promise<T> {
    const timer = setTimeout(
      () =>
        this.#break(
          new BridgeError(
            "timeout",
            `${this.name} ${failed} within ${timeout / 1000} s; check whether it is busy or stuck`,
          ),
        ),
      timeout,
    );
    try {
      return await awaited;
    } finally {
      clearTimeout(timer);
    }
  }

  #brokenBy(message: string): BridgeError {
    // The HTTP status of a refused connection is only available in the message.
    const status = /status code: (\d+)/i.exec(message)?.[1];
    const refusals: Record<string, string> = {
      401: "the token is missing or wrong; use the full address that the server printed",
      403: "it accepts no clients from this origin",
      503: "it has reached its connection limit; close some connections, or start another server",
    };
    if (status !== undefined) {
      return new BridgeError(
        "refused",
        `${this.name} refused the connection: ${
          refusals[status] ?? `it answered HTTP ${status}; is it an environment server?`
        }`,
      );
    }
    return this.#wasOpen
      ? new BridgeError(
        "lost",
        `${this.name}: the connection broke (${message}); the episodes in progress are lost, ` +
          "connect again to repeat them",
      )
      : new BridgeError(
        "unreachable",
        `${this.name} cannot be reached (${message}); check that it is running and that the address is right`,
      );
  }
}

function expectLength(what: string, found: number, expected: number): void {
  if (found !== expected) throw new Error(`${what} must have ${expected} entries, got ${found}`);
}
