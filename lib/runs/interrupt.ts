import { UserError } from "../errors.ts";

/** What a loop asks between two chunks of work. */
export interface Interrupt extends Disposable {
  /** True once the person, or the system, has asked to stop. */
  readonly requested: boolean;
  /** Aborted by the first signal, for work that waits instead of asking. */
  readonly signal: AbortSignal;
  /** Exit code that belongs to the first signal: 128 + its number. Null before there is one. */
  readonly exitCode: number | null;
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

/** Exit codes by signal. A terminal that closes (SIGHUP) asks for the same as SIGTERM does. */
const exitCodes: Readonly<Partial<Record<Deno.Signal, number>>> = Deno.build.os === "windows"
  ? { SIGINT: 130, SIGBREAK: 130 }
  : { SIGINT: 130, SIGTERM: 143, SIGHUP: 143 };

/**
 * Listens for Ctrl-C (SIGINT), SIGTERM and SIGHUP (on Windows Ctrl-C and Ctrl-Break) until disposed. The
 * first signal sets `requested`, which a loop polls, and aborts `signal`; the second ends the process at
 * once with its exit code.
 *
 * @param message What is announced on the first signal.
 */
export function watchInterrupt(
  message: string,
  actions: InterruptActions = {
    // A terminal that has closed takes no message, which must not keep the checkpoint from being written.
    announce: (text) => {
      try {
        console.error(text);
      } catch { /* nobody reads it */ }
    },
    exit: Deno.exit,
    now: () => performance.now(),
  },
): Interrupt {
  const controller = new AbortController();
  let first: { readonly at: number; readonly code: number } | null = null;
  const listeners = Object.entries(exitCodes).map(([signal, code]) =>
    [signal as Deno.Signal, () => {
      const now = actions.now();
      if (first === null) {
        first = { at: now, code };
        actions.announce(`\n${message}; press again to stop at once`);
        controller.abort(new UserError("stopped by a signal", code));
      } else if (now - first.at >= samePressMilliseconds) {
        actions.exit(code);
      }
    }] as const
  );
  for (const [signal, listener] of listeners) Deno.addSignalListener(signal, listener);
  return {
    get requested() {
      return first !== null;
    },
    signal: controller.signal,
    get exitCode() {
      return first?.code ?? null;
    },
    [Symbol.dispose]() {
      for (const [signal, listener] of listeners) Deno.removeSignalListener(signal, listener);
    },
  };
}
