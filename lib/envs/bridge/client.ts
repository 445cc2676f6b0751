/**
 * The client end of the environment bridge: environments that a server holds, as an
 * {@linkcode EnvironmentBatch} like any other.
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
 * What went wrong on the bridge:
 * `unreachable` no server answers there; `refused` the server does not take this client; `rejected`
 * it refused one request, the connection goes on; `protocol` it does not speak the protocol; `timeout`
 * it took too long; `lost` the connection broke. After the last three the batch is of no more use, and
 * an episode can be tried again on a new connection.
 */
export type BridgeFault = "unreachable" | "refused" | "rejected" | "protocol" | "timeout" | "lost";

/** A fault of the bridge, with a message for a person. */
export class BridgeError extends UserError {
  /** What went wrong. */
  readonly fault: BridgeFault;
  /** The server's own code, where it sent one. */
  readonly code: RefusalCode | null;
  /** Environment at fault, counted from 0, where the server named one. */
  readonly environment: number | null;

  /** A fault; `refusal` is what the server said, if it did. */
  constructor(fault: BridgeFault, message: string, refusal?: Refusal) {
    super(message);
    this.fault = fault;
    this.code = refusal?.code ?? null;
    this.environment = refusal?.environment ?? null;
  }
}

/** How long a client waits. */
export interface ConnectOptions {
  /** Milliseconds until the environments are made and the server has welcomed; 60,000 where absent. */
  readonly connectTimeout?: number;
  /** Milliseconds until a request is answered; 60,000 where absent. */
  readonly requestTimeout?: number;
}

/**
 * Connects to a server and has it make environments. After a fault, connect again.
 *
 * @param url Address as the server announced it, token included.
 * @param id Environment id that the server knows.
 * @param count Environments in the batch.
 * @throws BridgeError naming the fault, the server and what to do.
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
  if (typeof answer !== "string") throw link.breach("its welcome is binary");
  const welcome = link.understand(() => decodeServerText(answer));
  if (welcome instanceof Refusal) {
    link.close();
    throw new BridgeError("refused", `${link.name}: ${welcome.message}`, welcome);
  }
  if (welcome.spec.id !== id || welcome.count !== count) {
    throw link.breach(
      `asked for ${count} of ${id}, it gave ${welcome.count} of ${welcome.spec.id}`,
    );
  }
  return new RemoteBatch(link, welcome, requestTimeout);
}

/** Environments on the other side of a link. */
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
      throw this.#link.breach(`it answered ${body.kind} with another message`);
    }
    throw new BridgeError("rejected", `${this.#link.name}: ${refusal.message}`, refusal);
  }
}

/** A WebSocket as a sequence of exchanges. Once broken, it answers everything with the first fault. */
class Link {
  /** The server in messages: its address without the token. */
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
        `the address of an environment server looks like ws://127.0.0.1:8765/?token=…, got "${url}"`,
      );
    }
    this.name = `environment server ${address.protocol}//${address.host}`;
    this.#socket = new WebSocket(address);
    this.#socket.binaryType = "arraybuffer";
    this.#opened.promise.catch(() => {}); // whoever opens hears it
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

  /** Sends a message when all earlier ones are answered, and resolves with its answer. */
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

  /** What `decode` makes of a message; where it cannot, the connection ends. */
  understand<T>(decode: () => T): T {
    try {
      return decode();
    } catch (error) {
      throw this.breach((error as Error).message);
    }
  }

  /** Ends the connection, since the server does not keep to the protocol. */
  breach(what: string): BridgeError {
    return this.#break(
      new BridgeError("protocol", `${this.name} does not speak the bridge protocol: ${what}`),
    );
  }

  /** Ends the connection; resolves when the server has heard it, or after a second. */
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
    if (size > limits.answerBytes) this.breach(`a message of ${size} bytes`);
    else if (waiting === null) this.breach("a message that nobody asked for");
    else {
      this.#waiting = null;
      waiting.resolve(data);
    }
  }

  /** Keeps the first fault, tells whoever waits, ends the connection. Returns the first fault. */
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
            `${this.name} ${failed} within ${timeout / 1000} s; see whether it is busy or stuck`,
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
    // Only the message tells the HTTP status with which a server refused the connection.
    const status = /status code: (\d+)/i.exec(message)?.[1];
    const refusals: Record<string, string> = {
      401: "the token is missing or wrong; give the whole address as the server printed it",
      403: "it takes no clients of this origin",
      503: "it has as many connections as it takes; close some, or start another server",
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
        `${this.name} cannot be reached (${message}); is it running, and is this its address?`,
      );
  }
}

function expectLength(what: string, found: number, expected: number): void {
  if (found !== expected) throw new Error(`${what} must have ${expected} entries, got ${found}`);
}
