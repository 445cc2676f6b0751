/**
 * The progress line of a stage:
 * `critic  12,000/20,000  60 %  312 steps/s  0:26 left  q_loss 0.0123`.
 *
 * On a terminal the line is redrawn in place. Otherwise plain lines are written at intervals.
 * Progress goes to stderr, so that programs can read the last line of stdout.
 *
 * @module
 */
import { formatDuration } from "../duration.ts";

/** The contents of a progress line. */
export interface ProgressState {
  /** Name of the stage, for example `critic`. */
  readonly stage: string;
  /** Completed steps. */
  readonly step: number;
  /** Total steps of the stage. */
  readonly total: number;
  /** Steps per second, smoothed; null before the first measurement. */
  readonly stepsPerSecond: number | null;
  /** What is counted, if not steps. */
  readonly unit?: string;
  /** The losses to show, in order. */
  readonly losses: Readonly<Record<string, number>>;
  /** Estimated seconds of later stages; absent or null if there are none or they are unknown. */
  readonly laterSeconds?: number | null;
  /** Episodes of concurrent evaluations; absent if there are none. */
  readonly evaluation?: EpisodeCount;
}

/** Progress of evaluations. */
export interface EpisodeCount {
  /** Finished episodes. */
  readonly done: number;
  /** Episodes planned so far. */
  readonly planned: number;
}

