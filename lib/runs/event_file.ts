/**
 * TensorBoard's event files: records of TFRecord, each with an `Event` message of protocol buffers.
 * Only scalars are written. The format is that of TensorFlow's `record_writer.h`, `event.proto` and
 * `summary.proto`.
 *
 * @module
 */

/** A scalar at a step. */
export interface Scalar {
  /** Name in TensorBoard. Those with the same part before the first slash share a group. */
  readonly tag: string;
  /** The value; stored in single precision. */
  readonly value: number;
}

/** Returns the first event of a file. */
export function versionEvent(seconds: number): Uint8Array {
  return message([doubleField(1, seconds), textField(3, "brain.Event:2")]);
}

/**
 * Returns an event with scalars.
 *
 * @param seconds Time of measurement, seconds since 1970.
 */
export function scalarEvent(
  seconds: number,
  step: number,
  scalars: readonly Scalar[],
): Uint8Array {
  const values = scalars.map(({ tag, value }) =>
    bytesField(1, message([textField(1, tag), floatField(2, value)]))
  );
  // Protocol buffers omit a field with the default value.
  const steps = step === 0 ? [] : [varintField(2, step)];
  return message([doubleField(1, seconds), ...steps, bytesField(5, message(values))]);
}

/** Returns a record: length, data, and a masked CRC-32C of each. */
export function record(data: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(16 + data.length);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(data.length), true);
  view.setUint32(8, maskedCrc(bytes.subarray(0, 8)), true);
  bytes.set(data, 12);
  view.setUint32(12 + data.length, maskedCrc(data), true);
  return bytes;
}

function maskedCrc(bytes: Uint8Array): number {
  const crc = crc32c(bytes);
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

/** Returns the CRC-32C (Castagnoli, RFC 3720) of bytes. */
export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = (crc >>> 8) ^ table[(crc ^ byte) & 0xff]!;
  return ~crc >>> 0;
}

const table = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  return crc;
});

function message(fields: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(fields.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const field of fields) {
    bytes.set(field, at);
    at += field.length;
  }
  return bytes;
}

function doubleField(number: number, value: number): Uint8Array {
  const bytes = new Uint8Array(9);
  bytes[0] = (number << 3) | 1;
  new DataView(bytes.buffer).setFloat64(1, value, true);
  return bytes;
}

function floatField(number: number, value: number): Uint8Array {
  const bytes = new Uint8Array(5);
  bytes[0] = (number << 3) | 5;
  new DataView(bytes.buffer).setFloat32(1, value, true);
  return bytes;
}

function varintField(number: number, value: number): Uint8Array {
  return Uint8Array.from([number << 3, ...varint(value)]);
}

function textField(number: number, text: string): Uint8Array {
  return bytesField(number, new TextEncoder().encode(text));
}

function bytesField(number: number, bytes: Uint8Array): Uint8Array {
  return message([Uint8Array.from([(number << 3) | 2, ...varint(bytes.length)]), bytes]);
}

/** Encodes a whole number from 0 in groups of seven bits, the lowest first. */
function varint(value: number): number[] {
  const groups = [];
  for (; value >= 128; value = Math.floor(value / 128)) groups.push((value % 128) | 128);
  return [...groups, value];
}
