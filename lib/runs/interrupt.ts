/** What a loop asks between two chunks of work. */
export interface Interrupt extends Disposable {
  /** True once the person has asked to stop. */
  readonly requested: boolean;
}

/** What {@linkcode watchInterrupt} does on a signal; tests put their own in place. */
export interface InterruptActions {
  /** Tells the person what happens now. */
  readonly announce: (message: string) => void;
  /** Ends the process. */
  readonly exit: (code: number) => void;
  /** A clock in milliseconds. */
  readonly now: () => number;
}

/**
 * A second signal this soon is the same key press: a process that started this one (`deno task`)
 * may pass on what the terminal has already sent to both.
 */
const samePressMilliseconds = 300;

/** Exit code of a process that Ctrl-C ended: 128 + the signal's number. */
const interruptedExitCode = 130;

/**
 * Listens for Ctrl-C (SIGINT) and SIGTERM (on Windows Ctrl-C and Ctrl-Break) until disposed. The
 * first signal sets `requested`, which the loop polls, so that a checkpoint can be written; the second
 * ends the process at once with exit code 130.
 */
export function watchInterrupt(
  actions: InterruptActions = {
    announce: (message) => console.error(message),
    exit: Deno.exit,
    now: () => performance.now(),
  },
): Interrupt {
  const signals: readonly Deno.Signal[] = Deno.build.os === "windows"
    ? ["SIGINT", "SIGBREAK"]
    : ["SIGINT", "SIGTERM"];
  let firstAt: number | null = null;
  const onSignal = () => {
    const now = actions.now();
    if (firstAt === null) {
      firstAt = now;
      actions.announce("\nstopping after writing a checkpoint; press again to stop at once");
    } else if (now - firstAt >= samePressMilliseconds) {
      actions.exit(interruptedExitCode);
    }
  };
  for (const signal of signals) Deno.addSignalListener(signal, onSignal);
  return {
    get requested() {
      return firstAt !== null;
    },
    [Symbol.dispose]() {
      for (const signal of signals) Deno.removeSignalListener(signal, onSignal);
    },
  };
}