/** Formats a progress line. */
export function formatProgress(state: ProgressState): string {
  const { stage, step, total, stepsPerSecond, losses, laterSeconds, evaluation } = state;
  const { unit = "steps" } = state;
  const percent = total === 0 ? 100 : Math.floor((100 * step) / total);
  const parts = [stage.padEnd(8), `${grouped(step)}/${grouped(total)}`, `${percent} %`];
  if (stepsPerSecond !== null && stepsPerSecond > 0) {
    parts.push(`${formatRate(stepsPerSecond)} ${unit}/s`);
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

/** Formats a progress line that shares its line with others: in about 35 characters. */
export function formatShared(state: ProgressState): string {
  const { stage, step, total, stepsPerSecond, unit = "steps", evaluation } = state;
  if (evaluation) {
    return `${stage} evaluated ${grouped(evaluation.done)}/${grouped(evaluation.planned)} episodes`;
  }
  const parts = [`${stage} ${total === 0 ? 100 : Math.floor((100 * step) / total)} %`];
  if (stepsPerSecond !== null && stepsPerSecond > 0) {
    parts.push(`${formatRate(stepsPerSecond)} ${unit}/s`);
    if (step < total) parts.push(`${formatDuration((total - step) / stepsPerSecond)} left`);
  }
  return parts.join("  ");
}

/** Formats a loss with four or more significant digits: `12.35`, `0.01235`, `12346`, `1.235e-7`. */
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

/** Steps per second over roughly the last `memory` seconds, with exponential decay. */
export class Rate {
  readonly #memory: number;
  #steps = 0;
  #seconds = 0;

  /**
   * Creates a rate without measurements.
   *
   * @param memory Time in seconds after which the weight of a measurement has decayed to 37 %.
   */
  constructor(memory = 10) {
    this.#memory = memory;
  }

  /** Adds a measurement: `steps` steps took `seconds`. */
  add(steps: number, seconds: number): void {
    const fade = Math.exp(-seconds / this.#memory);
    this.#steps = this.#steps * fade + steps;
    this.#seconds = this.#seconds * fade + seconds;
  }

  /** Steps per second; null before the first measurement. */
  get perSecond(): number | null {
    return this.#seconds > 0 ? this.#steps / this.#seconds : null;
  }
}

/** Output of progress lines. {@linkcode standardError} returns the one for stderr. */
export interface ProgressOutput {
  /** True if lines can be redrawn in place. */
  readonly terminal: boolean;
  /** Returns the columns of the terminal. Longer lines are truncated. */
  columns(): number;
  /** Writes text unchanged. */
  write(text: string): void;
  /** Returns the time in milliseconds. */
  now(): number;
  /** Receives every new state, whether it is drawn or not. */
  observe?(state: ProgressState): void;
}

/**
 * Returns this process's stderr as a progress output. Once it cannot be written, for example
 * because the terminal has closed, progress is discarded: it must not end the work.
 */
export function standardError(): ProgressOutput {
  const encoder = new TextEncoder();
  let writable = true;
  return {
    terminal: Deno.stderr.isTerminal(),
    columns: () => {
      try {
        return Deno.consoleSize().columns || 100; // Some pseudo-terminals report 0.
      } catch {
        return 100; // The size is unknown if stdin, stdout and stderr are all redirected.
      }
    },
    write: (text) => {
      const bytes = encoder.encode(text);
      try {
        for (let done = 0; writable && done < bytes.length;) {
          done += Deno.stderr.writeSync(bytes.subarray(done));
        }
      } catch {
        writable = false;
      }
    },
    now: () => performance.now(),
  };
}

/** Minimum time between redraws on a terminal, in milliseconds. */
const redrawMilliseconds = 100;
/** Time between plain lines, in milliseconds. */
const plainMilliseconds = 10_000;

/**
 * Returns the estimated seconds of the later stages, given the current stage's steps per second;
 * null if unknown.
 */
export type LaterStages = (stepsPerSecond: number) => number | null;

/** The progress that is shown on each output. On a terminal, several share a line. */
const shown = new WeakMap<ProgressOutput, Set<Progress>>();

/** Erases the line on a terminal, so that something else can be written in its place. */
export function eraseProgress(output: ProgressOutput): void {
  if (output.terminal && (shown.get(output)?.size ?? 0) > 0) output.write("\r\x1b[K");
}

/** Shows the progress of one stage. */
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
  readonly #unit: string;

  /**
   * Starts the clock. Nothing is drawn before the first update.
   *
   * @param stage Name of the stage.
   * @param total Total steps of the stage.
   * @param output Output for the lines.
   * @param step Steps that were already completed, in a resumed run.
   * @param later Estimates the time of later stages.
   * @param unit What is counted.
   */
  constructor(
    stage: string,
    total: number,
    output: ProgressOutput,
    step = 0,
    later: LaterStages = () => null,
    unit = "steps",
  ) {
    this.#stage = stage;
    this.#total = total;
    this.#output = output;
    this.#step = step;
    this.#later = later;
    this.#unit = unit;
    this.#measuredAt = output.now();
  }

  /** Sets the completed steps and the latest losses, and redraws if due. */
  update(step: number, losses: Readonly<Record<string, number>>): void {
    const now = this.#output.now();
    if (step > this.#step) this.#rate.add(step - this.#step, (now - this.#measuredAt) / 1000);
    this.#measuredAt = now;
    this.#step = step;
    this.#losses = losses;
    this.#drawInTime(now);
  }

  /** Sets the finished and planned episodes of evaluations, and redraws if due. */
  evaluated(done: number, planned: number): void {
    this.#evaluation = { done, planned };
    this.#drawInTime(this.#output.now());
  }

  /**
   * Excludes the time since the last update from the rate, for example after an evaluation, and the
   * steps up to `step` too.
   */
  skipTime(step = this.#step): void {
    this.#measuredAt = this.#output.now();
    this.#step = step;
  }

  /** Writes a line above the progress line. */
  note(text: string): void {
    this.#output.write(this.#output.terminal ? `\r\x1b[K${text}\n` : `${text}\n`);
    if (this.#output.terminal) this.#draw(this.#output.now());
  }

  /** Erases the line, so that something else can be written in its place. */
  clear(): void {
    if (this.#output.terminal) this.#output.write("\r\x1b[K");
  }

  /** Draws the final state and ends the line. */
  finish(): void {
    const now = this.#output.now();
    const others = shown.get(this.#output);
    others?.delete(this);
    if (this.#output.terminal || this.#drawn !== this.#line()) this.#write(this.#line(), now);
    if (!this.#output.terminal) return;
    this.#output.write("\n");
    const [other] = others ?? [];
    if (other) other.#draw(now);
  }

  #drawInTime(now: number): void {
    this.#output.observe?.(this.#state());
    const interval = this.#output.terminal ? redrawMilliseconds : plainMilliseconds;
    if (now - this.#drawnAt >= interval) this.#draw(now);
  }

  #line(): string {
    return formatProgress(this.#state());
  }

  #state(): ProgressState {
    const stepsPerSecond = this.#rate.perSecond;
    return {
      stage: this.#stage,
      step: this.#step,
      total: this.#total,
      stepsPerSecond,
      unit: this.#unit,
      losses: this.#losses,
      laterSeconds: stepsPerSecond === null ? null : this.#later(stepsPerSecond),
      ...(this.#evaluation && { evaluation: this.#evaluation }),
    };
  }

  #draw(now: number): void {
    let group = shown.get(this.#output);
    if (!group) shown.set(this.#output, group = new Set());
    group.add(this);
    const together = this.#output.terminal && group.size > 1;
    const texts = together ? [...group].map((each) => formatShared(each.#state())) : [this.#line()];
    this.#write(texts.join("  |  "), now);
  }

  #write(line: string, now: number): void {
    this.#output.write(
      this.#output.terminal
        ? `\r\x1b[K${line.slice(0, Math.max(1, this.#output.columns() - 1))}`
        : `${line}\n`,
    );
    this.#drawnAt = now;
    this.#drawn = line;
  }
}
