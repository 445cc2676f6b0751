/**
 * Parses JSON files against schemas, with messages that name the file and the field.
 *
 * Schemas are those of Valibot. The message given to a schema is the expected value, for example
 * `v.string("a text")`.
 *
 * @module
 */
import * as v from "valibot";
import { UserError } from "./errors.ts";

/** Parts of schemas that several files share. */
export const kinds = {
  text: v.string("a text"),
  flag: v.boolean("true or false"),
  /** A finite number. */
  number: v.pipe(v.number("a number"), v.finite("a finite number")),
  /** A whole number of at least 0. */
  count: wholeNumber(0),
  /** A whole number of at least 1. */
  positive: wholeNumber(1),
  /** A SHA-256 in hexadecimal. */
  sha256: v.pipe(v.string("a SHA-256"), v.regex(/^[0-9a-f]{64}$/, "64 hexadecimal digits")),
  /** The name of a file or folder part: no path separators. */
  name: v.pipe(v.string("a name"), v.regex(/^[^/\\\0]+$/, "a name without / and \\")),
} as const;

function wholeNumber(from: number) {
  const expected = `a whole number from ${from}`;
  return v.pipe(v.number(expected), v.safeInteger(expected), v.minValue(from, expected));
}

/**
 * Parses JSON.
 *
 * @param file Name of the file, for messages.
 * @throws {UserError} If the text is not JSON.
 */
export function parseJson(text: string, file: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new UserError(`${file} is not JSON: ${(error as Error).message}`);
  }
}

/**
 * Returns a value that matches a schema.
 *
 * @param file Name of the file, for messages.
 * @throws {UserError} If a field is missing, unknown or does not match. The message names the file,
 * the field, the expected and the found value.
 */
export function parseValue<T>(
  schema: v.GenericSchema<unknown, T>,
  value: unknown,
  file: string,
): T {
  const { success, output, issues } = v.safeParse(schema, value, { abortEarly: true });
  if (success) return output;
  const [issue] = issues;
  const path = (issue.path ?? []).map(({ key }) => typeof key === "number" ? `[${key}]` : `.${key}`)
    .join("").replace(/^\./, "");
  if (path === "") {
    throw new UserError(`${file}: expected a JSON object, found ${shown(issue.input)}`);
  }
  const field = `${file}: field "${path}"`;
  if (issue.type === "strict_object" && issue.expected === "never") {
    throw new UserError(`${field} is unknown to this version`);
  }
  if (/object$/.test(issue.type) && issue.received === "undefined") {
    throw new UserError(`${field} is missing`);
  }
  const expected = issue.message.startsWith("Invalid ") ? nounOf(issue) : issue.message;
  throw new UserError(`${field} needs ${expected}, found ${shown(issue.input)}`);
}

/** The expected value of a schema without a message. */
function nounOf({ type, expected }: v.BaseIssue<unknown>): string {
  if (/object$|^record$/.test(type)) return "an object";
  if (type === "array" || type === "tuple") return "a list";
  return expected ?? type;
}

function shown(value: unknown): string {
  return (JSON.stringify(value) ?? String(value)).slice(0, 80);
}
