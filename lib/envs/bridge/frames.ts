/**
 * The binary frames of the bridge (`docs/bridge.md`, "Frames"): a 16-byte header, then float64 values,
 * then the rest, all little-endian and without padding. The numbers of a whole batch are one block, so
 * that a frame is one allocation and its views need no copy.
 *
 * @module
 */
import type { BatchStep } from "../environment.ts";
import { Refusal, type Shape } from "./protocol.ts";

/** What a frame asks for; the answer to kind k has kind k + 128. */
export const frameKinds = { reset: 1, step: 2, state: 3, resetTo: 4 } as const;

/** Bytes before a frame's values: kind (u8), three zeros, id (u32), environments (u32), zero (u32). */
export const headerBytes = 16;

/** Set in the kind of an answer. */
const answerBit = 0x80;

/** Largest seed, so that every language and every JSON reader holds it exactly. */
export const maxSeed: number = Number.MAX_SAFE_INTEGER;

/** A request about the environments `indices` (distinct), as a server reads it. */
export type Request = { readonly id: number; readonly indices: readonly number[] } & RequestBody;

/** What a request asks, without whom. */
export type RequestBody =
  | { readonly kind: "reset"; readonly seeds: readonly number[] }
  | { readonly kind: "step"; readonly actions: Float64Array }
  | { readonly kind: "state" }
  | { readonly kind: "resetTo"; readonly qpos: Float64Array; readonly qvel: Float64Array };

/** Bytes of the values of a request of `kind` for one environment, its index not counted. */
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

/** The frame of a request: header, values, then the environments' indices (u32 each). */
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
 * Reads a request's frame.
 *
 * @throws Refusal (`malformed`, `not-finite`, `unsupported`) on anything but a frame that is right to
 * the byte: kind, length, indices in range and distinct, seeds in range, finite values.
 */
export function decodeRequest(frame: ArrayBuffer, shape: Shape): Request {
  if (frame.byteLength < headerBytes) {
    throw new Refusal(
      "malformed",
      `a frame begins with ${headerBytes} bytes of header, got ${frame.byteLength} bytes in all`,
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
    refuse(`${kind}: asks for ${n} environments, the batch has ${shape.count}`);
  }
  const values = n * requestWidth(kind, shape);
  const expected = headerBytes + values + 4 * n;
  if (frame.byteLength !== expected) {
    refuse(`${kind} of ${n} environments has ${expected} bytes, got ${frame.byteLength}`);
  }
  const indices = Array.from(new Uint32Array(frame, headerBytes + values, n));
  const beyond = indices.find((index) => index >= shape.count);
  if (beyond !== undefined) {
    refuse(`${kind}: there is no environment ${beyond}, the batch has ${shape.count}`);
  }
  if (new Set(indices).size !== n) refuse(`${kind}: an environment is named twice`);

  /** `count` float64 from byte `offset`, all of them finite; `width` of them belong to each environment. */
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

/** The answer to `reset` and `resetTo`: observations `[n, observationSize]`. */
export function encodeObservations(
  kind: "reset" | "resetTo",
  id: number,
  n: number,
  observations: Float64Array,
): ArrayBuffer {
  return encodeBlocks(kind, id, n, [observations]);
}

/** The answer to `state`: positions, then velocities. */
export function encodeState(
  id: number,
  n: number,
  state: { readonly qpos: Float64Array; readonly qvel: Float64Array },
): ArrayBuffer {
  return encodeBlocks("state", id, n, [state.qpos, state.qvel]);
}

/** The answer to `step`: observations, rewards, then a byte each for terminated and truncated. */
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
 * Reads the answer to `reset`, `resetTo` or `state` (whose blocks follow each other), as views of the
 * frame: `widths` float64 per environment in each block.
 *
 * @throws Error saying how the frame departs from what was asked for.
 */
export function decodeBlocks<const W extends readonly number[]>(
  frame: ArrayBuffer,
  request: Request,
  widths: W,
): { [K in keyof W]: Float64Array } {
  return checkedBlocks(frame, request, widths, 0) as { [K in keyof W]: Float64Array };
}

/**
 * Reads the answer to `step`, as views of the frame.
 *
 * @throws Error saying how the frame departs from what was asked for.
 */
export function decodeStep(frame: ArrayBuffer, request: Request, shape: Shape): BatchStep {
  const n = request.indices.length;
  const [observations, rewards] = checkedBlocks(frame, request, [shape.observationSize, 1], 2 * n);
  const terminated = new Uint8Array(frame, frame.byteLength - 2 * n, n);
  const truncated = new Uint8Array(frame, frame.byteLength - n, n);
  if (terminated.some((flag) => flag > 1) || truncated.some((flag) => flag > 1)) {
    throw new Error("step: the flags terminated and truncated must be 0 or 1");
  }
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
    throw new Error(`the answer to ${kind} has ${expected} bytes, got ${frame.byteLength}`);
  }
  const view = new DataView(frame);
  const header = [view.getUint8(0), view.getUint32(4, true), view.getUint32(8, true)];
  const wanted = [frameKinds[kind] | answerBit, id, n];
  if (header.some((field, i) => field !== wanted[i])) {
    throw new Error(`the answer's kind, id and count must be ${wanted}, got ${header}`);
  }
  let offset = headerBytes;
  return widths.map((width) => {
    const block = new Float64Array(frame, offset, n * width);
    offset += block.byteLength;
    return block;
  });
}

function writeHeader(frame: ArrayBuffer, kind: number, id: number, n: number): void {
  const view = new DataView(frame);
  view.setUint8(0, kind);
  view.setUint32(4, id, true);
  view.setUint32(8, n, true);
}
