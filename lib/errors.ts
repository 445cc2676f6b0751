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
