/**
 * Rounds: contestants take turns at a task, again and again, so that what else a machine does takes
 * from all of them alike. Medians are to be compared; the best round beside them shows what was taken.
 *
 * @module
 */
import { formatTable } from "../../lib/report/table.ts";
import type { Contestant } from "./contestant.ts";
import type { Task } from "./tasks.ts";

/** Seconds of a step over the rounds. */
export interface Timing {
  readonly median: number;
  readonly best: number;
}

/** A task, and who does it. */
export interface Entry {
  readonly contestant: Contestant;
  readonly task: Task;
}

/**
 * Times entries that take turns.
 *
 * @param rounds Rounds that count, besides one that warms up.
 * @param seconds What an entry's turn should take; at least one step is taken.
 */
export async function timeInTurns(
  entries: readonly Entry[],
  { rounds, seconds }: { readonly rounds: number; readonly seconds: number },
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

/** Median and best of several times. */
export function timingOf(times: readonly number[]): Timing {
  const sorted = times.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  const median = (sorted[Math.ceil(middle) - 1]! + sorted[Math.floor(middle)]!) / 2;
  return { median, best: sorted[0]! };
}

/** A table, its title above and what must be known beside it below. */
export interface Table {
  readonly title: string;
  readonly header: readonly string[];
  readonly rows: readonly (readonly (string | number)[])[];
  readonly notes?: readonly string[];
}

/** Prints tables as they come, or, at the end, all of them as one JSON object. */
export class Printer {
  readonly #json: boolean;
  readonly #tables: Table[] = [];
  readonly #machine: string;

  /** @param machine What the tables are measured on. */
  constructor(json: boolean, machine: string) {
    this.#json = json;
    this.#machine = machine;
    if (!json) console.log(machine);
  }

  /** Prints a table. */
  print(table: Table): void {
    this.#tables.push(table);
    if (this.#json) return;
    console.log(`\n${table.title}\n\n${formatTable(table.header, table.rows)}`);
    for (const note of table.notes ?? []) console.log(note);
  }

  /** Ends the output. */
  finish(): void {
    if (this.#json) console.log(JSON.stringify({ machine: this.#machine, tables: this.#tables }));
  }
}

/** A number with three digits that count. */
export function digits(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}
