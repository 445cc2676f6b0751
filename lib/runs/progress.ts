/**
 * The progress line of a stage: `critic  12,000/20,000  60 %  312 steps/s  0:26 left  q_loss 0.0123`.
 * On a terminal it rewrites itself; elsewhere plain lines come at intervals. It goes to stderr, so that
 * the last line of stdout is free for a program to read.
 *
 * @module
 */

/** What a progress line shows. */
export interface ProgressState {
  /** Name of the stage, for example `critic`. */
  readonly stage: string;
  /** Steps done. */
  readonly step: number;
  /** Steps of the whole stage. */
  readonly total: number;
  /** Steps per second, smoothed; null before the first measurement. */
  readonly stepsPerSecond: number | null;
  /** The losses that matter, in the order shown. */
  readonly losses: Readonly<Record<string, number>>;
  /** Seconds that later stages are expected to take; absent or null where there are none, or not known. */
  readonly laterSeconds?: number | null;
  /** Episodes of the evaluations beside it; absent where there are none. */
  readonly evaluation?: EpisodeCount;
}

/** How far evaluations are. */
export interface EpisodeCount {
  /** Episodes that have ended. */
  readonly done: number;
  /** Episodes planned so far. */
  readonly planned: number;
}

/** One progress line. */
export function formatProgress(state: ProgressState): string {
  const { stage, step, total, stepsPerSecond, losses, laterSeconds, evaluation } = state;
  const percent = total === 0 ? 100 : Math.floor((100 * step) / total);
  const parts = [stage.padEnd(8), `${grouped(step)}/${grouped(total)}`, `${percent} %`];
  if (stepsPerSecond !== null && stepsPerSecond > 0) {
    parts.push(`${formatRate(stepsPerSecond)} steps/s`);
    if (step < total) {
      const left = (total - step) / stepsPerSecond;
      const all = laterSeconds ? ` (all stages ${formatDuration(left + laterSeconds)})` : "";
      parts.push(`${formatDuration(left)} left${all}`);
    }
  }
  for (const [name, value] of Object.entries(losses)) parts.push(`${name} ${formatLoss(value)}`);
  if (evaluation) {
    parts.push(`evaluated ${grouped(evaluation.done)}/${grouped(evaluation.planned)} episodes`);
  }
  return parts.join("  ");
}

/** A time in seconds as `0:07`, `12:34`, `3:02:10` or `2 d 3:02:10`. */
export function formatDuration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const two = (value: number) => String(value).padStart(2, "0");
  const days = Math.floor(whole / 86400);
  const hours = Math.floor(whole / 3600) % 24;
  const minutes = Math.floor(whole / 60) % 60;
  const clock = days + hours > 0
    ? `${hours}:${two(minutes)}:${two(whole % 60)}`
    : `${minutes}:${two(whole % 60)}`;
  return days > 0 ? `${days} d ${clock}` : clock;
}

/** A loss with four significant digits or more: `12.35`, `0.01235`, `12346`, `1.235e-7`. */
export function formatLoss(value: number): string {
  const size = Math.abs(value);
  if (!Number.isFinite(value)) return String(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e6)) return value.toExponential(3);
  return size >= 1e4 ? value.toFixed(0) : value.toPrecision(4);
}

function formatRate(rate: number): string {
  return rate >= 100 ? grouped(Math.round(rate)) : rate.toPrecision(rate >= 10 ? 3 : 2);
}

function grouped(value: number): string {
  return value.toLocaleString("en-US");
}

/** Steps per second over roughly the last `memory` seconds: both sums fade at the same pace. */
export class Rate {
  readonly #memory: number;
  #steps = 0;
  #seconds = 0;

  /**
   * A rate that knows nothing yet.
   *
   * @param memory Time in seconds after which a measurement has faded to 37 %.
   */
  constructor(memory = 10) {
    this.#memory = memory;
  }

