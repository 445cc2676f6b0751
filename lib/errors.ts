/**
 * An error caused by the user's input or machine. The command line prints only its message, without
 * a stack trace, and exits with `exitCode`.
 *
 * The message states what was expected, what was found, where, and what to do.
 */
export class UserError extends Error {
  /** Name of the error class. */
  override readonly name = "UserError";
  /** Exit code of the command line for this error. */
  readonly exitCode: number;

  /** Creates an error with a message for the user. */
  constructor(message: string, exitCode = 1) {
    super(message);
    this.exitCode = exitCode;
  }
}

/**
 * Returns the message for an error of a missing permission; null for any other error. Deno reports
 * such errors by a class of its own or, when a module is loaded, only by the message; and a package
 * may wrap them.
 */
export function missingPermission(error: unknown): UserError | null {
  if (error instanceof SuppressedError) return missingPermission(error.error);
  const [denied] = /Requires \w+ access.*--allow-\w+ flag/.exec((error as Error)?.message) ?? [];
  return denied === undefined
    ? null
    : new UserError(`missing permission: ${denied}, or with -A to grant all permissions`);
}
