/**
 * The registry of operations. The file of an operation registers the names under which it records, and
 * nothing else lists them; the checks against double precision (`lib/checks`) fail for a name that none
 * of them reaches.
 *
 * @module
 */

/** Name of a registered operation; the mark exists for the compiler alone. */
export type OperationName = string & { readonly registered: true };

const names = new Set<OperationName>();

/**
 * Registers an operation.
 *
 * @throws {Error} Where another operation has the name.
 */
export function registerOperation(name: string): OperationName {
  if (names.has(name as OperationName)) {
    throw new Error(`registerOperation: there are two operations "${name}"`);
  }
  names.add(name as OperationName);
  return name as OperationName;
}

/** Names of all operations whose files are loaded. */
export function operationNames(): OperationName[] {
  return [...names];
}
