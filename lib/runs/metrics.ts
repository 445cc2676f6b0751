/**
 * `metrics.jsonl`: one line of JSON per seed and variant at each logged step, appended during
 * training. `docs/run-directory.md` describes the rows.
 *
 * @module
 */
import * as v from "valibot";
import type { EpisodeRecord } from "../envs/evaluation.ts";
import { UserError } from "../errors.ts";
import { kinds, parseValue } from "../schema.ts";
import { openLine, sealLine } from "./checksum.ts";
import { writeAtomic } from "./files.ts";
import { assertFinite } from "./finite.ts";
import { assertOwn } from "./identity.ts";

/** Metrics by name. */
export type Metrics = Readonly<Record<string, number>>;

/** Identifies a replica of a stage. */
export interface ReplicaName {
  /** Random seed. */
  readonly seed: number;
  /** Name of the sweep's variant, in stages that are trained per variant; else null. */
  readonly variant: string | null;
}

/** One line of the file. */
export interface MetricsRow extends ReplicaName {
  /** Time of writing, ISO 8601 in UTC. */
  readonly time: string;
  /** Name of the stage, for example `critic`. */
  readonly stage: string;
  /** Completed steps of the stage. */
  readonly step: number;
  /** Losses (means over the logged interval), or the figures of an evaluation. */
  readonly metrics: Metrics;
  /** The episodes of an evaluation; null in a row of losses. */
  readonly episodes: readonly EpisodeRecord[] | null;
  /**
   * SHA-256 of the evaluated checkpoint. Absent in a row of losses and in rows of versions before
   * 0.4.
   */
  readonly checkpoint?: string;
  /** Id of the run (`identity.ts`). Absent in rows of versions before 0.4. */
  readonly run_id?: string;
}

/** The schema of the episodes of an evaluation. */
export const episodesSchema = v.array(v.strictObject({
  seed: kinds.count,
  return: kinds.number,
  length: kinds.count,
  score: v.nullable(kinds.number),
  reached_goal: v.nullable(kinds.flag),
}));

/** The schema of a row. */
export const rowSchema: v.GenericSchema<unknown, MetricsRow> = v.strictObject({
  time: kinds.text,
  stage: kinds.name,
  step: kinds.count,
  seed: kinds.count,
  variant: v.nullable(kinds.name),
  metrics: v.record(v.string(), kinds.number),
  episodes: v.nullable(episodesSchema),
  checkpoint: v.exactOptional(kinds.sha256),
  run_id: v.exactOptional(kinds.text),
});

/** Returns whether two replicas are the same. */
export function sameReplica(a: ReplicaName, b: ReplicaName): boolean {
  return a.seed === b.seed && a.variant === b.variant;
}

/** The metrics file of a run, open for appending. */
export class MetricsFile implements Disposable {
  readonly #path: string;
  readonly #id: string | undefined;
  #file: Deno.FsFile;
  readonly #encoder = new TextEncoder();
  /** The lines appended while the file is replaced. */
  #held: Uint8Array[] = [];
  #replacing: Promise<void> | null = null;

  /** Use `create` or `resume`. */
  private constructor(path: string, id: string | undefined, options: Deno.OpenOptions) {
    this.#path = path;
    this.#id = id;
    this.#file = Deno.openSync(path, options);
  }

  /**
   * Creates the file of a new run.
   *
   * @param id Id of the run, for its rows.
   */
  static create(path: string, id?: string): MetricsFile {
    return new MetricsFile(path, id, { createNew: true, append: true });
  }

  /**
   * Opens the file of a resumed run. Removes the rows that `keep` rejects, and an incomplete last
   * line left by a killed process.
   *
   * @param id Id of the run, for further rows.
   * @throws {UserError} If a line other than the last is not a row, or the file cannot be written.
   */
  static async resume(
    path: string,
    keep: (row: MetricsRow) => boolean = () => true,
    id?: string,
  ): Promise<MetricsFile> {
    const text = Deno.readTextFileSync(path);
    const kept = linesKept(text, path, keep);
    if (kept !== text) await writeAtomic(path, kept);
    return new MetricsFile(path, id, { append: true });
  }

  /**
   * Appends a row with the current time. On return, the operating system has the row, unless rows
   * are being removed.
   *
   * @throws {UserError} If a metric is not finite, or the file cannot be written.
   */
  append(row: Omit<MetricsRow, "time" | "run_id">): void {
    this.copy({ ...row, time: new Date().toISOString() });
  }

