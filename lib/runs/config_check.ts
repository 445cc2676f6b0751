/**
 * Checks what `config.json` holds, so that a file that was edited or damaged is refused with the name of
 * the field.
 *
 * @module
 */
import { UserError } from "../errors.ts";

/** What a field must hold. */
export interface FieldRule {
  /** What is expected, for the message. */
  readonly expected: string;
  /** Whether a value is that. */
  readonly fits: (value: unknown) => boolean;
  /** Whether the field may be absent. */
  readonly optional?: boolean;
}

const isText = (value: unknown) => typeof value === "string";
const isCount = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 0;
const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isListOf = (fits: (value: unknown) => boolean) => (value: unknown) =>
  Array.isArray(value) && value.every(fits);

/** A text. */
export const textRule: FieldRule = { expected: "a text", fits: isText };
/** An object. */
export const objectRule: FieldRule = { expected: "an object", fits: isObject };
/** True or false. */
export const booleanRule: FieldRule = {
  expected: "true or false",
  fits: (value) => typeof value === "boolean",
};
/** A whole number from 0. */
export const countRule: FieldRule = { expected: "a whole number from 0", fits: isCount };
/** A whole number from 1. */
export const positiveRule: FieldRule = {
  expected: "a whole number from 1",
  fits: (value) => isCount(value) && value !== 0,
};
/** Seeds, at least one. */
export const seedsRule: FieldRule = {
  expected: "a list of one or more whole numbers from 0",
  fits: (value) => isListOf(isCount)(value) && (value as unknown[]).length > 0,
};
/** Numbers. */
export const numbersRule: FieldRule = {
  expected: "a list of numbers",
  fits: isListOf((value) => typeof value === "number"),
};
/** Texts. */
export const textsRule: FieldRule = { expected: "a list of texts", fits: isListOf(isText) };
/** Objects. */
export const objectsRule: FieldRule = { expected: "a list of objects", fits: isListOf(isObject) };
/** Lists by name. */
export const listsRule: FieldRule = {
  expected: "an object of lists",
  fits: (value) => isObject(value) && Object.values(value).every(Array.isArray),
};

/** The rule, or null. */
export function nullable({ expected, fits }: FieldRule): FieldRule {
  return { expected: `${expected}, or null`, fits: (value) => value === null || fits(value) };
}

/** The rule for a field that may be absent. */
export function optional(rule: FieldRule): FieldRule {
  return { ...rule, optional: true };
}

/**
 * Checks that an object has the fields of `rules` and no others.
 *
 * @param file Names the file in messages.
 * @param prefix Path of the object in it, such as `data.`.
 * @throws {UserError} A field is missing, unknown, or of another type than its rule says.
 */
export function checkFields(
  value: unknown,
  rules: Readonly<Record<string, FieldRule>>,
  file: string,
  prefix = "",
): void {
  const object = isObject(value) ? value : {};
  for (const [name, { expected, fits, optional }] of Object.entries(rules)) {
    const field = `field "${prefix}${name}"`;
    if (!Object.hasOwn(object, name)) {
      if (optional) continue;
      throw new UserError(`${file}: ${field} is missing`);
    }
    if (!fits(object[name])) {
      throw new UserError(
        `${file}: ${field} needs ${expected}, found ${JSON.stringify(object[name]).slice(0, 80)}`,
      );
    }
  }
  const unknown = Object.keys(object).find((name) => !Object.hasOwn(rules, name));
  if (unknown !== undefined) {
    throw new UserError(
      `${file}: field "${prefix}${unknown}" is not known to this version; ` +
        `there are ${Object.keys(rules).join(", ")}`,
    );
  }
}
