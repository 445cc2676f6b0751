/**
 * A mistake of the person at the keyboard, or a condition of their machine: the command line prints
 * its message alone, without a stack trace, and exits with `exitCode`.
 *
 * The message says what was expected, what was found, where, and what to do.
 */
export class UserError extends Error {
  /** Name of the class, as errors have it. */
  override readonly name = "UserError";
  /** Process exit code of the command line for this error. */
  readonly exitCode: number;

  /** An error with a message for a person. */
  constructor(message: string, exitCode = 1) {
    super(message);
    this.exitCode = exitCode;
  }
}
