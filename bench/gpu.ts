/**
 * Measures the paper's schedule on a GPU: `deno run -A bench/gpu.ts [--peak-tflops X]
 * [--rounds N] [--json]`.
 *
 * It prints the steps/s of the three stages for one seed and for six in one sequence of dispatches,
 * the hours of the paper's schedule at these speeds, the adapter's measured limits, whether its
 * timestamps agree with a wall clock, and the share of the card's fp32 peak that the behavior step
 * reaches. PyTorch takes turns on the same card, with and without `torch.compile`, if
 * a Python with CUDA is found; otherwise on the CPU.
 *
 * @module
 */
import { Engine } from "../lib/autodiff/engine.ts";
import { runCommandLine } from "../lib/commands/dispatch.ts";
import { number, parseFlags, toggle } from "../lib/commands/flags.ts";
import { timedStage } from "./ours/stages.ts";
import { agreement } from "./support/agreement.ts";
import { timestampRate } from "./support/clock.ts";
import { type Contestant, startOurs, startPytorch } from "./support/contestant.ts";
import { machineLine } from "./support/machine.ts";
import { budget, digits, type Entry, Printer, timeInTurns, type Timing } from "./support/rounds.ts";
import type { StepTask } from "./support/tasks.ts";

const turns = budget({ rounds: 5, seconds: 2 });

/** Steps per stage in the paper's schedule. */
const schedule = { critic: 1_500_000, behavior: 2_000_000, policy: 1_000_000 } as const;
const stages = Object.keys(schedule) as (keyof typeof schedule)[];

/**
 * Floating-point operations of a behavior step's matrix products (hopper, batch 2048): the forward
 * pass and the gradients by weights and by inputs. The first layer of the time embedding needs no
 * input gradient.
 */
const behaviorFlops = 2 * 2048 *
  (3 * (64 * 128 + 128 * 128 + 142 * 256 + 3 * 2 * 256 * 1024 + 256 * 3) - 64 * 128);

const command = {
  name: "gpu",
  summary: "Measures the paper's schedule",
  positionals: [],
  flags: {
    "peak-tflops": number("the card's fp32 peak without tensor cores, in TFLOP/s", { min: 0.001 }),
    rounds: number("measured rounds, of a third of the usual time each", { min: 1 }),
    json: toggle("print one JSON object"),
  },
} as const;

/** Measures a stage for each column; null if it cannot run. */
async function times(columns: readonly Column[], step: StepTask["step"]) {
  const entries: (Entry & { column: number })[] = [];
  const notes: string[] = [];
  for (const [column, { contestant, seeds }] of columns.entries()) {
    const task: StepTask = { step, seeds };
    try {
      await contestant.ask({ ask: "describe", task });
      entries.push({ contestant, task, column });
    } catch (error) {
      notes.push(`${step} with ${seeds} seeds cannot run here: ${(error as Error).message}`);
    }
  }
  const timings = await timeInTurns(entries, turns);
  const byColumn = columns.map((_, column) =>
    timings[entries.findIndex((entry) => entry.column === column)] ?? null
  );
  return { byColumn, notes };
}

interface Column {
  readonly name: string;
  readonly contestant: Contestant;
  readonly seeds: number;
}

/** Measures the adapter's limits and its timestamps; null without timestamp queries. */
async function limitsOf() {
  using engine = await Engine.open();
  const roofline = await engine.roofline();
  const clock = await timestampRate(await timedStage(engine, { step: "behavior" }));
  return { flops: roofline?.flops ?? null, bytes: roofline?.bytes ?? null, clock };
}