  /**
   * Appends an existing row with its original time. A row of another run gets the id of this one.
   *
   * @throws {UserError} As {@linkcode append}.
   */
  copy(row: MetricsRow): void {
    const bytes = this.#encoder.encode(lineOf(row, this.#id));
    if (this.#replacing) this.#held.push(bytes);
    else this.#write(bytes);
  }

  /**
   * Removes the rows that `keep` rejects. Call it once at a time. Rows may be appended meanwhile.
   *
   * @throws {UserError} If the file cannot be written.
   */
  async remove(keep: (row: MetricsRow) => boolean): Promise<void> {
    const text = Deno.readTextFileSync(this.#path);
    const kept = linesKept(text, this.#path, keep);
    if (kept === text) return;
    this.#replacing = writeAtomic(this.#path, kept);
    this.#file.close();
    try {
      await this.#replacing;
    } finally {
      this.#replacing = null;
      this.#file = Deno.openSync(this.#path, { append: true });
      for (const bytes of this.#held.splice(0)) this.#write(bytes);
    }
  }

  #write(bytes: Uint8Array): void {
    let done = 0;
    try {
      while (done < bytes.length) done += this.#file.writeSync(bytes.subarray(done));
    } catch (error) {
      // Another row may follow, so no part of a line may stay.
      if (done > 0) this.#file.truncateSync(this.#file.statSync().size - done);
      throw new UserError(`cannot write ${this.#path}: ${(error as Error).message}`);
    }
  }

  /** Flushes the rows to disk, for use before writing a checkpoint that refers to them. */
  async flush(): Promise<void> {
    await this.#replacing?.catch(() => {}); // remove() throws it.
    this.#file.syncDataSync();
  }

  /** Closes the file. */
  [Symbol.dispose](): void {
    this.#file.close();
  }
}

/**
 * Writes a metrics file whole, replacing one that exists.
 *
 * @throws {UserError} As {@linkcode MetricsFile.append}.
 */
export async function writeMetrics(path: string, rows: readonly MetricsRow[]): Promise<void> {
  await writeAtomic(path, rows.map((row) => lineOf(row)).join(""));
}

/** Returns the line of a row, with its fields in order and without others. */
function lineOf(
  { time, stage, step, seed, variant, metrics, episodes, checkpoint }: MetricsRow,
  id?: string,
): string {
  assertFinite(stage, step, metrics);
  const row: MetricsRow = {
    time,
    stage,
    step,
    seed,
    variant,
    metrics,
    episodes,
    ...(checkpoint !== undefined && { checkpoint }),
    ...(id !== undefined && { run_id: id }),
  };
  return `${sealLine(row)}\n`;
}

/**
 * Reads a metrics file. A missing file has no rows, and an incomplete last line is ignored.
 *
 * @param id Id of the run, if the rows are to be compared with it.
 * @throws {UserError} If the file cannot be read, or a line other than the last is not a row or
 * belongs to another run.
 */
export function readMetrics(path: string, id?: string): MetricsRow[] {
  let text: string;
  try {
    text = Deno.readTextFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw new UserError(`cannot read ${path}: ${(error as Error).message}`);
  }
  return wholeLines(text).map((line, i) => parseRow(line, path, i, id));
}

/** Returns the whole lines of a metrics file whose rows `keep` accepts. */
function linesKept(text: string, path: string, keep: (row: MetricsRow) => boolean): string {
  return wholeLines(text).filter((line, i) => keep(parseRow(line, path, i)))
    .map((line) => `${line}\n`).join("");
}

/** Returns the lines that end with a line break. */
function wholeLines(text: string): string[] {
  return text.split("\n").slice(0, -1);
}

/**
 * Parses a line of a metrics file.
 *
 * @param index Index of the line, for messages.
 * @param id Id of the run, if the row is to be compared with it.
 * @throws {UserError} If it is not a row, or belongs to another run.
 */
export function parseRow(line: string, path: string, index: number, id?: string): MetricsRow {
  const place = `${path}, line ${index + 1}`;
  try {
    const row = parseValue(rowSchema, openLine(line, place), place);
    if (id !== undefined) assertOwn(place, row.run_id, id);
    return row;
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    throw new UserError(`${error.message}; restore the file, or delete the line`);
  }
}
