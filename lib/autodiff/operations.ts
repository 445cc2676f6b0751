/**
 * The registry of operations. Each operation's file registers the names that it records; there is
 * no other list. The double-precision checks (`lib/checks`) fail for a registered name that no
 * check covers.
 *
 * @module
 */

/** Name of a registered operation. The brand exists only for the type checker. */
export type OperationName = string & { readonly registered: true };

const names = new Set<OperationName>();

/**
 * Registers an operation.
 *
 * @throws {Error} Another operation has the name.
 */
export function registerOperation(name: string): OperationName {
  if (names.has(name as OperationName)) {
    throw new Error(`registerOperation: an operation "${name}" is already registered`);
  }
  names.add(name as OperationName);
  return name as OperationName;
}

/** Returns the names of all operations whose files are loaded. */
export function operationNames(): OperationName[] {
  return [...names];
}
