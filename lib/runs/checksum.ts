/**
 * Checksums of the files of a run. Every file that a run reads again carries one: JSON files as
 * their last field, rows of `metrics.jsonl` likewise, and safetensors files in their metadata. A
 * file without a checksum, of an earlier version or from another program, is accepted.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";
import { UserError } from "../errors.ts";
import { parseJson } from "../schema.ts";

/** Returns the SHA-256 of the parts in hexadecimal. */
export function sha256(...parts: readonly (string | Uint8Array)[]): string {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest("hex");
}

/** Returns JSON with the names of every object in order, for hashes. */
export function canonical(value: unknown): string {
  return JSON.stringify(
    value,
    (_, part) =>
      part !== null && typeof part === "object" && !Array.isArray(part)
        ? Object.fromEntries(Object.entries(part).toSorted(([a], [b]) => a < b ? -1 : 1))
        : part,
  );
}

/** Returns the text of a JSON file with its checksum. */
export function sealJson(value: object): string {
  return JSON.stringify({ ...value, checksum: sha256(JSON.stringify(value)) }, null, 2) + "\n";
}

/**
 * Returns the value in a JSON file, without its checksum.
 *
 * @param advice What to do about a changed file, for the message.
 * @throws {UserError} If the text is not JSON, or its checksum differs.
 */
export function openJson(text: string, file: string, advice: string): unknown {
  const value = parseJson(text, file);
  if (!isObject(value) || !Object.hasOwn(value, "checksum")) return value;
  const { checksum, ...rest } = value;
  if (sha256(JSON.stringify(rest)) !== checksum) {
    throw new UserError(
      `${file} was changed after it was written (its checksum differs); ${advice}`,
    );
  }
  return rest;
}

/** Returns a line of JSON with a CRC-32 as its last field, without a line break. */
export function sealLine(value: object): string {
  return JSON.stringify({ ...value, crc32: crcOf(value) });
}

/**
 * Returns the value in a line of JSON, without its CRC-32.
 *
 * @param place File and number of the line, for messages.
 * @throws {UserError} If the line is not JSON, or its CRC-32 differs.
 */
export function openLine(line: string, place: string): unknown {
  const value = parseJson(line, place);
  if (!isObject(value) || !Object.hasOwn(value, "crc32")) return value;
  const { crc32, ...rest } = value;
  if (crcOf(rest) !== crc32) {
    throw new UserError(`${place} was changed after it was written (its CRC-32 differs)`);
  }
  return rest;
}

function crcOf(value: object): string {
  return crc32(JSON.stringify(value)).toString(16).padStart(8, "0");
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
