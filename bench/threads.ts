/**
 * Compares numbers of compute threads of Mesa's software driver: `deno run -A bench/threads.ts
 * [--json] [--rounds N]`.
 *
 * It prints the milliseconds per step of the stages, with networks and batches of 8 and at the
 * paper's sizes, with one thread per CPU, with one thread, and with none, so that the thread that
 * submits computes alone. The second table is measured beside a process that keeps one CPU busy.
 *
 * @module
 */
import { type Contestant, startOurs } from "./support/contestant.ts";
import { machineLine } from "./support/machine.ts";
import { budget, digits, Printer, timeInTurns } from "./support/rounds.ts";
import type { StepTask } from "./support/tasks.ts";

const turns = budget({ rounds: 7, seconds: 0.4 });
const tasks: readonly (readonly [name: string, task: StepTask])[] = [
  ["critic, sizes of 8", { step: "critic", tiny: true }],
  ["critic, sizes of 8, six seeds", { step: "critic", tiny: true, seeds: 6 }],
  ["behavior, sizes of 8", { step: "behavior", tiny: true }],
  ["behavior, sizes of 8, six seeds", { step: "behavior", tiny: true, seeds: 6 }],
  ["policy, sizes of 8", { step: "policy", tiny: true }],
  ["policy, sizes of 8, six seeds", { step: "policy", tiny: true, seeds: 6 }],
  ["critic, the paper's sizes", { step: "critic" }],
  ["policy, the paper's sizes", { step: "policy" }],
];

/** Prints the milliseconds per step of all contestants. */
async function compare(
  printer: Printer,
  title: string,
  contestants: readonly Contestant[],
): Promise<void> {
  const rows: string[][] = [];
  for (const [name, task] of tasks) {
    const timings = await timeInTurns(
      contestants.map((contestant) => ({ contestant, task })),
      turns,
    );
    rows.push([
      name,
      ...timings.map(({ median, best }) => `${digits(1e3 * median)} (${digits(1e3 * best)})`),
    ]);
  }
  printer.print({
    title: `${title}: milliseconds per step, median (best) of ${turns.rounds} rounds`,
    header: ["", `${navigator.hardwareConcurrency} threads`, "one thread", "none"],
    rows,
  });
}

await using all = await startOurs({ threads: navigator.hardwareConcurrency });
await using one = await startOurs({ threads: 1 });
await using none = await startOurs({ threads: 0 });
const contestants = [all, one, none];
const printer = new Printer(Deno.args.includes("--json"), await machineLine(all.device));
await compare(printer, "Alone", contestants);
const neighbor = new Deno.Command(Deno.execPath(), { args: ["eval", "for (;;) {}"] }).spawn();
try {
  await compare(printer, "Beside a busy process", contestants);
} finally {
  neighbor.kill();
  await neighbor.status;
}
printer.finish();
