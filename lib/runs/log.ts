/**
 * `train.log`: the output of a run, with a time stamp on each line. A resumed run appends to the
 * same file.
 *
 * @module
 */
import type { ProgressOutput } from "./progress.ts";
import { UserError } from "../errors.ts";

/** Minimum time between progress lines in the log, in milliseconds. */
const progressMilliseconds = 60_000;

/** The log of a run. */
export class RunLog {
  readonly #path: string;

  /** Creates a log at `path`, which need not exist yet. */
  constructor(path: string) {
    this.#path = path;
  }

  /**
   * Appends text, with a time stamp on each line.
   *
   * @throws {UserError} If the file cannot be written.
   */
  write(text: string): void {
    const time = new Date().toISOString();
    const lines = text.split("\n").filter((line) => line.trim() !== "")
      .map((line) => `${time}  ${line}\n`);
    try {
      Deno.writeTextFileSync(this.#path, lines.join(""), { append: true });
    } catch (error) {
      throw new UserError(`cannot write ${this.#path}: ${(error as Error).message}`);
    }
  }

  /** Returns a progress output that also writes to the log, once per minute and stage. */
  progress(output: ProgressOutput): ProgressOutput {
    // Several stages may be shown in turns.
    const last = new Map<string, number>();
    return {
      terminal: output.terminal,
      columns: () => output.columns(),
      now: () => output.now(),
      observe: (state) => output.observe?.(state),
      write: (text) => {
        output.write(text);
        const line = text.replaceAll("\r\x1b[K", "");
        if (line.trim() === "") return;
        const [stage] = line.split(" ", 1) as [string];
        const now = output.now();
        if (now - (last.get(stage) ?? -Infinity) < progressMilliseconds) return;
        last.set(stage, now);
        this.write(line);
      },
    };
  }
}
