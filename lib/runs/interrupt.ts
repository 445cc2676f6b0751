import { UserError } from "../errors.ts";

/** State of the interruption by signals. A loop polls it between chunks of work. */
export interface Interrupt extends Disposable {
  /** True after the first signal. */
  readonly requested: boolean;
  /** Aborted by the first signal, for code that waits instead of polling. */
  readonly signal: AbortSignal;
  /** Exit code of the first signal; null before it. */
  readonly exitCode: number | null;
}

/** Actions of {@linkcode watchInterrupt}, which tests replace. */
export interface InterruptActions {
  /** Prints a message. */
  readonly announce: (message: string) => void;
  /** Ends the process. */
  readonly exit: (code: number) => void;
  /** Returns the time in milliseconds. */
  readonly now: () => number;
}

/**
 * A second signal within this time counts as the same key press, because the parent process (`deno
 * task`) may forward a signal that the terminal already sent to both.
 */
const samePressMilliseconds = 300;

/** Exit codes by signal. A closing terminal (SIGHUP) has the same code as SIGTERM. */
const exitCodes: Readonly<Partial<Record<Deno.Signal, number>>> = Deno.build.os === "windows"
  ? { SIGINT: 130, SIGBREAK: 130 }
  : { SIGINT: 130, SIGTERM: 143, SIGHUP: 143 };

/** Returns whether SIGHUP is ignored; false where that is not known. */
function isHangupIgnored(): boolean {
  const path = "/proc/self/status";
  if (Deno.permissions.querySync({ name: "read", path }).state !== "granted") return false;
  try {
    const status = Deno.readTextFileSync(path);
    // The lowest bit of the mask of ignored signals is SIGHUP, number 1.
    return parseInt(/^SigIgn:\s*\S*(\S)$/m.exec(status)![1]!, 16) % 2 === 1;
  } catch {
    return false;
  }
}

/**
 * Whether SIGHUP was ignored at start, as under `nohup`. Once Deno listens to any signal, SIGHUP
 * ends the process unless it has a listener, so it gets one that does nothing. This is read when
 * the module is loaded, because opening an engine resets SIGHUP.
 */
const ignoresHangup = isHangupIgnored();

/**
 * Listens for Ctrl-C (SIGINT), SIGTERM and, unless it was ignored, SIGHUP (on Windows, Ctrl-C and
 * Ctrl-Break) until disposed. The first signal sets `requested` and aborts `signal`. The second one
 * exits the process at once with its exit code.
 *
 * @param message Message to print on the first signal.
 */
export function watchInterrupt(
  message: string,
  actions: InterruptActions = {
    // Printing fails if the terminal has closed. The checkpoint must be written all the same.
    announce: (text) => {
      try {
        console.error(text);
      } catch { /* The terminal has closed. */ }
    },
    exit: Deno.exit,
    now: () => performance.now(),
  },
): Interrupt {
  const controller = new AbortController();
  let first: { readonly at: number; readonly code: number } | null = null;
  const listeners = Object.entries(exitCodes).map(([signal, code]) =>
    [signal as Deno.Signal, () => {
      if (signal === "SIGHUP" && ignoresHangup) return;
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
