/**
 * Measures the training speed of the three stages: `deno run -A bench/stages.ts [--json] [--rounds
 * N]`, or of two versions: `deno run -A bench/stages.ts --against CHECKOUT`.
 *
 * The first table shows steps/s at the paper's sizes (hopper: 11 observations, 3 actions) as in
 * training: minibatches, times, noise and dropout masks are drawn on the GPU, from a data set in
 * GPU memory. If PyTorch is installed, an independent implementation takes turns. The losses of
 * both are compared first.
 *
 * The other tables show the time of a step besides arithmetic (networks and batches of size 8), and
 * compare one seed with six seeds in one sequence of dispatches.
 *
 * `--against` compares this version with the one in another checkout of the repository instead
 * (`git worktree add ../before v0.2.0`): both take turns at every stage, at the paper's sizes and
 * at sizes of 8, with one seed.
 *
 * @module
 */
import { type Contestant, startOurs, startPytorchBeside } from "./support/contestant.ts";
import { parseArgs } from "@std/cli/parse-args";
import { agreement } from "./support/agreement.ts";
import { machineLine } from "./support/machine.ts";
import { budget, digits, type Entry, Printer, timeInTurns } from "./support/rounds.ts";
import type { StepTask } from "./support/tasks.ts";

const stages = ["critic", "behavior", "policy"] as const;
const full = budget({ rounds: 9, seconds: 1 });
const seeds = budget({ rounds: 9, seconds: 0.7 });

/** Prints the steps/s of our engine and PyTorch, with dispatches and memory. */
async function fullSize(
  ours: Contestant,
  pytorch: Contestant | null,
  printer: Printer,
): Promise<void> {
  const contestants = pytorch ? [ours, pytorch] : [ours];
  const rows: (string | number)[][] = [];
  const notes = [pytorch ? `PyTorch: ${pytorch.device}` : "PyTorch was not found"];
  for (const step of stages) {
    const task: StepTask = { step };
    if (pytorch) notes.push(await agreement(contestants, task, 3));
    const { dispatches, bytes } = await ours.ask({ ask: "describe", task });
    const [we, they] = await timeInTurns(
      contestants.map((contestant) => ({ contestant, task })),
      full,
    );
    rows.push([
      step,
      step === "behavior" ? 2048 : 256,
      dispatches!,
      (bytes! / 2 ** 20).toFixed(0),
      digits(1 / we!.median),
      digits(1 / we!.best),
      ...(they
        ? [digits(1 / they.median), digits(1 / they.best), (they.median / we!.median).toFixed(2)]
        : []),
    ]);
  }
  printer.print({
    title: `Steps/s at the paper's sizes, one seed: median and best of ${full.rounds} rounds`,
    header: [
      "stage",
      "batch",
      "dispatches",
      "MiB",
      "steps/s",
      "best",
      ...(pytorch ? ["PyTorch", "best", "ratio"] : []),
    ],
    rows,
    notes,
  });
}

/** Prints the milliseconds per step with one seed and with six, taking turns. */
async function severalSeeds(
  ours: Contestant,
  printer: Printer,
  title: string,
  tiny: boolean,
): Promise<void> {
  const rows: (string | number)[][] = [];
  const notes: string[] = [];
  for (const step of stages) {
    const [one, six] = [1, 6].map((seeds) => ({
      contestant: ours,
      task: { step, seeds, tiny } as StepTask,
    })) as [Entry, Entry];
    const fits = await ours.ask({ ask: "describe", task: six.task }).catch((error: Error) => {
      notes.push(`${step} with six seeds cannot run here: ${error.message}`);
      return null;
    });
    const [single, sextuple] = await timeInTurns(fits ? [one, six] : [one], seeds);
    rows.push([
      step,
      digits(1e3 * single!.median),
      digits(1e3 * single!.best),
      ...(fits && sextuple
        ? [
          digits(1e3 * sextuple.median),
          digits(1e3 * sextuple.best),
          (sextuple.median / single!.median).toFixed(2),
          (fits.bytes! / 2 ** 20).toFixed(1),
        ]
        : ["–", "–", "–", "–"]),
    ]);
  }
  printer.print({
    title,
    header: ["stage", "one seed", "best", "six seeds", "best", "ratio", "MiB, six"],
    rows,
    notes,
  });
}

/** Prints the milliseconds per step of this version and of another one, taking turns. */
async function twoVersions(checkout: string, printer: Printer): Promise<void> {
  for (const tiny of [false, true]) {
    await using before = await startOurs({ checkout, tiny });
    await using after = await startOurs({ tiny });
    const rows: (string | number)[][] = [];
    for (const step of stages) {
      const task: StepTask = { step, tiny };
      const [then, now] = await timeInTurns(
        [before, after].map((contestant) => ({ contestant, task })),
        { rounds: 2 * full.rounds + 1, seconds: tiny ? 0.4 : 1 },
      );
      rows.push([
        step,
        ...[then!, now!].flatMap(({ median, best }) => [digits(1e3 * median), digits(1e3 * best)]),
        (then!.median / now!.median).toFixed(3),
        (then!.best / now!.best).toFixed(3),
      ]);
    }
    printer.print({
      title: `Milliseconds per step ${
        tiny ? "besides arithmetic: networks and batches of 8" : "at the paper's sizes"
      }; ratios above 1 mean that this version is faster`,
      header: ["stage", "before", "best", "after", "best", "ratio", "of the best"],
      rows,
    });
  }
}

const { against } = parseArgs(Deno.args, { string: ["against"] });
await using ours = await startOurs();
const printer = new Printer(Deno.args.includes("--json"), await machineLine(ours.device));
if (typeof against === "string") {
  await twoVersions(against, printer);
} else {
  await using pytorch = await startPytorchBeside(ours);
  await fullSize(ours, pytorch, printer);
  await using tiny = await startOurs({ tiny: true });
  await severalSeeds(
    tiny,
    printer,
    "Milliseconds per step besides arithmetic: networks and batches of 8",
    true,
  );
  await severalSeeds(ours, printer, "Milliseconds per step at the paper's sizes", false);
}
printer.finish();
