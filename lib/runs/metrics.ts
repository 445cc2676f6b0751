/**
 * `metrics.jsonl`: one line of JSON for each seed and variant at each logged step of a run, appended as
 * it trains. `docs/run-directory.md` describes the rows.
 *
 * @module
 */
import type { EpisodeRecord } from "../envs/evaluation.ts";
import { UserError } from "../errors.ts";

/** Metrics by name. */
export type Metrics = Readonly<Record<string, number>>;

/** What a row belongs to on a stage's replica axis. */
export interface ReplicaName {
  /** Seed of everything random. */
  readonly seed: number;
  /** Name of a sweep's variant in the policy stage, else null. */
  readonly variant: string | null;
}

/** One line of the file. Every line has every field. */
export interface MetricsRow extends ReplicaName {
  /** When it was written, ISO 8601 in UTC. */
  readonly time: string;
  /** Stage of the run, for example `critic`. */
  readonly stage: string;
  /** Steps of the stage done. */
  readonly step: number;
  /** What was measured: losses (means over the logged interval), or an evaluation's figures. */
  readonly metrics: Metrics;
  /** The episodes of an evaluation; null in a row of losses. */
  readonly episodes: readonly EpisodeRecord[] | null;
}

/** Whether two replicas are the same. */
export function sameReplica(a: ReplicaName, b: ReplicaName): boolean {
  return a.seed === b.seed && a.variant === b.variant;
}

/**
 * Refuses numbers that are not finite.
 *
 * @throws UserError naming stage, step, metric and, where there are several, the replica.
 */
export function assertFinite(
  stage: string,
  step: number,
  metrics: Readonly<Record<string, number | readonly number[]>>,
): void {
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
   * Opens the file of a run that goes on, without the rows that `keep` refuses and without half a line
   * that a killed process left.
   *
   * @throws UserError where another line than the last is no row.
   */
  static resume(path: string, keep: (row: MetricsRow) => boolean = () => true): MetricsFile {
    const text = Deno.readTextFileSync(path);
    const kept = wholeLines(text).filter((line) => keep(parseRow(line, path)))
      .map((line) => `${line}\n`).join("");
    if (kept !== text) {
      const temporary = `${path}.${Deno.pid}.tmp`;
      Deno.writeTextFileSync(temporary, kept);
      Deno.renameSync(temporary, path);
    }
    return new MetricsFile(path, { append: true });
  }

  /**
   * Appends a row with the present time, which has reached the operating system when this returns.
   *
   * @throws UserError on a metric that is not finite, and where the disk takes no more.
   */
  append(row: Omit<MetricsRow, "time">): void {
    this.copy({ ...row, time: new Date().toISOString() });
  }

  /**
   * Appends a row that was written before, with its own time.
   *
   * @throws UserError as {@linkcode append} does.
   */
  copy({ time, stage, step, seed, variant, metrics, episodes }: MetricsRow): void {
    assertFinite(stage, step, metrics);
    const row: MetricsRow = { time, stage, step, seed, variant, metrics, episodes };
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

/**
 * Reads a metrics file; a file that is not there has no rows, and half a line at its end is no row.
 *
 * @throws UserError where another line than the last is no row.
 */
export function readMetrics(path: string): MetricsRow[] {
  try {
    return wholeLines(Deno.readTextFileSync(path)).map((line) => parseRow(line, path));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

/** The lines that end with a line break. */
function wholeLines(text: string): string[] {
  return text.split("\n").slice(0, -1);
}

function parseRow(line: string, path: string): MetricsRow {
  let row: Partial<MetricsRow> | null = null;
  try {
    row = JSON.parse(line);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  if (
    typeof row?.stage === "string" && typeof row.step === "number" &&
    typeof row.seed === "number" && typeof row.metrics === "object"
  ) return row as MetricsRow;
  throw new UserError(
    `${path}: expected a JSON row with time, stage, step, seed, variant, metrics and episodes, ` +
      `found ${line.slice(0, 80)}`,
  );
}
