/**
 * The words that both ends of the environment bridge exchange, as `docs/bridge.md` describes them for
 * writers of servers in other languages: a JSON handshake, then binary frames, one answer to each
 * request. Here are the constants and limits, the JSON messages and their checks; `frames.ts` has the
 * binary layout.
 *
 * @module
 */
import type { EnvironmentSpec } from "../environment.ts";

/** Version of the protocol. Both ends must speak the same one. */
export const protocolVersion = 1;

/** What a server grants. Every bound is checked before anything of that size is made. */
export const limits = {
  /** Bytes of one message from a client; a longer one closes its connection (1009). */
  requestBytes: 1 << 20,
  /** Bytes of one answer: the largest step of a batch has to fit. */
  answerBytes: 16 << 20,
  /** Environments of one connection. */
  batch: 128,
  /** Environments of one server, all connections together. */
  environments: 256,
  /** Connections of one server. One counts until its socket is closed, not only until it was told to. */
  connections: 256,
  /** TCP connections of one server, those that have not asked for an upgrade included. */
  sockets: 1024,
  /** Frames that one message may come in. */
  fragments: 256,
  /** Requests that a client may send ahead of their answers. */
  unanswered: 16,
  /** Milliseconds that a client may take to ask for the upgrade, and then to say hello. */
  helloTimeout: 10_000,
  /** Milliseconds that a client has to answer a close before its socket is destroyed. */
  closeTimeout: 1_000,
  /** Seconds without a sign of life (an answer to a ping included) before a client counts as gone. */
  idleTimeout: 120,
} as const;

/** Close codes of WebSocket that the bridge uses (RFC 6455, 7.4.1). */
export const closeCodes = { normal: 1000, goingAway: 1001, violation: 1008, tooBig: 1009 } as const;

/** Why a server refuses a message. */
export type RefusalCode =
  /** The message does not follow the protocol. */
  | "malformed"
  /** The client speaks another version of it. */
  | "version"
  /** The environment is unknown, or cannot be made. */
  | "environment"
  /** More was asked for than the server grants. */
  | "limit"
  /** An entry of an action or a state is not finite. */
  | "not-finite"
  /** The environment has no episode running: it ended, or none was started. */
  | "finished"
  /** The environment cannot do this (it has no simulator state). */
  | "unsupported"
  /** The environment failed while it computed the answer. */
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

/** A message that a server does not act on; nothing changed in any environment. */
export class Refusal extends Error {
  /** Why, for programs. */
  readonly code: RefusalCode;
  /** Id of the refused request; null where the message has none. */
  readonly request: number | null;
  /** Environment at fault, counted from 0; null where none is. */
  readonly environment: number | null;

  /** A refusal with a message for a person. */
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

/** Sizes of the frames of one connection. */
export interface Shape {
  /** Environments in the batch. */
  readonly count: number;
  /** Entries of one observation. */
  readonly observationSize: number;
  /** Entries of one action. */
  readonly actionSize: number;
  /** Entries of one simulator state; null where the environment has none. */
  readonly stateSize: { readonly qpos: number; readonly qvel: number } | null;
}

/** The client's first message: what it wants to step. */
export interface Hello {
  /** Environment id. */
  readonly environment: string;
  /** Environments in the batch. */
  readonly count: number;
}

/** The server's answer to {@linkcode Hello}. */
export interface Welcome extends Shape {
  /** What the environments are. */
  readonly spec: EnvironmentSpec;
}

/** The text of a client's first message. */
export function encodeHello({ environment, count }: Hello): string {
  return JSON.stringify({ type: "hello", protocol: protocolVersion, environment, count });
}

/**
 * Reads a client's first message.
 *
 * @throws Refusal saying which field is wrong and what it should be.
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
      `this server speaks version ${protocolVersion} of the bridge protocol, ` +
        `the client ${quote(message.protocol)}; use the same release on both sides`,
    );
  }
  const known = ["type", "protocol", "environment", "count"];
  const surplus = Object.keys(message).find((key) => !known.includes(key));
  if (surplus !== undefined) {
    throw new Refusal("malformed", `hello: unknown field ${quote(surplus)}`);
  }
  const { environment, count } = message;
  // No colon: "module:Id" makes Gymnasium import a module of the client's choice.
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
      `one connection may hold ${limits.batch} environments, ${count} were asked for`,
    );
  }
  return { environment, count };
}

/** The text of a server's welcome. Actions without a bound have null in its place. */
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

/** The text of a server's refusal. */
export function encodeRefusal({ code, message, request, environment }: Refusal): string {
  return JSON.stringify({ type: "error", request, code, message, environment });
}

/**
 * Reads a text message of a server.
 *
 * @returns A welcome, or the refusal it carries.
 * @throws Error saying how the message departs from the protocol.
 */
export function decodeServerText(data: string): Welcome | Refusal {
  const message = parseObject(data, fail);
  if (message.type === "error") return decodeRefusal(message);
  if (message.type !== "welcome") {
    fail(`type must be "welcome" or "error", got ${quote(message.type)}`);
  }
  if (message.protocol !== protocolVersion) {
    fail(
      `it speaks version ${quote(message.protocol)} of the bridge protocol, this program version ` +
        protocolVersion,
    );
  }
  const count = expectCount(message, "count");
  const observationSize = expectCount(message, "observationSize");
  const actionSize = expectCount(message, "actionSize");
  const { environment, maxEpisodeSteps, referenceReturn, stateSize, versions } = message;
  if (typeof environment !== "string") fail(`environment must be text, got ${quote(environment)}`);
  if (maxEpisodeSteps !== null && !isCount(maxEpisodeSteps)) {
    fail(`maxEpisodeSteps must be a positive whole number or null, got ${quote(maxEpisodeSteps)}`);
  }
  if (referenceReturn !== null && !isReference(referenceReturn)) {
    fail(`referenceReturn must be {min, max} or null, got ${quote(referenceReturn)}`);
  }
  if (stateSize !== null && !isStateSize(stateSize)) {
    fail(`stateSize must be {qpos, qvel} or null, got ${quote(stateSize)}`);
  }
  if (!isVersions(versions)) fail(`versions must be an object of texts, got ${quote(versions)}`);
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
  if (typeof text !== "string") fail(`message must be text, got ${quote(text)}`);
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

/** A value as messages show it: JSON, cut where it is long. */
function quote(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}