async function measure(args: readonly string[]): Promise<void> {
  const parsed = parseFlags(command, args);
  if (parsed === "help") {
    console.log(
      "Usage: deno run -A bench/gpu.ts [--peak-tflops X] [--rounds N] [--json]\n\n" +
        "Measures the paper's schedule on this GPU.\n\n" +
        Object.entries(command.flags).map(([name, { help }]) => `  --${name.padEnd(14)} ${help}`)
          .join("\n"),
    );
    return;
  }
  const { json, "peak-tflops": given } = parsed.flags;
  const limits = await limitsOf();
  const peak = given ?? (limits.flops === null ? null : Number(digits(limits.flops / 1e12)));
  await using ours = await startOurs();
  await using cuda = await startPytorch({ device: "cuda" });
  await using compiled = cuda && await startPytorch({ device: "cuda", compiled: true });
  await using processor = cuda ? null : await startPytorch();
  const printer = new Printer(json, await machineLine(ours.device));
  const notes: string[] = [];
  const pytorch: Contestant[] = [];
  for (const contestant of [cuda, compiled, processor]) {
    if (contestant === null) continue;
    // torch.compile needs a C compiler.
    const problem = await contestant.ask({ ask: "describe", task: { step: "critic" } })
      .then(() => null, (error: Error) => error.message);
    if (problem === null) pytorch.push(contestant);
    else notes.push(`${contestant.name} cannot run here: ${problem.slice(0, 300)}`);
  }
  const columns: Column[] = [
    { name: "one seed", contestant: ours, seeds: 1 },
    { name: "six seeds", contestant: ours, seeds: 6 },
    ...pytorch.map((contestant) => ({ name: contestant.name, contestant, seeds: 1 })),
  ];
  notes.push(...pytorch.map(({ name, device }) => `${name}: ${device}`));
  if (pytorch.length === 0) notes.push("PyTorch was not found");

  const measured = new Map<keyof typeof schedule, (Timing | null)[]>();
  for (const step of stages) {
    if (pytorch.length > 0) notes.push(await agreement([ours, ...pytorch], { step }, 3));
    const { byColumn, notes: failed } = await times(columns, step);
    measured.set(step, byColumn);
    notes.push(...failed);
  }
  const header = ["", ...columns.map(({ name }) => name)];
  const cell = (timing: Timing | null, of: (timing: Timing) => string) => timing ? of(timing) : "–";
  printer.print({
    title: `Steps/s, median (best) of ${turns.rounds} rounds; six seeds step together`,
    header,
    rows: stages.map((step) => [
      step,
      ...measured.get(step)!.map((timing) =>
        cell(timing, ({ median, best }) => `${digits(1 / median)} (${digits(1 / best)})`)
      ),
    ]),
    notes,
  });

  const hours = (step: keyof typeof schedule, timing: Timing) =>
    schedule[step] * timing.median / 3600;
  printer.print({
    title: "Hours of the paper's schedule, at the medians",
    header: ["stage", "steps", ...columns.map(({ name }) => name)],
    rows: [
      ...stages.map((step) => [
        step,
        schedule[step],
        ...measured.get(step)!.map((timing) => cell(timing, (t) => digits(hours(step, t)))),
      ]),
      [
        "all",
        "–",
        ...columns.map((_, column) => {
          const all = stages.map((step) => [step, measured.get(step)![column]!] as const);
          if (all.some(([, timing]) => timing === null)) return "–";
          return digits(all.reduce((total, [step, timing]) => total + hours(step, timing!), 0));
        }),
      ],
    ],
  });

  printer.print({
    title: "Limits of the adapter, measured",
    header: ["TFLOP/s in registers", "GB/s", "timestamp seconds per second"],
    rows: [
      [limits.flops, limits.bytes, limits.clock].map((value, i) =>
        value === null ? "–" : digits(value / [1e12, 1e9, 1][i]!)
      ),
    ],
    notes: [
      "Timestamps: a behavior step by timestamps, divided by one by a wall clock. A factor of 10 or " +
      "more in either direction would be an unconverted period.",
    ],
  });
  if (peak === null) {
    printer.finish();
    return;
  }
  printer.print({
    title: `Percent of ${peak} TFLOP/s (fp32, ${given === undefined ? "measured" : "given"}) in ` +
      "the behavior step's matrix products, at the medians",
    header,
    rows: [[
      `${(behaviorFlops / 1e9).toFixed(2)} GFLOP per seed`,
      ...columns.map(({ seeds }, column) =>
        cell(
          measured.get("behavior")![column]!,
          ({ median }) => digits(100 * seeds * behaviorFlops / median / (peak * 1e12)),
        )
      ),
    ]],
  });
  printer.finish();
}

Deno.exitCode = await runCommandLine(
  { gpu: { summary: command.summary, load: () => Promise.resolve(measure) } },
  ["gpu", ...Deno.args],
);
