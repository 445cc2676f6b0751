/**
 * Checks the fields of `config.json`, so that errors in an edited or damaged file name the field.
 *
 * @module
 */
import { UserError } from "../errors.ts";

/** The rule for the value of a field. */
export interface FieldRule {
  /** The expected value, for messages. */
  readonly expected: string;
  /** Returns whether a value is valid. */
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

/** A string. */
export const textRule: FieldRule = { expected: "a text", fits: isText };
/** A JSON object. */
export const objectRule: FieldRule = { expected: "an object", fits: isObject };
/** True or false. */
export const booleanRule: FieldRule = {
  expected: "true or false",
  fits: (value) => typeof value === "boolean",
};
/** A whole number of at least 0. */
export const countRule: FieldRule = { expected: "a whole number from 0", fits: isCount };
/** A whole number of at least 1. */
export const positiveRule: FieldRule = {
  expected: "a whole number from 1",
  fits: (value) => isCount(value) && value !== 0,
};
/** A list of one or more seeds. */
export const seedsRule: FieldRule = {
  expected: "a list of one or more whole numbers from 0",
  fits: (value) => isListOf(isCount)(value) && (value as unknown[]).length > 0,
};
/** A list of numbers. */
export const numbersRule: FieldRule = {
  expected: "a list of numbers",
  fits: isListOf((value) => typeof value === "number"),
};
/** A list of strings. */
export const textsRule: FieldRule = { expected: "a list of texts", fits: isListOf(isText) };
/** A list of objects. */
export const objectsRule: FieldRule = { expected: "a list of objects", fits: isListOf(isObject) };
/** An object of lists. */
export const listsRule: FieldRule = {
  expected: "an object of lists",
  fits: (value) => isObject(value) && Object.values(value).every(Array.isArray),
};

/** Returns a rule that also allows null. */
export function nullable({ expected, fits }: FieldRule): FieldRule {
  return { expected: `${expected}, or null`, fits: (value) => value === null || fits(value) };
}

/** Returns a rule that allows the field to be absent. */
export function optional(rule: FieldRule): FieldRule {
  return { ...rule, optional: true };
}

/**
 * Checks that an object has the fields of `rules` and no others.
 *
 * @param file Name of the file, for messages.
 * @param prefix Path of the object in the file, such as `data.`.
 * @throws {UserError} If a field is missing, unknown, or does not match its rule.
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
      `${file}: field "${prefix}${unknown}" is unknown to this version; ` +
        `the known fields are ${Object.keys(rules).join(", ")}`,
    );
  }
}
