/**
 * Measures the matrix products: `deno run -A bench/matmul.ts [--json] [--rounds N]`.
 *
 * It prints the GFLOP/s of each product in the stages' linear layers, alone in its program,
 * including what is fused into it (bias, gradient of the bias). PyTorch takes turns if it is
 * installed. FLOPs are those of the true sizes, so padding counts as lost time.
 *
 * @module
 */
import { startOurs, startPytorchBeside } from "./support/contestant.ts";
import { machineLine } from "./support/machine.ts";
import { budget, digits, Printer, timeInTurns } from "./support/rounds.ts";
import type { ProductTask } from "./support/tasks.ts";

const turns = budget({ rounds: 9, seconds: 0.15 });

/** Linear layers of the stages at hopper's sizes. */
const layers: readonly (readonly [rows: number, inputs: number, outputs: number, where: string])[] =
  [
    [2048, 256, 1024, "behavior, fc1"],
    [2048, 1024, 256, "behavior, fc2"],
    [2048, 142, 256, "behavior, first"],
    [2048, 64, 128, "behavior, embedding 1"],
    [2048, 128, 128, "behavior, embedding 2"],
    [256, 256, 256, "critic and policy, hidden"],
    [256, 256, 1024, "policy stage, fc1"],
    [256, 1024, 256, "policy stage, fc2"],
    [256, 14, 256, "Q, first"],
    [256, 28, 256, "peers' perceptron, first"],
    [256, 256, 1, "Q and V, last"],
    [256, 256, 3, "policy, last"],
    [2048, 256, 3, "behavior, last"],
  ];

const forms = {
  forward: "x Wᵀ + b",
  input: "dy W",
  weight: "dyᵀ x, Σ dy",
} as const;

await using ours = await startOurs();
await using pytorch = await startPytorchBeside(ours);
const contestants = pytorch ? [ours, pytorch] : [ours];
const printer = new Printer(Deno.args.includes("--json"), await machineLine(ours.device));
for (const form of ["forward", "input", "weight"] as const) {
  const rows: (string | number)[][] = [];
  for (const [batch, inputs, outputs, where] of layers) {
    const task: ProductTask = { step: "product", form, rows: batch, inputs, outputs };
    const [we, they] = await timeInTurns(
      contestants.map((contestant) => ({ contestant, task })),
      turns,
    );
    const rate = (seconds: number) => digits(2 * batch * inputs * outputs / seconds / 1e9);
    rows.push([
      where,
      `${batch} × ${inputs} → ${outputs}`,
      rate(we!.median),
      rate(we!.best),
      ...(they ? [rate(they.median), rate(they.best), (they.median / we!.median).toFixed(2)] : []),
    ]);
  }
  printer.print({
    title: `GFLOP/s of ${forms[form]}: median and best of ${turns.rounds} rounds`,
    header: [
      "layer",
      "rows × inputs → outputs",
      "GFLOP/s",
      "best",
      ...(pytorch ? ["PyTorch", "best", "ratio"] : []),
    ],
    rows,
    notes: [pytorch ? `PyTorch: ${pytorch.device}` : "PyTorch was not found"],
  });
}
printer.finish();
