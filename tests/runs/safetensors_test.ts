import { assertEquals, assertThrows } from "@std/assert";
import { UserError } from "../../lib/errors.ts";
import { decode, encode, floatTensor, type SafeTensor } from "../../lib/runs/safetensors.ts";

/** Returns a file with the given header and number of data bytes. */
function file(header: unknown, dataBytes: number): Uint8Array {
  const json = new TextEncoder().encode(
    typeof header === "string" ? header : JSON.stringify(header),
  );
  const bytes = new Uint8Array(8 + json.length + dataBytes);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(json.length), true);
  bytes.set(json, 8);
  return bytes;
}

const tensors = new Map<string, SafeTensor>([
  ["flags", { dtype: "U8", shape: [3], data: Uint8Array.of(1, 0, 255) }],
  ["weight", { dtype: "F32", shape: [2, 2], data: Float32Array.of(1.5, -2, NaN, 1e-40) }],
  ["exact", { dtype: "F64", shape: [], data: Float64Array.of(Math.PI) }],
  ["none", { dtype: "F32", shape: [0, 4], data: new Float32Array(0) }],
  ["count", { dtype: "I64", shape: [1], data: BigInt64Array.of(-(2n ** 62n)) }],
  ["index", { dtype: "U32", shape: [1], data: Uint32Array.of(4294967295) }],
  ["sign", { dtype: "I32", shape: [1], data: Int32Array.of(-7) }],
]);

Deno.test("decode() returns what encode() was given, bit for bit", () => {
  const read = decode(encode(tensors, { step: "12", ünï: "x" }), "a.safetensors");
  assertEquals(read.metadata, { step: "12", ünï: "x" });
  for (const [name, tensor] of tensors) assertEquals(read.tensors.get(name), tensor, name);
  assertEquals(read.tensors.size, tensors.size);
});

Deno.test("encode() pads the header to 8 bytes and aligns every tensor to its item size", () => {
  const bytes = encode(tensors);
  const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
  assertEquals(length % 8, 0);
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)));
  for (const [name, { data }] of tensors) {
    assertEquals(header[name].data_offsets[0] % data.BYTES_PER_ELEMENT, 0, name);
  }
});

Deno.test("encode() rejects data that does not match the shape", () => {
  const bad: SafeTensor = { dtype: "F32", shape: [3], data: new Float32Array(2) };
  assertThrows(() => encode(new Map([["w", bad]])), Error, "tensor w is F32 [3]");
});

Deno.test("decode() reads unaligned data", () => {
  const bytes = file({ w: { dtype: "F32", shape: [1], data_offsets: [0, 4] } }, 4);
  new DataView(bytes.buffer).setFloat32(bytes.length - 4, 2.5, true);
  assertEquals(decode(bytes, "f").tensors.get("w")?.data, Float32Array.of(2.5));
});

const w = { dtype: "F32", shape: [1], data_offsets: [0, 4] };
const broken: [claim: string, bytes: Uint8Array, message: string][] = [
  ["an empty file", new Uint8Array(0), "f: not a safetensors file: it has only 0 bytes"],
  ["another format", new TextEncoder().encode("PK this is a zip"), "header would have"],
  ["a file cut in its header", file({ w }, 4).subarray(0, 20), "f: truncated: the header ends"],
  ["a file cut in its data", file({ w }, 2), "f: tensor w: data_offsets [0, 4]"],
  ["a header that is not JSON", file("{w", 0), "its header is not JSON"],
  ["a header that is a list", file("[1]", 0), "its header is not a JSON object"],
  ["an entry that is not an object", file({ w: 3 }, 0), "tensor w: its header entry"],
  ["an unknown dtype", file({ w: { ...w, dtype: "F16" } }, 4), 'tensor w: dtype "F16"'],
  ["an inherited dtype", file({ w: { ...w, dtype: "toString" } }, 4), "tensor w: dtype"],
  ["a negative size", file({ w: { ...w, shape: [-1] } }, 4), "tensor w: shape [-1]"],
  [
    "a shape that does not match the offsets",
    file({ w: { ...w, shape: [2] } }, 4),
    "takes 8 bytes",
  ],
  ["offsets backwards", file({ w: { ...w, data_offsets: [4, 0] } }, 4), "data_offsets [4, 0]"],
  ["one offset", file({ w: { ...w, data_offsets: [4] } }, 4), "expected a begin and an end"],
  [
    "overlapping tensors",
    file({ w, v: { ...w, data_offsets: [2, 6] } }, 6),
    "overlapping tensor w",
  ],
  ["a gap", file({ w, v: { ...w, data_offsets: [8, 12] } }, 12), "leaving a gap after tensor w"],
  ["bytes after the last tensor", file({ w }, 5), "f: 1 bytes follow tensor w"],
  ["metadata that are not strings", file({ __metadata__: { a: 1 } }, 0), "__metadata__"],
];
for (const [claim, bytes, message] of broken) {
  Deno.test(`decode() rejects ${claim}`, () => {
    assertThrows(() => decode(bytes, "f"), UserError, message);
  });
}

Deno.test("floatTensor() rejects a missing tensor and another type or shape, naming file and tensor", () => {
  const read = decode(encode(tensors), "f");
  assertEquals(floatTensor(read, "weight", [2, 2], "f").length, 4);
  assertThrows(() => floatTensor(read, "bias", [2], "f"), UserError, "f: tensor bias is missing");
  assertThrows(() => floatTensor(read, "exact", [], "f"), UserError, "should be F32, but is F64");
  assertThrows(() => floatTensor(read, "weight", [4], "f"), UserError, "should have shape [4]");
});
