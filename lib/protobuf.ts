/**
 * Encodes messages of Protocol Buffers. Formats that use them (ONNX, TensorBoard's events) define
 * the numbers and types of their fields.
 *
 * @module
 */

const utf8 = new TextEncoder();

/** Returns a message of encoded fields. */
export function message(fields: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(fields.reduce((total, { length }) => total + length, 0));
  let at = 0;
  for (const field of fields) {
    bytes.set(field, at);
    at += field.length;
  }
  return bytes;
}

/** Returns a field of type `bytes`, or an embedded message. */
export function bytesField(number: number, bytes: Uint8Array): Uint8Array {
  return message([varint(number << 3 | 2), varint(bytes.length), bytes]);
}

/** Returns a field of type `string`. */
export function textField(number: number, text: string): Uint8Array {
  return bytesField(number, utf8.encode(text));
}

/**
 * Returns a field of an integer type.
 *
 * @param value A whole number of 0 or more, below 2⁵³.
 */
export function varintField(number: number, value: number): Uint8Array {
  return message([varint(number << 3), varint(value)]);
}

/** Returns a field of type `float`. */
export function floatField(number: number, value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setFloat32(0, value, true);
  return message([varint(number << 3 | 5), bytes]);
}

/** Returns a field of type `double`. */
export function doubleField(number: number, value: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setFloat64(0, value, true);
  return message([varint(number << 3 | 1), bytes]);
}

/** Encodes seven bits per byte, lowest first. All bytes but the last have the highest bit set. */
function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  for (; value >= 0x80; value = Math.floor(value / 0x80)) bytes.push(value % 0x80 | 0x80);
  return Uint8Array.of(...bytes, value);
}
