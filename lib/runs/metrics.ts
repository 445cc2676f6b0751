/**
 * `metrics.jsonl`: one line of JSON per logged step of a run, appended as it trains.
 *
 * @module
 */
import { UserError } from "../errors.ts";

/** The metrics of one step by name: a number, or one per replica. */
export type Metrics = Readonly<Record<string, number | readonly number[]>>;

/** One line of the file: where in the run, and what was measured there. */
export interface MetricsRow {
  /** Stage of the run, for example `critic`. */
  readonly stage: string;
  /** Steps of the stage done. */
  readonly step: number;
  /** What was measured. */
  readonly metrics: Metrics;
  /**
   * Places on the stage's replica axis that the numbers belong to, where they are not all: the others
   * were taken from the stage cache.
   */
  readonly replicas?: readonly number[];
}

/**
 * Refuses numbers that are not finite.
 *
 * @throws UserError naming stage, step, metric and, where there are several, the replica.
 */
export function assertFinite(stage: string, step: number, metrics: Metrics): void {
  for (const [name, value] of Object.entries(metrics)) {
    const replicas = typeof value === "number" ? [value] : value;
    const replica = replicas.findIndex((number) => !Number.isFinite(number));
    if (replica < 0) continue;
    const where = replicas.length > 1 ? ` of replica ${replica}` : "";
    throw new UserError(
      `${stage} stage, step ${step}: ${name}${where} is ${
        replicas[replica]
      }; the run stops here. ` +
        "A lower learning rate, or data without such values, may help",
    );
  }
}

/** The metrics file of a run, open for appending. */
export class MetricsFile implements Disposable {
  readonly #path: string;
  readonly #file: Deno.FsFile;
  readonly #encoder = new TextEncoder();

  /** Opened by `create` and `resume`. */
  private constructor(path: string, options: Deno.OpenOptions) {
    this.#path = path;
    this.#file = Deno.openSync(path, options);
  }

  /** Creates the file of a new run. */
  static create(path: string): MetricsFile {
    return new MetricsFile(path, { createNew: true, append: true });
  }

  /**
   * Opens the file of a run that is resumed after `step` steps of `stage`, and cuts off what lies
   * beyond: the first row of the stage with a later step and all that follows, or half a line that a
   * killed process left.
   *
   * @throws UserError where another line than the last is no row.
   */
  static resume(path: string, stage: string, step: number): MetricsFile {
    const bytes = Deno.readFileSync(path);
    let start = 0;
    while (start < bytes.length) {
      const end = bytes.indexOf(10, start);
      if (end < 0) break;
      const row = parseRow(new TextDecoder().decode(bytes.subarray(start, end)), path);
      if (row.stage === stage && row.step > step) break;
      start = end + 1;
    }
    Deno.truncateSync(path, start);
    return new MetricsFile(path, { append: true });
  }

  /**
   * Appends a row, which has reached the operating system when this returns.
   *
   * @throws UserError on a metric that is not finite, and where the disk takes no more.
   */
  append({ stage, step, replicas, metrics }: MetricsRow): void {
    assertFinite(stage, step, metrics);
    const row = { stage, step, ...(replicas && { replicas }), ...metrics };
    const bytes = this.#encoder.encode(JSON.stringify(row) + "\n");
    try {
      for (let done = 0; done < bytes.length;) done += this.#file.writeSync(bytes.subarray(done));
    } catch (error) {
      throw new UserError(`cannot write ${this.#path}: ${(error as Error).message}`);
    }
  }

  /** Waits until what was appended is on the disk, as before a checkpoint that refers to it. */
  flush(): void {
    this.#file.syncDataSync();
  }

  /** Closes the file. */
  [Symbol.dispose](): void {
    this.#file.close();
  }
}

/** Reads a metrics file whole. */
export function readMetrics(path: string): MetricsRow[] {
  return Deno.readTextFileSync(path).split("\n").filter((line) => line !== "")
    .map((line) => parseRow(line, path));
}

function parseRow(line: string, path: string): MetricsRow {
  try {
    const { stage, step, replicas, ...metrics } = JSON.parse(line);
    if (typeof stage === "string" && typeof step === "number") {
      return { stage, step, ...(replicas && { replicas }), metrics };
    }
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw new UserError(
    `${path}: expected a JSON row with stage and step, found ${line.slice(0, 80)}`,
  );
}
