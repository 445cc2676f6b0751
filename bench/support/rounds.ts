/**
 * Timing in rounds: contestants take turns at a task, so that other load on the machine affects all
 * of them alike. Medians are compared; the best round shows the effect of other load.
 *
 * @module
 */
import { formatTable } from "../../lib/report/table.ts";
import { parseArgs } from "@std/cli/parse-args";
import type { Contestant } from "./contestant.ts";
import type { Task } from "./tasks.ts";

/** How often and how long each task is measured. */
export interface Budget {
  /** Number of measured rounds, after one warm-up round. */
  readonly rounds: number;
  /** Target duration of a turn in seconds; at least one step is taken. */
  readonly seconds: number;
}

/** Returns the usual budget; with `--rounds N`, N rounds of a third of the usual time each. */
export function budget(usual: Budget): Budget {
  const given = Number(parseArgs(Deno.args, { string: ["rounds"] }).rounds);
  return given >= 1 ? { rounds: given, seconds: usual.seconds / 3 } : usual;
}

/** Seconds per step over the rounds. */
export interface Timing {
  readonly median: number;
  readonly best: number;
}

/** A task and the contestant that runs it. */
export interface Entry {
  readonly contestant: Contestant;
  readonly task: Task;
}

/** Times entries that take turns. */
export async function timeInTurns(
  entries: readonly Entry[],
  { rounds, seconds }: Budget,
): Promise<Timing[]> {
  const times = entries.map((): number[] => []);
  for (let round = 0; round <= rounds; round++) {
    for (const [e, { contestant, task }] of entries.entries()) {
      const warmUp = round === 0;
      const { steps, seconds: taken } = await contestant.ask({
        ask: "time",
        task,
        seconds: warmUp ? seconds / 4 : seconds,
      });
      if (!warmUp) times[e]!.push(taken / steps);
    }
  }
  return times.map(timingOf);
}

/** Returns the median and the best of several times. */
export function timingOf(times: readonly number[]): Timing {
  const sorted = times.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  const median = (sorted[Math.ceil(middle) - 1]! + sorted[Math.floor(middle)]!) / 2;
  return { median, best: sorted[0]! };
}

/** A table with a title above and notes below. */
export interface Table {
  readonly title: string;
  readonly header: readonly string[];
  readonly rows: readonly (readonly (string | number)[])[];
  readonly notes?: readonly string[];
}

/**
 * Prints each table at once with the machine below it, or all tables as one JSON object at the end.
 */
export class Printer {
  readonly #json: boolean;
  readonly #tables: Table[] = [];
  readonly #machine: string;

  /** @param machine Description of the machine. */
  constructor(json: boolean, machine: string) {
    this.#json = json;
    this.#machine = machine;
  }

  /** Prints a table. */
  print(table: Table): void {
    this.#tables.push(table);
    if (this.#json) return;
    console.log(`\n${table.title}\n\n${formatTable(table.header, table.rows)}`);
    for (const note of table.notes ?? []) console.log(note);
    console.log(this.#machine);
  }

  /** Ends the output. */
  finish(): void {
    if (this.#json) console.log(JSON.stringify({ machine: this.#machine, tables: this.#tables }));
  }
}

/** Formats a number with at least three significant digits. */
export function digits(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}
