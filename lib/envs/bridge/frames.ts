/**
 * Binary frames of the bridge (`docs/bridge.md`, "Frames"): a 16-byte header, then float64 values,
 * then smaller values. Everything is little-endian, without padding. The values of a whole batch
 * form one block, so a frame is one allocation and is read through views, without copying.
 *
 * @module
 */
import type { BatchStep } from "../environment.ts";
import { Refusal, type Shape } from "./protocol.ts";

/** Kinds of requests. The answer to kind k has kind k + 128. */
const frameKinds = { reset: 1, step: 2, state: 3, resetTo: 4 } as const;

/** Bytes in a frame's header: kind (u8), three zeros, id (u32), environments (u32), zero (u32). */
export const headerBytes = 16;

/** Bit that marks the kind of an answer. */
const answerBit = 0x80;

/** Largest seed. Every language and every JSON parser represents integers up to it exactly. */
export const maxSeed: number = Number.MAX_SAFE_INTEGER;

/** A request to the environments `indices`, which are distinct. */
export type Request = { readonly id: number; readonly indices: readonly number[] } & RequestBody;

/** A request without its id and its environments. */
export type RequestBody =
  | { readonly kind: "reset"; readonly seeds: readonly number[] }
  | { readonly kind: "step"; readonly actions: Float64Array }
  | { readonly kind: "state" }
  | { readonly kind: "resetTo"; readonly qpos: Float64Array; readonly qvel: Float64Array };

/** Returns the bytes of a request's values for one environment, without its index. */
function requestWidth(kind: RequestBody["kind"], shape: Shape): number {
  switch (kind) {
    case "reset":
      return 8;
    case "step":
      return 8 * shape.actionSize;
    case "state":
      return 0;
    case "resetTo":
      return 8 * ((shape.stateSize?.qpos ?? 0) + (shape.stateSize?.qvel ?? 0));
  }
}

/** Encodes a request: header, values, then the environments' indices (u32 each). */
export function encodeRequest(request: Request, shape: Shape): ArrayBuffer {
  const n = request.indices.length;
  const values = n * requestWidth(request.kind, shape);
  const frame = new ArrayBuffer(headerBytes + values + 4 * n);
  writeHeader(frame, frameKinds[request.kind], request.id, n);
  switch (request.kind) {
    case "reset": {
      const view = new DataView(frame);
      request.seeds.forEach((seed, k) => {
        view.setUint32(headerBytes + 8 * k, seed >>> 0, true);
        view.setUint32(headerBytes + 8 * k + 4, Math.floor(seed / 2 ** 32), true);
      });
      break;
    }
    case "step":
      new Float64Array(frame, headerBytes, request.actions.length).set(request.actions);
      break;
    case "resetTo": {
      new Float64Array(frame, headerBytes, request.qpos.length).set(request.qpos);
      new Float64Array(frame, headerBytes + 8 * request.qpos.length, request.qvel.length)
        .set(request.qvel);
      break;
    }
  }
  new Uint32Array(frame, headerBytes + values).set(request.indices);
  return frame;
}

/**
 * Decodes a request.
 *
 * @throws {Refusal} If the kind or the length is wrong, an index is out of range or repeated, or a
 * seed is out of range (`malformed`); if a value is not finite (`not-finite`); or if the
 * environment has no simulator state (`unsupported`).
 */
