import fc from "fast-check";
import { encodeRequest } from "../../../lib/envs/bridge/frames.ts";
import type { Shape } from "../../../lib/envs/bridge/protocol.ts";

/**
 * Messages that a server has to refuse, few of them right by chance: frames with odd values, broken
 * frames, broken hellos, any JSON, any text, any bytes.
 */
export function malformedMessages(
  shape: Shape & { stateSize: { qpos: number; qvel: number } },
  hello: Record<string, unknown>,
): fc.Arbitrary<string | Uint8Array<ArrayBuffer>> {
  const double = fc.oneof(
    { arbitrary: fc.double(), weight: 20 },
    { arbitrary: fc.constantFrom(NaN, Infinity, -Infinity), weight: 1 },
  );
  const doubles = (length: number) =>
    fc.array(double, { minLength: length, maxLength: length })
      .map((values) => Float64Array.from(values));
  /** Requests that are right in form; NaN and infinity occur. */
  const frames = fc.uniqueArray(fc.nat({ max: shape.count - 1 }), { minLength: 1 })
    .chain((indices) => {
      const n = indices.length;
      const body = fc.oneof(
        fc.array(fc.maxSafeNat(), { minLength: n, maxLength: n })
          .map((seeds) => ({ kind: "reset" as const, seeds })),
        doubles(n * shape.actionSize).map((actions) => ({ kind: "step" as const, actions })),
        fc.constant({ kind: "state" as const }),
        fc.tuple(doubles(n * shape.stateSize.qpos), doubles(n * shape.stateSize.qvel))
          .map(([qpos, qvel]) => ({ kind: "resetTo" as const, qpos, qvel })),
      );
      return fc.tuple(fc.nat({ max: 2 ** 32 - 1 }), body)
        .map(([id, body]) => new Uint8Array(encodeRequest({ ...body, id, indices }, shape)));
    });
  /** Frames with bytes changed, cut off or added. */
  const brokenFrames = fc.tuple(
    frames,
    fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { maxLength: 3 }),
    fc.oneof(fc.constant(0), fc.integer({ min: -24, max: 24 })),
  ).map(([frame, changes, longer]) => {
    const broken = new Uint8Array(Math.max(0, frame.length + longer));
    broken.set(frame.subarray(0, broken.length));
    for (const [at, value] of changes) broken[at % Math.max(1, broken.length)] = value;
    return broken;
  });
  /** Hellos with one field changed or added. */
  const brokenHellos = fc.tuple(
    fc.constantFrom("type", "protocol", "environment", "count", "surplus"),
    fc.jsonValue(),
  ).map(([field, value]) => JSON.stringify({ ...hello, [field]: value }));
  return fc.oneof(
    { arbitrary: brokenFrames, weight: 4 },
    { arbitrary: brokenHellos, weight: 1 },
    { arbitrary: fc.json(), weight: 1 },
    { arbitrary: fc.string({ unit: "binary" }), weight: 1 },
    {
      arbitrary: fc.uint8Array({ maxLength: 300 }).map((bytes) => new Uint8Array(bytes)),
      weight: 1,
    },
  );
}
