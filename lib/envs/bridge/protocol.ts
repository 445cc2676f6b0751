/**
 * The protocol of the environment bridge: a JSON handshake, then binary frames with one answer per
 * request. `docs/bridge.md` specifies it for servers in other languages. This module has the
 * limits, the JSON messages and their validation; `frames.ts` has the binary layout.
 *
 * @module
 */
import type { EnvironmentSpec } from "../environment.ts";

/** Version of the protocol. Client and server must use the same version. */
export const protocolVersion = 1;

/** Limits of a server. Each limit is checked before anything of that size is allocated. */
export const limits = {
  /** Bytes per client message; a longer one closes the connection (1009). */
  requestBytes: 1 << 20,
  /** Bytes per answer; the answer to a step of the whole batch must fit. */
  answerBytes: 16 << 20,
  /** Environments per connection. */
  batch: 128,
  /** Environments per server, over all connections. */
  environments: 256,
  /** Connections per server. A connection counts until its socket is closed. */
  connections: 256,
  /** TCP connections per server, including those not yet upgraded. */
  sockets: 1024,
  /** Fragments per message. */
  fragments: 256,
  /** Unanswered requests per client. */
  unanswered: 16,
  /**
   * Milliseconds until a client must request the upgrade, and again until it must send its hello.
   */
  helloTimeout: 10_000,
  /** Milliseconds that a client has to answer a close frame before its socket is destroyed. */
  closeTimeout: 1_000,
  /** Seconds without a message or pong after which a client is disconnected. */
  idleTimeout: 120,
} as const;

/** WebSocket close codes that the bridge uses (RFC 6455, 7.4.1). */
export const closeCodes = { normal: 1000, goingAway: 1001, violation: 1008, tooBig: 1009 } as const;

/** Why a server refuses a message. */
export type RefusalCode =
  /** The message does not follow the protocol. */
  | "malformed"
  /** The client uses a different protocol version. */
  | "version"
  /** The environment is unknown or cannot be created. */
  | "environment"
  /** The request exceeds a limit of the server. */
  | "limit"
  /** An entry of an action or a state is not finite. */
  | "not-finite"
  /** The environment's episode has ended or was never started. */
  | "finished"
  /** The environment does not support the request because it has no simulator state. */
  | "unsupported"
  /** The environment failed while computing the answer. */
  | "simulation";

const refusalCodes: ReadonlySet<string> = new Set<RefusalCode>([
  "malformed",
  "version",
  "environment",
  "limit",
  "not-finite",
  "finished",
  "unsupported",
  "simulation",
]);

/** A refused message. Unless the code is `simulation`, no environment has changed. */
export class Refusal extends Error {
  /** Machine-readable reason. */
  readonly code: RefusalCode;
  /** Id of the refused request; null if the message has none. */
  readonly request: number | null;
  /** Index of the environment at fault; null if there is none. */
  readonly environment: number | null;

  /** Creates a refusal. */
  constructor(
    code: RefusalCode,
    message: string,
    where: { readonly request?: number | null; readonly environment?: number | null } = {},
  ) {
    super(message);
    this.code = code;
    this.request = where.request ?? null;
    this.environment = where.environment ?? null;
  }
}

/** Sizes that determine the frames of a connection. */
export interface Shape {
  /** Number of environments in the batch. */
  readonly count: number;
  /** Entries of one observation. */
  readonly observationSize: number;
  /** Entries of one action. */
  readonly actionSize: number;
  /** Entries of one simulator state; null if the environment has none. */
  readonly stateSize: { readonly qpos: number; readonly qvel: number } | null;
}

/** The client's first message: the environments that it requests. */
export interface Hello {
  /** Environment id. */
  readonly environment: string;
  /** Environments in the batch. */
  readonly count: number;
}

/** The server's answer to {@linkcode Hello}. */
export interface Welcome extends Shape {
  /** Specification of the environments. */
  readonly spec: EnvironmentSpec;
}

/** Encodes a client's first message. */
export function encodeHello({ environment, count }: Hello): string {
  return JSON.stringify({ type: "hello", protocol: protocolVersion, environment, count });
}

/**
 * Decodes a client's first message.
 *
 * @throws {Refusal} If a field is invalid. The message says which one and what is expected.
 */
export function decodeHello(data: unknown): Hello {
  const message = parseObject(data, (text) => {
    throw new Refusal("malformed", `hello: ${text}`);
  });
  if (message.type !== "hello") {
    throw new Refusal("malformed", `hello: type must be "hello", got ${quote(message.type)}`);
  }
  if (message.protocol !== protocolVersion) {
    throw new Refusal(
      "version",
      `the server uses version ${protocolVersion} of the bridge protocol and the client uses ` +
        `version ${quote(message.protocol)}; use the same release on both sides`,
    );
  }
  const known = ["type", "protocol", "environment", "count"];
  const surplus = Object.keys(message).find((key) => !known.includes(key));
  if (surplus !== undefined) {
    throw new Refusal("malformed", `hello: unknown field ${quote(surplus)}`);
  }
  const { environment, count } = message;
  // No colon: with "module:Id" a client could make Gymnasium import any module.
  if (typeof environment !== "string" || !/^[\w][\w./-]{0,127}$/.test(environment)) {
    throw new Refusal(
      "malformed",
      "hello: environment must be an id of at most 128 letters, digits and _ - . /, " +
        `got ${quote(environment)}`,
    );
  }
  if (!isCount(count)) {
    throw new Refusal(
      "malformed",
      `hello: count must be a whole number of at least 1, got ${quote(count)}`,
    );
  }
  if (count > limits.batch) {
    throw new Refusal(
      "limit",
      `one connection may hold at most ${limits.batch} environments, got a request for ${count}`,
    );
  }
  return { environment, count };
}