export function decodeRequest(frame: ArrayBuffer, shape: Shape): Request {
  if (frame.byteLength < headerBytes) {
    throw new Refusal(
      "malformed",
      `a frame must begin with a header of ${headerBytes} bytes, got ${frame.byteLength} bytes in total`,
    );
  }
  const view = new DataView(frame);
  const id = view.getUint32(4, true);
  const refuse = (
    message: string,
    code: Refusal["code"] = "malformed",
    environment: number | null = null,
  ): never => {
    throw new Refusal(code, message, { request: id, environment });
  };
  const kind = kindNames.get(view.getUint8(0)) ?? refuse(`unknown kind ${view.getUint8(0)}`);
  if (view.getUint8(1) || view.getUint16(2, true) || view.getUint32(12, true)) {
    refuse(`${kind}: bytes 1 to 3 and 12 to 15 of the header must be 0`);
  }
  if ((kind === "state" || kind === "resetTo") && shape.stateSize === null) {
    refuse("this environment has no simulator state", "unsupported");
  }
  const n = view.getUint32(8, true);
  if (n < 1 || n > shape.count) {
    refuse(`${kind}: the request is for ${n} environments, but the batch has ${shape.count}`);
  }
  const values = n * requestWidth(kind, shape);
  const expected = headerBytes + values + 4 * n;
  if (frame.byteLength !== expected) {
    refuse(`${kind} of ${n} environments must have ${expected} bytes, got ${frame.byteLength}`);
  }
  const indices = Array.from(new Uint32Array(frame, headerBytes + values, n));
  const beyond = indices.find((index) => index >= shape.count);
  if (beyond !== undefined) {
    refuse(`${kind}: there is no environment ${beyond}; the batch has ${shape.count}`);
  }
  if (new Set(indices).size !== n) refuse(`${kind}: an environment is listed twice`);

  /**
   * Returns `n * width` float64 values from byte `offset`, `width` per environment. Refuses NaN and
   * infinity.
   */
  const finite = (offset: number, width: number, what: string): Float64Array => {
    const block = new Float64Array(frame, offset, n * width);
    const bad = block.findIndex((value) => !Number.isFinite(value));
    if (bad !== -1) {
      const environment = indices[Math.floor(bad / width)]!;
      refuse(
        `${what} of environment ${environment} has ${block[bad]} in entry ${bad % width}; ` +
          "every entry must be finite",
        "not-finite",
        environment,
      );
    }
    return block;
  };

  switch (kind) {
    case "reset": {
      const seeds = indices.map((index, k) => {
        const low = view.getUint32(headerBytes + 8 * k, true);
        const seed = view.getUint32(headerBytes + 8 * k + 4, true) * 2 ** 32 + low;
        return seed <= maxSeed
          ? seed
          : refuse(`reset: the seed of environment ${index} is above 2^53 - 1`);
      });
      return { kind, id, indices, seeds };
    }
    case "step":
      return { kind, id, indices, actions: finite(headerBytes, shape.actionSize, "the action") };
    case "state":
      return { kind, id, indices };
    case "resetTo": {
      const { qpos, qvel } = shape.stateSize!;
      return {
        kind,
        id,
        indices,
        qpos: finite(headerBytes, qpos, "the position"),
        qvel: finite(headerBytes + 8 * n * qpos, qvel, "the velocity"),
      };
    }
  }
}

const kindNames: ReadonlyMap<number, RequestBody["kind"]> = new Map(
  Object.entries(frameKinds).map(([name, code]) => [code, name as RequestBody["kind"]]),
);

/** Encodes the answer to `reset` and `resetTo`: observations `[n, observationSize]`. */
export function encodeObservations(
  kind: "reset" | "resetTo",
  id: number,
  n: number,
  observations: Float64Array,
): ArrayBuffer {
  return encodeBlocks(kind, id, n, [observations]);
}

/** Encodes the answer to `state`: positions, then velocities. */
export function encodeState(
  id: number,
  n: number,
  state: { readonly qpos: Float64Array; readonly qvel: Float64Array },
): ArrayBuffer {
  return encodeBlocks("state", id, n, [state.qpos, state.qvel]);
}

/**
 * Encodes the answer to `step`: observations, rewards, terminated flags (u8), truncated flags (u8).
 */
export function encodeStep(id: number, n: number, step: BatchStep): ArrayBuffer {
  const frame = encodeBlocks("step", id, n, [step.observations, step.rewards], 2 * n);
  new Uint8Array(frame, frame.byteLength - 2 * n, n).set(step.terminated);
  new Uint8Array(frame, frame.byteLength - n, n).set(step.truncated);
  return frame;
}

