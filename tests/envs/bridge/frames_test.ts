import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import {
  decodeBlocks,
  decodeRequest,
  decodeStep,
  encodeObservations,
  encodeRequest,
  encodeState,
  encodeStep,
  type Request,
} from "../../../lib/envs/bridge/frames.ts";
import { Refusal } from "../../../lib/envs/bridge/protocol.ts";
import docs from "../../../docs/bridge.md" with { type: "text" };

const shape = { count: 3, observationSize: 2, actionSize: 1, stateSize: { qpos: 2, qvel: 1 } };

const examples: { title: string; frame: ArrayBuffer }[] = [
  {
    title: "reset",
    frame: encodeRequest({ kind: "reset", id: 1, indices: [0, 2], seeds: [7, 2 ** 32] }, shape),
  },
  {
    title: "step",
    frame: encodeRequest(
      { kind: "step", id: 2, indices: [0, 2], actions: Float64Array.of(0.5, -1) },
      shape,
    ),
  },
  {
    title: "answer to step",
    frame: encodeStep(2, 2, {
      observations: Float64Array.of(1, 2, 3, 4),
      rewards: Float64Array.of(0.25, -0.5),
      terminated: Uint8Array.of(0, 1),
      truncated: Uint8Array.of(1, 0),
    }),
  },
];

for (const { title, frame } of examples) {
  Deno.test(`encode…() matches the bytes of the example "${title}" in docs/bridge.md`, () => {
    const block = docs.split(`Example: ${title}\n`)[1]!.split("```")[1]!;
    const bytes = block.split("\n").flatMap((line) =>
      line.split("|")[0]!.match(/\b[0-9a-f]{2}\b/g) ?? []
    );
    assertEquals(new Uint8Array(frame), Uint8Array.from(bytes, (byte) => parseInt(byte, 16)));
  });
}

const requests: Request[] = [
  { kind: "reset", id: 2 ** 32 - 1, indices: [2, 0, 1], seeds: [0, 2 ** 53 - 1, 2 ** 32 + 5] },
  { kind: "step", id: 0, indices: [1], actions: Float64Array.of(-3.5) },
  { kind: "state", id: 7, indices: [0, 1, 2] },
  {
    kind: "resetTo",
    id: 8,
    indices: [1, 0],
    qpos: Float64Array.of(1, 2, 3, 4),
    qvel: Float64Array.of(5, 6),
  },
];

for (const request of requests) {
  Deno.test(`decodeRequest() inverts encodeRequest(): ${request.kind} of ${request.indices.length} environments`, () => {
    assertEquals(decodeRequest(encodeRequest(request, shape), shape), request);
  });
}

Deno.test("decodeRequest() names the environment and entry of a NaN", () => {
  const actions = Float64Array.of(0, 0, 0, NaN);
  const wide = { ...shape, actionSize: 2 };
  const frame = encodeRequest({ kind: "step", id: 3, indices: [2, 1], actions }, wide);
  const refusal = assertThrows(() => decodeRequest(frame, wide), Refusal);
  assertEquals([refusal.code, refusal.request, refusal.environment], ["not-finite", 3, 1]);
  assertMatch(refusal.message, /environment 1 has NaN in entry 1/);
});

Deno.test("decodeRequest() refuses state requests if the environment has no state", () => {
  const stateless = { ...shape, stateSize: null };
  for (const request of requests.slice(2)) {
    const frame = encodeRequest(request, shape);
    assertEquals(
      assertThrows(() => decodeRequest(frame, stateless), Refusal).code,
      "unsupported",
    );
  }
});

Deno.test("decodeStep() and decodeBlocks() return views of the answer's values", () => {
  const step: Request = { kind: "step", id: 2, indices: [0, 2], actions: new Float64Array(2) };
  assertEquals(decodeStep(examples[2]!.frame, step, shape), {
    observations: Float64Array.of(1, 2, 3, 4),
    rewards: Float64Array.of(0.25, -0.5),
    terminated: Uint8Array.of(0, 1),
    truncated: Uint8Array.of(1, 0),
  });
  const qpos = Float64Array.of(1, 2, 3, 4);
  const qvel = Float64Array.of(5, 6);
  const state: Request = { kind: "state", id: 9, indices: [0, 1] };
  assertEquals(decodeBlocks(encodeState(9, 2, { qpos, qvel }), state, [2, 1]), [qpos, qvel]);
  const reset: Request = { kind: "reset", id: 9, indices: [0, 1], seeds: [1, 2] };
  assertEquals(decodeBlocks(encodeObservations("reset", 9, 2, qpos), reset, [2]), [qpos]);
});

Deno.test("decodeStep() refuses a wrong length, kind, id or count, and flags above 1", () => {
  const step: Request = { kind: "step", id: 2, indices: [0, 2], actions: new Float64Array(2) };
  const changed = (at: number, value: number) => {
    const frame = examples[2]!.frame.slice(0);
    new Uint8Array(frame)[at] = value;
    return frame;
  };
  const good = examples[2]!.frame;
  for (
    const [frame, message] of [
      [good.slice(0, -1), "must have 68 bytes, got 67"],
      [new ArrayBuffer(0), "must have 68 bytes, got 0"],
      [changed(0, 0x81), "must be 130,2,2, got 129,2,2"],
      [changed(0, 2), "got 2,2,2"],
      [changed(4, 3), "got 130,3,2"],
      [changed(8, 1), "got 130,2,1"],
      [changed(good.byteLength - 1, 2), "must be 0 or 1"],
    ] as const
  ) assertThrows(() => decodeStep(frame, step, shape), Error, message);
});

Deno.test("decodeStep() and decodeBlocks() name the environment of a value that is not finite", () => {
  const step: Request = { kind: "step", id: 2, indices: [0, 2], actions: new Float64Array(2) };
  const { observationSize } = shape;
  const answer = (change: (observations: Float64Array, rewards: Float64Array) => void) => {
    const observations = new Float64Array(2 * observationSize);
    const rewards = new Float64Array(2);
    change(observations, rewards);
    const flags = { terminated: new Uint8Array(2), truncated: new Uint8Array(2) };
    return encodeStep(2, 2, { observations, rewards, ...flags });
  };
  decodeStep(answer(() => {}), step, shape);
  assertThrows(
    () => decodeStep(answer((_, rewards) => rewards[1] = NaN), step, shape),
    Error,
    "step: the reward of environment 2 is not finite (entry 0 is NaN)",
  );
  assertThrows(
    () => decodeStep(answer((observations) => observations[1] = Infinity), step, shape),
    Error,
    "step: the observation of environment 0 is not finite (entry 1 is Infinity)",
  );
  const reset: Request = { kind: "reset", id: 2, indices: [1], seeds: [0] };
  const frame = encodeObservations("reset", 2, 1, new Float64Array(observationSize).fill(NaN));
  assertThrows(
    () => decodeBlocks(frame, reset, [observationSize]),
    Error,
    "reset: the observation of environment 1 is not finite",
  );
});