  /** Takes in that `steps` steps took `seconds`. */
  add(steps: number, seconds: number): void {
    const fade = Math.exp(-seconds / this.#memory);
    this.#steps = this.#steps * fade + steps;
    this.#seconds = this.#seconds * fade + seconds;
  }

  /** Steps per second; null before any time has passed. */
  get perSecond(): number | null {
    return this.#seconds > 0 ? this.#steps / this.#seconds : null;
  }
}

/** Where a progress line is written; {@linkcode standardError} is the one of this process. */
export interface ProgressOutput {
  /** True where a line can rewrite itself. */
  readonly terminal: boolean;
  /** Columns of the terminal; longer lines are cut there. */
  columns(): number;
  /** Writes text as it stands. */
  write(text: string): void;
  /** A clock in milliseconds. */
  now(): number;
}

/** The stderr of this process as an output for progress. */
export function standardError(): ProgressOutput {
  const encoder = new TextEncoder();
  return {
    terminal: Deno.stderr.isTerminal(),
    columns: () => {
      try {
        return Deno.consoleSize().columns;
      } catch {
        return 100; // stdin, stdout and stderr may each be redirected; the size is then unknown
      }
    },
    write: (text) => {
      const bytes = encoder.encode(text);
      for (let done = 0; done < bytes.length;) done += Deno.stderr.writeSync(bytes.subarray(done));
    },
    now: () => performance.now(),
  };
}

/** Shortest time between two drawings of the line on a terminal, in milliseconds. */
const redrawMilliseconds = 100;
/** Time between two plain lines, in milliseconds. */
const plainMilliseconds = 10_000;

/**
 * Seconds that the stages after this one are expected to take, given its present pace in steps per
 * second; null where that is not known.
 */
export type LaterStages = (stepsPerSecond: number) => number | null;

/** Draws the progress of one stage. */
export class Progress {
  readonly #stage: string;
  readonly #total: number;
  readonly #output: ProgressOutput;
  readonly #rate = new Rate();
  #step: number;
  #losses: Readonly<Record<string, number>> = {};
  #measuredAt: number;
  #drawnAt = -Infinity;
  #drawn = "";
  #evaluation: EpisodeCount | undefined;
  readonly #later: LaterStages;

  /**
   * Starts the clock; nothing is drawn before the first update.
   *
   * @param stage Name of the stage.
   * @param total Its steps.
   * @param output Where to draw.
   * @param step Steps done already, where a run is resumed.
   * @param later What later stages take.
   */
  constructor(
    stage: string,
    total: number,
    output: ProgressOutput,
    step = 0,
    later: LaterStages = () => null,
  ) {
    this.#stage = stage;
    this.#total = total;
    this.#output = output;
    this.#step = step;
    this.#later = later;
    this.#measuredAt = output.now();
  }

  /** Takes in that `step` steps are done, with the losses of the latest, and draws when it is time. */
  update(step: number, losses: Readonly<Record<string, number>>): void {
    const now = this.#output.now();
    this.#rate.add(step - this.#step, (now - this.#measuredAt) / 1000);
    this.#measuredAt = now;
    this.#step = step;
    this.#losses = losses;
    this.#drawInTime(now);
  }

  /** Takes in how many episodes of evaluations have ended, and draws when it is time. */
  evaluated(done: number, planned: number): void {
    this.#evaluation = { done, planned };
    this.#drawInTime(this.#output.now());
  }

  /** Leaves time out of the rate in which no steps were meant to be made, such as an evaluation. */
  skipTime(): void {
    this.#measuredAt = this.#output.now();
  }

  /** Writes a line of its own above the progress line. */
  note(text: string): void {
    this.#output.write(this.#output.terminal ? `\r\x1b[K${text}\n` : `${text}\n`);
    if (this.#output.terminal) this.#draw(this.#output.now());
  }

  /** Draws the last state and leaves the line standing. */
  finish(): void {
    const now = this.#output.now();
    if (this.#output.terminal || this.#drawn !== this.#line()) this.#draw(now);
    if (this.#output.terminal) this.#output.write("\n");
  }

  #drawInTime(now: number): void {
    const interval = this.#output.terminal ? redrawMilliseconds : plainMilliseconds;
    if (now - this.#drawnAt >= interval) this.#draw(now);
  }

  #line(): string {
    const stepsPerSecond = this.#rate.perSecond;
    return formatProgress({
      stage: this.#stage,
      step: this.#step,
      total: this.#total,
      stepsPerSecond,
      losses: this.#losses,
      laterSeconds: stepsPerSecond === null ? null : this.#later(stepsPerSecond),
      ...(this.#evaluation && { evaluation: this.#evaluation }),
    });
  }

  #draw(now: number): void {
    const line = this.#line();
    this.#output.write(
      this.#output.terminal
        ? `\r\x1b[K${line.slice(0, Math.max(1, this.#output.columns() - 1))}`
        : `${line}\n`,
    );
    this.#drawnAt = now;
    this.#drawn = line;
  }
}