/** Encodes a server's welcome. A missing action bound is encoded as null. */
export function encodeWelcome(
  spec: EnvironmentSpec,
  count: number,
  stateSize: Shape["stateSize"],
): string {
  const bounds = (values: readonly number[]) => values.map((v) => Number.isFinite(v) ? v : null);
  return JSON.stringify({
    type: "welcome",
    protocol: protocolVersion,
    environment: spec.id,
    count,
    observationSize: spec.observationSize,
    actionSize: spec.actionSize,
    actionLow: bounds(spec.actionLow),
    actionHigh: bounds(spec.actionHigh),
    maxEpisodeSteps: spec.maxEpisodeSteps,
    referenceReturn: spec.referenceReturn,
    stateSize,
    versions: spec.versions,
  });
}

/** Encodes a server's refusal. */
export function encodeRefusal({ code, message, request, environment }: Refusal): string {
  return JSON.stringify({ type: "error", request, code, message, environment });
}

/**
 * Decodes a server's text message.
 *
 * @returns The welcome or the refusal.
 * @throws {Error} If the message violates the protocol. The message says how.
 */
export function decodeServerText(data: string): Welcome | Refusal {
  const message = parseObject(data, fail);
  if (message.type === "error") return decodeRefusal(message);
  if (message.type !== "welcome") {
    fail(`type must be "welcome" or "error", got ${quote(message.type)}`);
  }
  if (message.protocol !== protocolVersion) {
    fail(
      `it uses version ${quote(message.protocol)} of the bridge protocol, and this program uses ` +
        `version ${protocolVersion}`,
    );
  }
  const count = expectCount(message, "count");
  const observationSize = expectCount(message, "observationSize");
  const actionSize = expectCount(message, "actionSize");
  const { environment, maxEpisodeSteps, referenceReturn, stateSize, versions } = message;
  if (typeof environment !== "string") {
    fail(`environment must be a string, got ${quote(environment)}`);
  }
  if (maxEpisodeSteps !== null && !isCount(maxEpisodeSteps)) {
    fail(`maxEpisodeSteps must be a positive whole number or null, got ${quote(maxEpisodeSteps)}`);
  }
  if (referenceReturn !== null && !isReference(referenceReturn)) {
    fail(`referenceReturn must be {min, max} or null, got ${quote(referenceReturn)}`);
  }
  if (stateSize !== null && !isStateSize(stateSize)) {
    fail(`stateSize must be {qpos, qvel} or null, got ${quote(stateSize)}`);
  }
  if (!isVersions(versions)) fail(`versions must be an object of strings, got ${quote(versions)}`);
  return {
    count,
    observationSize,
    actionSize,
    stateSize,
    spec: {
      id: environment,
      observationSize,
      actionSize,
      actionLow: expectBounds(message, "actionLow", actionSize, -Infinity),
      actionHigh: expectBounds(message, "actionHigh", actionSize, Infinity),
      maxEpisodeSteps,
      referenceReturn,
      versions,
    },
  };
}

function decodeRefusal(message: Record<string, unknown>): Refusal {
  const { code, message: text, request, environment } = message;
  if (typeof code !== "string" || !refusalCodes.has(code)) fail(`unknown code ${quote(code)}`);
  if (typeof text !== "string") fail(`message must be a string, got ${quote(text)}`);
  if (request !== null && !isIndex(request)) fail(`request must be a number or null`);
  if (environment !== null && !isIndex(environment)) fail(`environment must be a number or null`);
  return new Refusal(code as RefusalCode, text, { request, environment });
}

function parseObject(data: unknown, refuse: (text: string) => never): Record<string, unknown> {
  if (typeof data !== "string") return refuse("expected a text message, got a binary one");
  let message: unknown;
  try {
    message = JSON.parse(data);
  } catch {
    return refuse(`expected JSON, got ${quote(data)}`);
  }
  if (typeof message !== "object" || message === null || Array.isArray(message)) {
    return refuse(`expected a JSON object, got ${quote(message)}`);
  }
  return message as Record<string, unknown>;
}

function fail(text: string): never {
  throw new Error(text);
}

function isIndex(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isCount(value: unknown): value is number {
  return isIndex(value) && value > 0;
}

function expectCount(message: Record<string, unknown>, name: string): number {
  const value = message[name];
  if (!isCount(value)) fail(`${name} must be a positive whole number, got ${quote(value)}`);
  return value;
}

function expectBounds(
  message: Record<string, unknown>,
  name: string,
  size: number,
  unbounded: number,
): number[] {
  const value = message[name];
  if (
    !Array.isArray(value) || value.length !== size ||
    !value.every((entry) => entry === null || typeof entry === "number")
  ) fail(`${name} must have ${size} numbers (null where unbounded), got ${quote(value)}`);
  return value.map((entry: number | null) => entry ?? unbounded);
}

function isReference(value: unknown): value is { min: number; max: number } {
  const { min, max } = Object(value);
  return typeof min === "number" && typeof max === "number" && min < max;
}

function isStateSize(value: unknown): value is { qpos: number; qvel: number } {
  const { qpos, qvel } = Object(value);
  return isCount(qpos) && isCount(qvel);
}

function isVersions(value: unknown): value is Record<string, string> {
  return typeof value === "object" && value !== null &&
    Object.values(value).every((entry) => typeof entry === "string");
}

/** Formats a value for a message: JSON, truncated to 80 characters. */
function quote(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}