function encodeBlocks(
  kind: RequestBody["kind"],
  id: number,
  n: number,
  blocks: readonly Float64Array[],
  tailBytes = 0,
): ArrayBuffer {
  const size = blocks.reduce((sum, block) => sum + block.length, 0);
  const frame = new ArrayBuffer(headerBytes + 8 * size + tailBytes);
  writeHeader(frame, frameKinds[kind] | answerBit, id, n);
  const values = new Float64Array(frame, headerBytes, size);
  let offset = 0;
  for (const block of blocks) {
    values.set(block, offset);
    offset += block.length;
  }
  return frame;
}

/**
 * Decodes the answer to `reset`, `resetTo` or `state`. Returns consecutive blocks as views of the
 * frame; block k has `widths[k]` float64 values per environment.
 *
 * @throws {Error} If the frame does not answer the request.
 */
export function decodeBlocks<const W extends readonly number[]>(
  frame: ArrayBuffer,
  request: Request,
  widths: W,
): { [K in keyof W]: Float64Array } {
  return checkedBlocks(frame, request, widths, 0) as { [K in keyof W]: Float64Array };
}

/**
 * Decodes the answer to `step`, as views of the frame.
 *
 * @throws {Error} If the frame does not answer the request.
 */
export function decodeStep(frame: ArrayBuffer, request: Request, shape: Shape): BatchStep {
  const n = request.indices.length;
  const [observations, rewards] = checkedBlocks(frame, request, [shape.observationSize, 1], 2 * n);
  const terminated = new Uint8Array(frame, frame.byteLength - 2 * n, n);
  const truncated = new Uint8Array(frame, frame.byteLength - n, n);
  if (terminated.some((flag) => flag > 1) || truncated.some((flag) => flag > 1)) {
    throw new Error("step: the flags terminated and truncated must be 0 or 1");
  }
  requireFinite("reward", rewards!, request);
  return { observations: observations!, rewards: rewards!, terminated, truncated };
}

function checkedBlocks(
  frame: ArrayBuffer,
  request: Request,
  widths: readonly number[],
  tailBytes: number,
): Float64Array[] {
  const { kind, id, indices: { length: n } } = request;
  const expected = headerBytes + tailBytes + 8 * n * widths.reduce((sum, width) => sum + width, 0);
  if (frame.byteLength !== expected) {
    throw new Error(`the answer to ${kind} must have ${expected} bytes, got ${frame.byteLength}`);
  }
  const view = new DataView(frame);
  const header = [view.getUint8(0), view.getUint32(4, true), view.getUint32(8, true)];
  const wanted = [frameKinds[kind] | answerBit, id, n];
  if (header.some((field, i) => field !== wanted[i])) {
    throw new Error(`the answer's kind, id and count must be ${wanted}, got ${header}`);
  }
  let offset = headerBytes;
  const blocks = widths.map((width) => {
    const block = new Float64Array(frame, offset, n * width);
    offset += block.byteLength;
    return block;
  });
  if (kind !== "state") requireFinite("observation", blocks[0]!, request);
  return blocks;
}

/**
 * Rejects values that are not finite, `[n, …]`: scores and data made of them would be worthless.
 */
function requireFinite(
  name: "reward" | "observation",
  values: Float64Array,
  { kind, indices }: Request,
): void {
  const at = values.findIndex((value) => !Number.isFinite(value));
  if (at < 0) return;
  const width = values.length / indices.length;
  throw new Error(
    `${kind}: the ${name} of environment ${indices[Math.floor(at / width)]} is not finite ` +
      `(entry ${at % width} is ${values[at]})`,
  );
}

function writeHeader(frame: ArrayBuffer, kind: number, id: number, n: number): void {
  const view = new DataView(frame);
  view.setUint8(0, kind);
  view.setUint32(4, id, true);
  view.setUint32(8, n, true);
}
