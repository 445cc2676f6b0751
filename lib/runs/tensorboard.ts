/**
 * TensorBoard's event files of a run, written beside `metrics.jsonl` while it grows: one folder per
 * seed and variant, which TensorBoard shows as runs.
 *
 * @module
 */
import { join } from "node:path";
import { record, scalarEvent, versionEvent } from "./event_file.ts";
import { type MetricsRow, parseRow, type ReplicaName } from "./metrics.ts";
import { MetricsFollower } from "./metrics_follower.ts";

/** The event files of a run. */
export class TensorBoardFiles {
  readonly #folder: string;
  readonly #metrics: string;
  readonly #follower: MetricsFollower;
  readonly #files = new Map<string, string>();
  #rows = 0;

  /**
   * Removes the event files of an earlier process of the run. All rows are written anew, so a
   * resumed run has each row once.
   *
   * @param folder Folder of the event files; it need not exist.
   * @param metrics Path of `metrics.jsonl`.
   */
  constructor(folder: string, metrics: string) {
    this.#folder = folder;
    this.#metrics = metrics;
    this.#follower = new MetricsFollower(metrics);
    this.#clear();
  }

  /** Writes the rows that were added to the metrics file since the last call. */
  update(): void {
    const { restarted, lines } = this.#follower.read();
    if (restarted) this.#clear();
    const added = new Map<string, Uint8Array[]>();
    for (const line of lines) {
      const row = parseRow(line, this.#metrics, this.#rows++);
      const file = this.#fileOf(row);
      const events = added.get(file) ?? [];
      added.set(file, events);
      events.push(record(eventOf(row)));
    }
    for (const [path, events] of added) {
      using file = Deno.openSync(path, { append: true });
      for (const event of events) writeAll(file, event);
    }
  }

  #clear(): void {
    try {
      Deno.removeSync(this.#folder, { recursive: true });
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
    this.#files.clear();
    this.#rows = 0;
  }

  /** Returns the file of a row's replica, and creates it with the first row. */
  #fileOf({ seed, variant, time }: ReplicaName & Pick<MetricsRow, "time">): string {
    const name = variant === null ? `seed-${seed}` : `seed-${seed}-${variant}`;
    const present = this.#files.get(name);
    if (present !== undefined) return present;
    const seconds = Date.parse(time) / 1000;
    Deno.mkdirSync(join(this.#folder, name), { recursive: true });
    // TensorBoard orders the files of a folder by name, and finds them by the part "tfevents".
    const file = join(this.#folder, name, `events.out.tfevents.${Math.floor(seconds)}.srpo`);
    Deno.writeFileSync(file, record(versionEvent(seconds)));
    this.#files.set(name, file);
    return file;
  }
}

function writeAll(file: Deno.FsFile, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length;) done += file.writeSync(bytes.subarray(done));
}

function eventOf({ time, stage, step, metrics }: MetricsRow): Uint8Array {
  const scalars = Object.entries(metrics).map(([name, value]) => ({
    tag: `${stage}/${name}`,
    value,
  }));
  return scalarEvent(Date.parse(time) / 1000, step, scalars);
}
